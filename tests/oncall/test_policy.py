"""Which step comes next and after which wait: the rules E2, E12 and E13, and what a policy may say."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from oncall import policy
from oncall.faults import Faulty
from oncall.policy import Next, Policy, Step, Target, after, read

TARGET = {"user": "bob"}
SCHEDULE, USERS, TEAM = Target("schedule", "s"), (Target("user", "b"), Target("user", "c")), Target("team", "t")
P = Policy("P", (Step((SCHEDULE,), 5), Step(USERS, 10), Step((TEAM,), 15)), repeat=1, ack_timeout_minutes=30)


def _climb(one: Policy, opened: str, most: int = 20) -> list[str]:
    """Return "12:05 step 2" for each step that is taken when nobody acts, and the end."""
    at, step = datetime.fromisoformat(f"2026-11-21T{opened}") + timedelta(minutes=one.start_delay_minutes), Next(0, 0)
    said = []
    for _ in range(most):
        said.append(f"{at:%H:%M} step {step.position + 1}")
        at += one.wait(step.position)
        following = after(one, step.position, step.loop)
        if following is None:
            return [*said, f"{at:%H:%M} exhausted"]
        step = following
    return said


def test_nobody_acts_row_1_e2_e12() -> None:
    assert _climb(P, "12:00") == [
        "12:00 step 1", "12:05 step 2", "12:15 step 3",
        "12:30 step 1", "12:35 step 2", "12:45 step 3", "13:00 exhausted",
    ]  # fmt: skip


def test_the_next_wait_counts_from_when_a_step_was_really_taken_row_14_e2() -> None:
    following = after(P, 0, 0)  # step 1 was taken at 12:00; step 2, due at 12:05, is taken at 13:10
    assert following == Next(1, 0)
    assert P.wait(1) == timedelta(minutes=10)  # so step 3 is due at 13:20


def test_no_further_step_at_the_very_end_row_9_e6() -> None:
    assert after(P, 2, 1) is None


def test_low_urgency_takes_the_first_step_only_row_16_e13() -> None:
    assert after(P, 0, 0, "low") is None
    assert after(P, 0, 0, "high") == Next(1, 0)
    assert after(Policy("P", P.steps, low_urgency="full"), 0, 0, "low") == Next(1, 0)


def test_repeat_null_goes_on_until_somebody_answers_e12() -> None:
    for_ever = Policy("P", P.steps, repeat=None)
    assert len(_climb(for_ever, "12:00", most=500)) == 500
    assert after(for_ever, 2, 10_000) == Next(0, 10_001)


def test_repeat_nought_is_one_pass() -> None:
    assert _climb(Policy("P", P.steps, repeat=0), "12:00")[-1] == "12:30 exhausted"


def test_a_start_delay_comes_before_step_1_e2() -> None:
    assert _climb(Policy("P", P.steps, repeat=0, start_delay_minutes=3), "12:00")[0] == "12:03 step 1"


def test_a_delay_of_nought_is_the_same_time() -> None:
    together = Policy("P", (Step((SCHEDULE,), 0), Step(USERS, 10)), repeat=0)
    assert _climb(together, "12:00") == ["12:00 step 1", "12:00 step 2", "12:10 exhausted"]


def test_a_pass_without_any_delay_takes_a_minute() -> None:
    top = Policy("P", (Step((SCHEDULE,), 0), Step(USERS, 0)), repeat=None)
    assert _climb(top, "12:00", most=4) == ["12:00 step 1", "12:00 step 2", "12:01 step 1", "12:01 step 2"]


def test_a_policy_without_steps_has_none_to_come() -> None:
    assert after(Policy("", ()), 0, 0) is None


def test_a_copy_survives_as_json_e1() -> None:
    assert Policy.from_json(json.loads(json.dumps(P.to_json()))) == P


def test_what_is_left_out_is_the_default() -> None:
    found = read({"name": "Core", "steps": [{"targets": [TARGET]}]})
    assert found == Policy("Core", (Step((Target("user", "bob"),), 5, "everyone"),), None, 0, None, "first_step")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"steps": []}, "steps"),  # row 18
        ({"steps": None}, "steps"),
        ({"steps": [{"targets": [TARGET]}] * 21}, "steps"),
        ({"steps": [{"targets": []}]}, "steps.0.targets"),
        ({"steps": [{"targets": [TARGET] * 21}]}, "steps.0.targets"),
        ({"steps": [{"targets": [TARGET], "delay_minutes": 9001}]}, "steps.0.delay_minutes"),
        ({"steps": [{"targets": [TARGET], "delay_minutes": -1}]}, "steps.0.delay_minutes"),
        ({"steps": [{"targets": [TARGET], "strategy": "random"}]}, "steps.0.strategy"),
        ({"steps": [{"targets": [{}]}]}, "steps.0.targets.0.user"),
        ({"steps": [{"targets": [{"robot": "x"}]}]}, "steps.0.targets.0.robot"),
        ({"steps": [{"targets": [{"user": "bob", "team": "Core"}]}]}, "steps.0.targets.0"),
        ({"steps": [{"targets": ["bob"]}]}, "steps.0.targets.0"),
        ({"repeat": 10}, "repeat"),
        ({"repeat": True}, "repeat"),
        ({"start_delay_minutes": 61}, "start_delay_minutes"),
        ({"ack_timeout_minutes": 0}, "ack_timeout_minutes"),
        ({"low_urgency": "none"}, "low_urgency"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"loops": 2}, "loops"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Faulty) as caught:
        read({"name": "Core", "steps": [{"targets": [TARGET]}], **change})
    assert field in {fault.field for fault in caught.value.faults}


@pytest.mark.parametrize(
    "change", [{"repeat": 9}, {"repeat": 0}, {"ack_timeout_minutes": 9000}, {"start_delay_minutes": 60}]
)
def test_what_is_allowed(change: dict[str, int]) -> None:
    found = read({"name": "Core", "steps": [{"targets": [TARGET] * 20, "delay_minutes": 9000}] * 20, **change})
    assert (len(found.steps), len(found.steps[19].targets)) == (policy.MOST_STEPS, policy.MOST_TARGETS)

"""Escalation policies from documents, copied for a run, and read out in sentences."""

from datetime import timedelta
from typing import Any

import pytest

from config.problems import Conflict, Invalid
from oncall import policies
from oncall.models import Deactivation, EscalationPolicy, Membership, Schedule, Step, Team, User
from oncall.policy import Policy, Target
from tests.factories import T0, make_policy, make_schedule, make_source, make_user

pytestmark = pytest.mark.django_db
AGAIN = "After 15 min more it begins again, until somebody answers. If nobody can be reached: the administrators."
CORE: dict[str, Any] = {
    "name": "Core",
    "team": "Crew",
    "repeat": 1,
    "start_delay_minutes": 0,
    "ack_timeout_minutes": 30,
    "low_urgency": "full",
    "steps": [
        {"targets": [{"schedule": "Core primary"}], "delay_minutes": 5, "strategy": "everyone"},
        {"targets": [{"user": "bob"}, {"user": "cyd"}], "delay_minutes": 10, "strategy": "everyone"},
        {"targets": [{"team": "Crew"}], "delay_minutes": 15, "strategy": "round_robin"},
    ],
}


@pytest.fixture(autouse=True)
def people() -> dict[str, User]:
    found = {name: make_user(name) for name in ("ann", "bob", "cyd")}
    crew = Team.objects.create(name="Crew")
    Membership.objects.create(team=crew, user=found["ann"])
    make_schedule("Core primary", found["ann"])
    return found


def _save(row: EscalationPolicy | None, given: dict[str, Any]) -> EscalationPolicy:
    return policies.save(row, given, by=None, now=T0)


def test_a_policy_is_written_as_it_came() -> None:
    assert policies.as_document(_save(None, CORE)) == CORE


def test_the_least_one_can_say() -> None:
    row = _save(None, {"name": "Small", "steps": [{"targets": [{"user": "bob"}]}]})
    assert policies.snapshot(row).repeat is None  # until somebody answers
    assert (row.team, row.low_urgency, row.steps.get().delay_minutes) == (None, "first_step", 5)


def test_targets_may_be_named_by_id(people: dict[str, User]) -> None:
    schedule, crew = Schedule.objects.get(), Team.objects.get()
    targets = [{"user": str(people["bob"].uuid)}, {"schedule": str(schedule.uuid)}, {"team": str(crew.uuid)}]
    row = _save(None, {"name": "Ids", "steps": [{"targets": targets}]})
    assert policies.as_document(row)["steps"][0]["targets"] == [
        {"user": "bob"}, {"schedule": "Core primary"}, {"team": "Crew"},
    ]  # fmt: skip
    assert policies.snapshot(row).steps[0].targets == tuple(
        Target(kind, word) for target in targets for kind, word in target.items()
    )


def test_a_change_keeps_what_it_does_not_speak_of() -> None:
    row = _save(None, CORE)
    steps = list(Step.objects.values())
    _save(row, {"repeat": None, "name": "Centre"})
    assert policies.as_document(EscalationPolicy.objects.get()) == {**CORE, "repeat": None, "name": "Centre"}
    assert list(Step.objects.values()) == steps
    _save(row, {"steps": CORE["steps"][1:2], "team": None})
    changed = policies.as_document(EscalationPolicy.objects.get())
    assert (changed["steps"], changed["team"]) == (CORE["steps"][1:2], None)


def test_a_copy_does_not_change_with_its_policy_row_12_e1() -> None:
    row = _save(None, CORE)
    copy = policies.snapshot(row).to_json()
    _save(row, {"steps": CORE["steps"][:1]})
    assert len(Policy.from_json(copy).steps) == 3
    assert len(policies.snapshot(EscalationPolicy.objects.get()).steps) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"steps": []}, "steps"),  # row 18
        ({"name": "Taken"}, "name"),
        ({"team": "Nobody's"}, "team"),
        ({"steps": [{"targets": [{"user": "bob"}, {"user": "zoe"}]}]}, "steps.0.targets.1.user"),
        ({"steps": [{"targets": [{"schedule": "bob"}]}]}, "steps.0.targets.0.schedule"),
        ({"steps": [{"targets": [{"team": "ann"}]}]}, "steps.0.targets.0.team"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(change: dict[str, Any], field: str) -> None:
    make_policy(name="Taken")
    row = _save(None, CORE)
    for present, given in ((None, {**CORE, "name": "New", **change}), (row, change)):
        with pytest.raises(Invalid) as caught:
            _save(present, given)
        assert [error.field for error in caught.value.errors] == [field]
    assert policies.as_document(EscalationPolicy.objects.get(name="Core")) == CORE


def test_one_in_use_is_not_deleted_e1() -> None:
    row = _save(None, CORE)
    source = make_source("Shop", policy=row)
    with pytest.raises(Conflict, match="Shop") as caught:
        policies.delete(row)
    assert caught.value.facts["used_by"] == ["alert source Shop"]
    source.delete()
    policies.delete(row)
    assert not EscalationPolicy.objects.exists()


def test_read_out_in_sentences() -> None:
    lines = policies.as_sentences(_save(None, {**CORE, "repeat": None}), T0)
    assert [(line.number, line.text) for line in lines] == [
        (1, "At once: whoever is on call in Core primary (now Ann)"),
        (2, "After 5 min: Bob and Cyd"),
        (3, "After 10 min more: one of these, in turn: everyone on call in team Crew (now Ann)"),
        (None, AGAIN),
    ]  # fmt: skip
    assert not any(line.warning for line in lines)


def test_a_line_that_reaches_nobody_says_why(people: dict[str, User]) -> None:
    row = _save(None, CORE)
    Deactivation.objects.create(user=people["ann"], start=T0 - timedelta(days=1))
    User.objects.filter(username__in=["bob", "ann"]).update(is_active=False)
    warnings = [line.warning for line in policies.as_sentences(row, T0)]
    assert warnings == ["nobody is on call in Core primary", "", "team Crew has no active members", ""]


def test_a_line_whose_people_cannot_be_reached_says_so() -> None:
    make_user("dee", email_after=None)
    row = _save(None, {"name": "Mute", "steps": [{"targets": [{"user": "dee"}]}]})
    assert policies.as_sentences(row, T0)[0].warning == "Dee has no verified contact method"


@pytest.mark.parametrize(
    ("repeat", "ending"),
    [(0, "it ends, and the administrators are told."), (1, "it begins again, once."), (3, "it begins again, 3 times.")],
)
def test_how_it_ends_in_words(repeat: int, ending: str) -> None:
    last = policies.as_sentences(_save(None, {**CORE, "repeat": repeat}), T0)[-1]
    assert last.text == f"After 15 min more {ending} If nobody can be reached: the administrators."

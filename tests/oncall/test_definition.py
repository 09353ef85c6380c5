"""Who is on call: every golden case, and what must hold for any schedule. The rules R1 to R12."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from oncall import document, preview
from oncall.definition import Definition, Inactive, Layer, Override, on_call, shifts, who
from oncall.rotation import Rotation, Unit
from tests.oncall.strategies import INSTANTS, NEAR, PEOPLE, definitions, layers

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "oncall.json").read_text())
SECOND = timedelta(seconds=1)


def _read(name: str) -> Definition:
    return document.read(GOLDEN["schedules"][name], also=("title",))


def _at(text: str) -> datetime:
    at = document.read_instant(text)
    assert at is not None
    return at


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['id']}-{case['schedule']}")
def test_golden_r1_to_r12(case: dict[str, Any]) -> None:
    assert who(_read(case["schedule"]), _at(case["at"]))[0] == case["expect"], case["why"]


def test_there_are_94_golden_cases() -> None:
    assert len({case["id"] for case in GOLDEN["cases"]}) == 94


@pytest.mark.parametrize("name", GOLDEN["schedules"])
def test_golden_shifts_agree_with_the_cases_r8(name: str) -> None:
    cases = [case for case in GOLDEN["cases"] if case["schedule"] == name]
    first, last = min(_at(case["at"]) for case in cases), max(_at(case["at"]) for case in cases)
    found = shifts(_read(name), first, last + SECOND)
    for case in cases:
        holding = [shift.user for shift in found if shift.start <= _at(case["at"]) < shift.end]
        assert holding == [case["expect"]], case["why"]


@pytest.mark.parametrize("name", GOLDEN["schedules"])
def test_golden_preview_says_the_same(name: str) -> None:
    cases = [case for case in GOLDEN["cases"] if case["schedule"] == name]
    answer = preview.answer({"schedule": GOLDEN["schedules"][name], "at": [case["at"] for case in cases]})
    found = [(result["at"], result["user"]) for result in answer["results"]]
    assert found == [(case["at"], case["expect"]) for case in cases]


@pytest.mark.parametrize(
    ("name", "at", "user", "until", "source"),
    [
        ("overrides", "2024-01-03T09:59:59Z", "alice", "2024-01-03T10:00:00Z", "layer 1"),
        ("overrides", "2024-01-03T10:00:00Z", "carol", "2024-01-03T12:00:00Z", "o1"),
        ("overrides", "2024-01-03T12:00:00Z", "dave", "2024-01-03T16:00:00Z", "o2"),
        ("overrides", "2024-01-05T03:00:00Z", None, "2024-01-05T06:00:00Z", "o3"),
        ("overrides", "2024-01-07T22:00:00Z", "carol", "2024-01-08T00:00:00Z", "o4"),  # her week ends first
        ("daily-ny", "2024-03-04T13:59:59Z", None, "2024-03-04T14:00:00Z", None),
        ("office-over-247", "2024-01-10T14:30:00Z", "carol", "2024-01-10T22:00:00Z", "layer 2"),
        ("all-day-window", "2024-03-31T06:00:00Z", "alice", None, "layer 1"),
        ("hourly-ny", "2024-11-03T06:30:00Z", "bob", "2024-11-03T07:00:00Z", "layer 1"),
        ("effective", "2024-05-15T08:00:00Z", None, None, None),
        ("deactivated", "2024-06-13T12:00:00Z", "dave", "2024-06-14T08:00:00Z", "layer 1"),
    ],
)
def test_until_and_source_r10(name: str, at: str, user: str | None, until: str | None, source: str | None) -> None:
    found = on_call(_read(name), _at(at))
    assert (found.user, found.until, found.source) == (user, until and _at(until), source)


def test_until_looks_a_year_ahead_and_not_further() -> None:
    turns = Rotation(ZoneInfo("UTC"), Unit.DAY, 400, datetime.fromisoformat("2024-01-01T00:00"))
    schedule = Definition((Layer(("alice", "bob"), turns),))
    handoff = turns.boundary(1)
    assert on_call(schedule, handoff - timedelta(days=364)).until == handoff
    assert on_call(schedule, handoff - timedelta(days=366)).until is None


def test_a_layer_is_called_by_its_name() -> None:
    turns = Rotation(ZoneInfo("UTC"), Unit.DAY, 1, datetime.fromisoformat("2024-01-01T00:00"))
    schedule = Definition((Layer(("alice",), turns, name="Nights"), Layer((None, "bob"), turns, position=1)))
    assert [who(schedule, turns.boundary(k))[1] for k in (0, 1)] == ["Nights", "layer 2"]


def test_swaps_over_the_same_time_cancel_out_r13() -> None:
    turns = Rotation(ZoneInfo("UTC"), Unit.DAY, 1, datetime.fromisoformat("2024-01-01T00:00"))
    start, end = turns.boundary(0), turns.boundary(2)
    swaps = (Override("a", start, end, "bob", "alice"), Override("b", start, end, "alice", "bob"))
    assert who(Definition((Layer(("alice",), turns),), swaps), start)[0] == "alice"


def test_reactivated_has_the_turns_again_r17() -> None:
    turns = Rotation(ZoneInfo("UTC"), Unit.DAY, 1, datetime.fromisoformat("2024-01-01T00:00"))
    gone = Inactive("alice", turns.boundary(2), turns.boundary(4))
    schedule = Definition((Layer(("alice",), turns),), inactive=(gone,))
    found = [(shift.user, shift.start) for shift in shifts(schedule, turns.boundary(0), turns.boundary(6))]
    assert found == [("alice", turns.boundary(0)), (None, turns.boundary(2)), ("alice", turns.boundary(4))]


@given(definitions(), NEAR, st.integers(1, 60 * 24 * 14))
@settings(max_examples=300, deadline=None)
def test_shifts_tile_and_resolve_agrees_r12(schedule: Definition, start: datetime, minutes: int) -> None:
    end = start + timedelta(minutes=minutes)
    found = shifts(schedule, start, end)
    assert [found[0].start, found[-1].end] == [start, end]
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all((one.user, one.source) != (other.user, other.source) for one, other in pairwise(found))
    for shift in found:
        middle = shift.start + (shift.end - shift.start) / 2
        for at in {shift.start, shift.end - SECOND, middle}:
            if shift.start <= at:
                assert who(schedule, at) == (shift.user, shift.source), at


@given(definitions(), NEAR)
@settings(max_examples=150, deadline=None)
def test_until_is_the_next_change_r12(schedule: Definition, at: datetime) -> None:
    found = on_call(schedule, at)
    if found.until is None:
        assert who(schedule, at + timedelta(days=364)) == (found.user, found.source)
    else:
        assert who(schedule, found.until) != (found.user, found.source)
        assert who(schedule, found.until - timedelta(microseconds=1)) == (found.user, found.source)


@given(definitions(), NEAR, NEAR, st.sampled_from([*PEOPLE, None]))
@settings(max_examples=150, deadline=None)
def test_an_override_always_wins_r10(schedule: Definition, start: datetime, at: datetime, user: str | None) -> None:
    assume(start <= at and (user is None or schedule.active(user, at)))
    last = Override("mine", start, at + SECOND, user)
    covered = Definition(schedule.layers, (*schedule.overrides, last), schedule.inactive)
    assert who(covered, at) == (user, "mine")


@given(definitions(), layers(vacant=False, windows=False), NEAR)
@settings(max_examples=150, deadline=None)
def test_a_full_top_layer_hides_all_below_r8(schedule: Definition, top: Layer, at: datetime) -> None:
    bare = Definition(schedule.layers)
    covered = Definition((*schedule.layers, top))
    held = top.holder(at)
    assert (held is not None) == top.counts_at(at)
    assert who(covered, at)[0] == (held if held is not None else who(bare, at)[0])


@given(
    definitions(overrides=0),
    st.permutations(range(4)),
    st.lists(st.sampled_from([*PEOPLE, None]), min_size=4, max_size=4),
    NEAR,
)
@settings(max_examples=100, deadline=None)
def test_order_of_overrides_apart_from_each_other_is_nothing_r10(
    schedule: Definition, order: list[int], users: list[str | None], start: datetime
) -> None:
    hour = timedelta(hours=1)
    apart = [Override(str(n), start + n * hour, start + (n + 1) * hour, user) for n, user in enumerate(users)]
    one = Definition(schedule.layers, tuple(apart), schedule.inactive)
    other = Definition(schedule.layers, tuple(apart[n] for n in order), schedule.inactive)
    assert shifts(one, start - hour, start + 6 * hour) == shifts(other, start - hour, start + 6 * hour)


@given(definitions(), INSTANTS)
@example(Definition(()), datetime(1, 1, 1, tzinfo=UTC))
@example(Definition(()), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
@settings(max_examples=100, deadline=None)
def test_any_instant_of_the_calendar_has_an_answer_r12(schedule: Definition, at: datetime) -> None:
    found = on_call(schedule, at)
    assert found.user is None or found.user in PEOPLE
    assert found.until is None or found.until > at

"""Who is on call, from the rows: the same answers as from the document, in few queries."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oncall import definition, document, scheduling, shifts
from oncall.models import Deactivation, Schedule
from tests.factories import T0, make_schedule, make_user

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "oncall.json").read_text())
pytestmark = pytest.mark.django_db


def _at(text: str) -> datetime:
    at = document.read_instant(text)
    assert at is not None
    return at


def _stored(name: str) -> Schedule:
    given: dict[str, Any] = {
        key: part for key, part in GOLDEN["schedules"][name].items() if key not in ("title", "inactive")
    }
    words = {user for layer in given["layers"] for user in layer["users"] if user}
    words |= {one["user"] for one in given.get("overrides", ()) if one["user"]}
    people = {word: make_user(word, email_after=None) for word in sorted(words)}
    for gone in GOLDEN["schedules"][name].get("inactive", ()):
        Deactivation.objects.create(user=people[gone["user"]], start=_at(gone["from"]))
    return scheduling.save(None, {"name": name, **given}, by=None, now=T0)


@pytest.mark.parametrize("name", GOLDEN["schedules"])
def test_golden_cases_from_the_rows_r1_to_r12(name: str) -> None:
    schedule = _stored(name)
    for case in (case for case in GOLDEN["cases"] if case["schedule"] == name):
        at = _at(case["at"])
        expected = document.read(GOLDEN["schedules"][name], also=("title",))
        found = shifts.on_call(schedule, at)
        until = definition.on_call(expected, at).until
        assert (found.user and found.user.username, found.until) == (case["expect"], until), case["why"]
        assert shifts.on_call_many([schedule], at) == {schedule.pk: found.user}
        held = shifts.shifts(schedule, at, at + timedelta(minutes=1))[0]
        assert (held.user, held.source) == (found.user, found.source)


def _queries(call: Any) -> int:
    with CaptureQueriesContext(
        connection,
    ) as caught:
        call()
    return len(caught)


def test_the_number_of_queries_does_not_grow() -> None:
    people = [make_user(email_after=None) for _ in range(6)]
    one = [make_schedule("first", *people[:1])]
    many = [make_schedule(f"s{n}", *people, None) for n in range(8)]
    for row in many:
        scheduling.add_override(row, start=T0, end=T0 + timedelta(hours=1), user=people[2], by=None, now=T0)
    Deactivation.objects.create(user=people[2], start=T0)
    for call in (shifts.on_call_many, shifts.on_call_until):
        assert _queries(lambda call=call: call(one, T0)) == _queries(lambda call=call: call(many, T0)) <= 4
    assert _queries(lambda: shifts.shifts(many[0], T0, T0 + timedelta(days=90))) <= 4
    assert _queries(lambda: scheduling.as_documents(many, T0)) <= 4


def test_an_override_is_named_by_its_id_and_ends_the_answer() -> None:
    ann, bob = make_user("ann"), make_user("bob")
    schedule = make_schedule("Core", ann)
    cover = scheduling.add_override(
        schedule, start=T0 + timedelta(hours=1), end=T0 + timedelta(hours=2), user=bob, by=None, now=T0
    )
    assert shifts.on_call(schedule, T0) == shifts.OnCall(ann, cover.start, "layer 1")
    assert shifts.on_call(schedule, cover.start) == shifts.OnCall(bob, cover.end, str(cover.uuid))


def test_deactivated_and_back_r9_r11_r17() -> None:
    ann = make_user("ann")
    schedule = make_schedule("Core", ann)
    Deactivation.objects.create(user=ann, start=T0, end=T0 + timedelta(days=2))
    found = shifts.shifts(schedule, T0 - timedelta(days=1), T0 + timedelta(days=3))
    assert [(shift.user, shift.start) for shift in found] == [
        (ann, T0 - timedelta(days=1)), (None, T0), (ann, T0 + timedelta(days=2)),
    ]  # fmt: skip


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_the_ends_of_the_calendar_have_an_answer(at: datetime) -> None:
    schedule = make_schedule("Core", make_user("ann"), make_user("bob"))
    found = shifts.on_call(schedule, at)
    assert found.until is None or found.until > at
    assert shifts.on_call_many([schedule], at)[schedule.pk] == found.user


def test_a_schedule_without_layers_is_a_gap() -> None:
    schedule = make_schedule("Empty")
    assert shifts.on_call(schedule, T0) == shifts.OnCall(None, None, None)
    assert shifts.on_call_many([schedule], T0) == {schedule.pk: None}
    assert shifts.on_call_many([], T0) == {}

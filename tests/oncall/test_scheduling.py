"""Schedules from documents, and overrides: nothing changes the past, and who listens is told."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from config.problems import Conflict, Invalid
from oncall import definition, scheduling, shifts
from oncall.document import write_instant
from oncall.models import Layer, Membership, Override, Schedule, Team, User
from oncall.roles import give
from tests.factories import T0, make_admin, make_policy, make_schedule, make_user

pytestmark = pytest.mark.django_db
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
NOW = T0  # Saturday, 21 November 2026, 12:00 UTC
WEEKLY: dict[str, Any] = {"rotation": {"unit": "week", "length": 1}, "anchor": "2026-11-02T09:00"}  # turn 2 now
CORE: dict[str, Any] = {
    "name": "Core",
    "time_zone": "Europe/Riga",
    "layers": [{"name": "Weeks", "users": ["ann", "bob", "cyd"], **WEEKLY}],
}


@pytest.fixture(autouse=True)
def people() -> dict[str, User]:
    return {name: make_user(name, email_after=None) for name in ("ann", "bob", "cyd", "dee")}


@pytest.fixture
def told() -> Iterator[list[tuple[str, datetime]]]:
    heard: list[tuple[str, datetime]] = []
    listener = lambda schedule, now: heard.append((schedule.name, now))  # noqa: E731
    scheduling.changed.append(listener)
    yield heard
    scheduling.changed.remove(listener)


def _save(schedule: Schedule | None, given: dict[str, Any], now: datetime = NOW, by: User | None = None) -> Schedule:
    return scheduling.save(schedule, given, by=by, now=now)


def _on_call(schedule: Schedule, at: datetime) -> str | None:
    user = shifts.on_call(schedule, at).user
    return None if user is None else user.username


def _layers(*users: str | None, **change: Any) -> dict[str, Any]:
    return {"layers": [{**CORE["layers"][0], "users": list(users), **change}]}


def _fields(given: dict[str, Any], schedule: Schedule | None = None) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        _save(schedule, given)
    return {error.field: error.detail for error in caught.value.errors}


def test_a_new_schedule_is_taken_with_its_past_and_written_as_it_came() -> None:
    cover = {"start": "2026-11-10T00:00:00Z", "end": "2026-11-11T00:00:00Z", "user": "dee", "replaces": "bob"}
    team = Team.objects.create(name="Crew")
    schedule = _save(None, {**CORE, "team": "Crew", "overrides": [cover]})
    assert [_on_call(schedule, NOW - n * WEEK) for n in (0, 1, 2, 3)] == ["cyd", "bob", "ann", None]
    assert _on_call(schedule, datetime.fromisoformat("2026-11-10T12:00:00+00:00")) == "dee"
    written = scheduling.as_document(schedule, NOW)
    assert written == {**CORE, "team": team.name, "overrides": []}


def test_people_and_teams_may_be_named_by_id(people: dict[str, User]) -> None:
    team = Team.objects.create(name="Crew")
    schedule = _save(None, {**CORE, "team": str(team.uuid), **_layers(str(people["ann"].uuid).upper())})
    assert schedule.team == team
    assert scheduling.as_document(schedule, NOW)["layers"][0]["users"] == ["ann"]


def test_the_person_on_call_keeps_the_turn_and_the_past_stays(told: list[tuple[str, datetime]]) -> None:
    schedule = _save(None, CORE)
    before = shifts.shifts(schedule, NOW - 5 * WEEK, NOW)
    _save(schedule, _layers("dee", "cyd", "ann"))
    assert shifts.shifts(schedule, NOW - 5 * WEEK, NOW) == before
    assert [_on_call(schedule, NOW + n * WEEK) for n in range(4)] == ["cyd", "ann", "dee", "cyd"]
    assert told == [("Core", NOW), ("Core", NOW)]
    assert Layer.objects.filter(schedule=schedule).count() == 2
    assert len(set(Layer.objects.values_list("line", flat=True))) == 1


def test_saving_what_is_written_changes_nothing(told: list[tuple[str, datetime]]) -> None:
    schedule = _save(None, CORE)
    cover = {"start": write_instant(NOW), "end": write_instant(NOW + DAY), "user": "dee"}
    _save(schedule, {**_layers("dee", "cyd", "ann"), "overrides": [cover]})
    rows = list(Layer.objects.values()), list(Override.objects.values())
    del told[:]
    for now in (NOW, NOW + HOUR):
        _save(schedule, scheduling.as_document(schedule, now), now)
        _save(schedule, {**_layers("dee", "cyd", "ann"), "overrides": [cover]}, now)
        _save(schedule, {}, now)
    assert (list(Layer.objects.values()), list(Override.objects.values())) == rows
    assert told == []


def test_a_changed_zone_keeps_wall_times_and_the_person() -> None:
    schedule = _save(None, CORE)
    _save(schedule, {"time_zone": "America/New_York"})
    assert _on_call(schedule, NOW) == "cyd"
    monday = datetime.fromisoformat("2026-11-23T09:00:00-05:00")
    assert [_on_call(schedule, monday - HOUR), _on_call(schedule, monday)] == ["cyd", "ann"]
    assert set(Layer.objects.values_list("time_zone", flat=True)) == {"Europe/Riga", "America/New_York"}
    assert _on_call(schedule, datetime.fromisoformat("2026-11-16T09:00:00+02:00")) == "cyd"  # its past is in Riga


def test_a_new_layer_has_no_past_and_a_removed_one_keeps_its() -> None:
    schedule = _save(None, CORE)
    top = {"users": ["dee"], **WEEKLY}
    _save(schedule, {"layers": [*CORE["layers"], top]})
    assert [_on_call(schedule, NOW - HOUR), _on_call(schedule, NOW)] == ["cyd", "dee"]
    _save(schedule, {"layers": CORE["layers"]}, NOW + DAY)
    assert [_on_call(schedule, NOW + HOUR), _on_call(schedule, NOW + DAY)] == ["dee", "cyd"]


def test_renaming_moves_nobody(told: list[tuple[str, datetime]]) -> None:
    schedule = _save(None, CORE)
    del told[:]
    assert _save(schedule, {"name": "Centre"}).name == "Centre"
    assert Layer.objects.count() == 1
    assert told == []


def test_foresee_says_what_save_would_do_and_stores_nothing() -> None:
    schedule = _save(None, CORE)
    given = {**_layers("dee", "cyd"), "overrides": []}
    before, after = scheduling.foresee(schedule, given, by=None, now=NOW)
    seen = [
        [one.person(shift.user) for shift in definition.shifts(one.definition, NOW, NOW + 4 * WEEK)]
        for one in (before, after)
    ]
    assert Layer.objects.count() == 1
    assert seen[0] == [shift.user for shift in shifts.shifts(schedule, NOW, NOW + 4 * WEEK)]
    _save(schedule, given)
    assert seen[1] == [shift.user for shift in shifts.shifts(schedule, NOW, NOW + 4 * WEEK)]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({**CORE, "name": None}, "name"),
        ({**CORE, "name": "Other"}, "name"),
        ({**CORE, "team": "Nobody's"}, "team"),
        ({**CORE, "team": 7}, "team"),
        ({**CORE, "inactive": []}, "inactive"),
        ({**CORE, "title": "x"}, "title"),
        ({**CORE, **_layers("ann", "zoe")}, "layers.0.users.1"),
        ({**CORE, "time_zone": "Riga"}, "time_zone"),
        (
            {**CORE, "overrides": [{"start": "2026-11-10T00:00:00Z", "end": "2026-11-11T00:00:00Z", "user": "zoe"}]},
            "overrides.0.user",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(given: dict[str, Any], field: str) -> None:
    make_schedule("Other")
    assert list(_fields(given)) == [field]
    assert Schedule.objects.count() == 1


def test_everything_wrong_is_said_at_once() -> None:
    given = {**CORE, "name": "", "team": "x", "inactive": [], **_layers("zoe"), "time_zone": "Riga"}
    assert {"name", "team", "inactive", "time_zone"} <= _fields(given).keys()


def test_overrides_of_a_document_are_made_ended_and_deleted() -> None:
    running = {"start": write_instant(NOW - HOUR), "end": write_instant(NOW + HOUR), "user": "ann"}
    to_come = {"start": write_instant(NOW + DAY), "end": write_instant(NOW + 2 * DAY), "user": None}
    over = {"start": write_instant(NOW - DAY), "end": write_instant(NOW - 20 * HOUR), "user": "ann"}
    schedule = _save(None, {**CORE, "overrides": [running, to_come, over]})
    new = {"start": write_instant(NOW + 3 * DAY), "end": write_instant(NOW + 4 * DAY), "user": "dee"}
    _save(schedule, {"overrides": [new, over]})
    assert [_on_call(schedule, NOW + by) for by in (-HOUR, timedelta(), DAY, 3 * DAY)] == ["ann", "cyd", "cyd", "dee"]
    assert _on_call(schedule, NOW - DAY) == "ann"
    assert Override.objects.count() == 3


def test_cover_me_now_begins_now(people: dict[str, User], told: list[tuple[str, datetime]]) -> None:
    schedule = make_schedule("Core", people["ann"])
    row = scheduling.add_override(schedule, start=NOW - HOUR, end=NOW + HOUR, user=people["bob"], by=None, now=NOW)
    assert row.start == NOW
    assert [_on_call(schedule, NOW - HOUR), _on_call(schedule, NOW)] == ["ann", "bob"]
    assert told == [("Core", NOW)]


def test_the_last_created_override_wins_and_a_swap_follows_the_rota_r10_r13(people: dict[str, User]) -> None:
    schedule = make_schedule("Core", people["ann"])

    def cover(user: User | None, replaces: User | None = None) -> None:
        scheduling.add_override(schedule, start=NOW, end=NOW + DAY, user=user, replaces=replaces, by=None, now=NOW)

    cover(people["bob"])
    cover(people["cyd"], people["ann"])
    assert _on_call(schedule, NOW) == "bob"  # ann is not on call any more: nothing to replace
    cover(None)
    assert _on_call(schedule, NOW) is None


@pytest.mark.parametrize(
    ("start", "end", "user", "field"),
    [
        (-2 * HOUR, -HOUR, "bob", "end"),
        (-2 * HOUR, timedelta(), "bob", "end"),
        (2 * HOUR, HOUR, "bob", "end"),
        (HOUR, timedelta(days=400), "bob", "end"),
        (HOUR, 2 * HOUR, "dee", "user"),  # deactivated: R11 would skip it
    ],
)
def test_an_override_that_is_refused(
    people: dict[str, User], start: timedelta, end: timedelta, user: str, field: str
) -> None:
    schedule = make_schedule("Core", people["ann"])
    people["dee"].is_active = False
    with pytest.raises(Invalid) as caught:
        scheduling.add_override(schedule, start=NOW + start, end=NOW + end, user=people[user], by=None, now=NOW)
    assert [error.field for error in caught.value.errors] == [field]
    assert not Override.objects.exists()


def test_an_override_from_a_document(people: dict[str, User]) -> None:
    schedule = make_schedule("Core", people["ann"])
    given = {"start": write_instant(NOW), "end": write_instant(NOW + DAY), "user": "bob", "replaces": "ann"}
    row = scheduling.add_override_document(schedule, given, by=None, now=NOW)
    assert (row.user, row.replaces, row.created_by) == (people["bob"], people["ann"], None)
    with pytest.raises(Invalid) as caught:
        scheduling.add_override_document(schedule, {**given, "user": "zoe", "replaces": "yan"}, by=None, now=NOW)
    assert [error.field for error in caught.value.errors] == ["user", "replaces"]
    with pytest.raises(Invalid) as caught:
        scheduling.add_override_document(schedule, {"user": "bob", "end": "soon"}, by=None, now=NOW)
    assert [error.field for error in caught.value.errors] == ["start", "end"]


def _cover(people: dict[str, User], start: timedelta, end: timedelta) -> Override:
    return Override.objects.create(
        schedule=make_schedule("Core", people["ann"]), start=NOW + start, end=NOW + end, user=people["bob"]
    )


def test_one_that_runs_is_ended_and_what_it_covered_stays_r14(
    people: dict[str, User], told: list[tuple[str, datetime]]
) -> None:
    row = _cover(people, -HOUR, HOUR)
    with pytest.raises(Conflict, match="End it now"):
        scheduling.delete_override(row, by=None, now=NOW)
    scheduling.end_override(row, by=None, now=NOW)
    assert [_on_call(row.schedule, NOW - HOUR), _on_call(row.schedule, NOW)] == ["bob", "ann"]
    assert told == [("Core", NOW)]


def test_one_to_come_is_deleted_r14(people: dict[str, User]) -> None:
    row = _cover(people, HOUR, 2 * HOUR)
    with pytest.raises(Conflict, match="Delete it"):
        scheduling.end_override(row, by=None, now=NOW)
    scheduling.delete_override(row, by=None, now=NOW)
    assert not Override.objects.exists()


def test_one_that_is_over_is_not_changed_r14(people: dict[str, User]) -> None:
    row = _cover(people, -2 * HOUR, -HOUR)
    for verb in (scheduling.end_override, scheduling.delete_override):
        with pytest.raises(Conflict, match="over"):
            verb(row, by=None, now=NOW)
    assert Override.objects.get() == row


def test_one_that_begins_this_instant_leaves_no_trace_when_ended_r14(people: dict[str, User]) -> None:
    scheduling.end_override(_cover(people, timedelta(), HOUR), by=None, now=NOW)
    assert not Override.objects.exists()


def test_who_may_override_r15(people: dict[str, User]) -> None:
    crew = Team.objects.create(name="Crew")
    schedule = make_schedule("Core", people["ann"])
    schedule.team = crew
    schedule.save()
    Membership.objects.create(team=crew, user=people["bob"])
    Membership.objects.create(team=crew, user=people["cyd"], manager=True)
    for person in people.values():
        give(person, ["responder"])

    def may(by: User, user: User | None) -> bool:
        try:
            scheduling.add_override(schedule, start=NOW, end=NOW + DAY, user=user, by=by, now=NOW)
        except PermissionDenied:
            return False
        return True

    ann, bob, cyd, dee = (people[name] for name in ("ann", "bob", "cyd", "dee"))
    assert [may(ann, ann), may(ann, bob), may(ann, None)] == [True, False, False]  # has a turn
    assert [may(bob, bob), may(bob, ann)] == [True, False]  # in the team
    assert [may(cyd, dee), may(cyd, None)] == [True, True]  # manages the team
    assert [may(dee, dee), may(dee, ann)] == [False, False]  # a stranger
    assert may(make_admin(), None)


def test_a_schedule_in_use_is_not_deleted(people: dict[str, User]) -> None:
    schedule = make_schedule("Core", people["ann"])
    policy = make_policy((schedule, 5), name="Climb")
    with pytest.raises(Conflict, match="Climb") as caught:
        scheduling.delete(schedule)
    assert caught.value.facts == {"used_by": ["Climb"]}
    policy.delete()
    scheduling.delete(schedule)
    assert not Schedule.objects.exists()

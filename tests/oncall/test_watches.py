"""Who is on call, until when, who is next, and where nobody is."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oncall.models import Override, Schedule
from oncall.watches import AHEAD, turns, watches
from tests.factories import make_schedule, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 4, 12, tzinfo=UTC)  # a Wednesday
MONDAY = datetime(2026, 11, 9, 9, tzinfo=UTC)


def weekly(name: str, *people: object) -> Schedule:
    return make_schedule(name, *people, anchor="2026-11-02T09:00")  # type: ignore[arg-type]


def test_the_next_one_is_who_differs_not_who_comes_by_another_source() -> None:
    ann, bob = make_user("ann"), make_user("bob")
    schedule = weekly("Core", ann, bob)
    Override.objects.create(schedule=schedule, start=NOW, end=NOW + timedelta(hours=2), user=ann)
    watch = watches([schedule], NOW)[schedule.pk]
    assert (watch.user, watch.until, watch.then, watch.gaps) == (ann, MONDAY, bob, ())


def test_a_gap_now_and_the_gaps_to_come() -> None:
    ann = make_user("ann")
    schedule = weekly("Core", None, ann)
    watch = watches([schedule], NOW)[schedule.pk]
    assert (watch.user, watch.until, watch.then) == (None, MONDAY, ann)
    assert [start for start, _ in watch.gaps] == [NOW, MONDAY + timedelta(days=7), MONDAY + timedelta(days=21)]


def test_somebody_who_is_always_on_call_has_no_end_and_no_next() -> None:
    ann = make_user("ann")
    schedule = weekly("Core", ann)
    watch = watches([schedule], NOW)[schedule.pk]
    assert (watch.user, watch.until, watch.then) == (ann, None, None)


def test_turns_of_one_person_over_all_schedules_soonest_first() -> None:
    ann, bob = make_user("ann"), make_user("bob")
    core, shop = weekly("Core", bob, ann), weekly("Shop", bob)
    cover = Override.objects.create(
        schedule=shop, start=NOW + timedelta(hours=1), end=NOW + timedelta(hours=3), user=ann
    )
    found = turns(ann, Schedule.objects.all(), NOW, NOW + timedelta(days=14))
    assert [(turn.schedule, turn.start, turn.end) for turn in found] == [
        (shop, cover.start, cover.end),
        (core, MONDAY, MONDAY + timedelta(days=7)),
    ]


def test_the_queries_do_not_grow_with_the_schedules() -> None:
    ann, bob = make_user("ann"), make_user("bob")
    many = [weekly(f"S{n}", ann, bob) for n in range(7)]
    counts = []
    for rows in (many[:1], many):
        with CaptureQueriesContext(connection) as asked:
            assert len(watches(rows, NOW)) == len(rows)
        counts.append(len(asked))
    assert counts[0] == counts[1]
    with CaptureQueriesContext(connection) as asked:
        assert len(turns(ann, Schedule.objects.all(), NOW, NOW + AHEAD)) == 7 * 3
    assert len(asked) <= 5

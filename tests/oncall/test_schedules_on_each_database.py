"""A schedule's life on SQLite and on PostgreSQL: made, edited, covered, asked."""

from datetime import timedelta

import pytest

from config.problems import Conflict
from oncall import policies, scheduling, shifts
from tests.factories import T0, make_user

WEEK = timedelta(weeks=1)


def test_a_schedules_life(each_database: str) -> None:
    ann, bob, cyd = make_user("ann"), make_user("bob"), make_user("cyd")
    rota = {"rotation": {"unit": "week", "length": 1}, "anchor": "2026-11-16T09:00"}
    given = {"name": "Core", "time_zone": "Europe/Riga", "layers": [{"users": ["ann", "bob", None], **rota}]}
    schedule = scheduling.save(None, given, by=None, now=T0)
    scheduling.save(schedule, {"layers": [{"users": ["cyd", "ann"], **rota}]}, by=None, now=T0)
    cover = scheduling.add_override(schedule, start=T0, end=T0 + WEEK, user=bob, replaces=cyd, by=None, now=T0)
    found = [shift.user for shift in shifts.shifts(schedule, T0 - WEEK, T0 + 2 * WEEK)]
    assert found == [None, ann, bob, cyd, ann]
    scheduling.end_override(cover, by=None, now=T0 + WEEK / 2)
    assert shifts.on_call_many([schedule], T0 + WEEK / 2) == {schedule.pk: cyd}

    policy = policies.save(None, {"name": "Climb", "steps": [{"targets": [{"schedule": "Core"}]}]}, by=None, now=T0)
    assert policies.as_sentences(policy, T0)[0].text == "At once: whoever is on call in Core (now Ann)"
    with pytest.raises(Conflict):
        scheduling.delete(schedule)

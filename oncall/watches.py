"""Who is on call on each schedule, until when, and who comes next; when nobody is; and one person's own turns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from oncall import definition, shifts
from oncall.definition import Shift
from oncall.models import Schedule, User

AHEAD = timedelta(days=30)


@dataclass(frozen=True)
class Watch:
    """A schedule at one instant. None for `until`: nothing changes in the 30 days that are looked at."""

    user: User | None
    until: datetime | None  # somebody else, or nobody, is on call from then on
    then: User | None
    gaps: tuple[tuple[datetime, datetime], ...]  # within 30 days, the present one included


@dataclass(frozen=True)
class Turn:
    """A time that somebody is on call without a break."""

    schedule: Schedule
    start: datetime
    end: datetime


def watches(schedules: Iterable[Schedule], now: datetime) -> dict[int, Watch]:
    """Return each schedule's watch by pk. The queries do not grow with the schedules."""
    found = {}
    for pk, known in shifts.load(schedules, now, now + AHEAD).items():
        spans = merged(definition.shifts(known.definition, now, now + AHEAD))
        following = spans[1] if len(spans) > 1 else None
        found[pk] = Watch(
            user=known.person(spans[0].user),
            until=following.start if following else None,
            then=known.person(following.user) if following else None,
            gaps=tuple((span.start, span.end) for span in spans if span.user is None),
        )
    return found


def turns(user: User, schedules: QuerySet[Schedule], start: datetime, end: datetime) -> list[Turn]:
    """Return when a person is on call in [start, end) on any of these schedules, soonest first."""
    theirs = schedules.filter(
        Q(layers__participants__user=user) | Q(overrides__user=user, overrides__end__gt=start)
    ).distinct()
    rows = {schedule.pk: schedule for schedule in theirs}
    found = [
        Turn(rows[pk], span.start, span.end)
        for pk, known in shifts.load(rows.values(), start, end).items()
        for span in merged(definition.shifts(known.definition, start, end))
        if span.user == str(user.pk)
    ]
    return sorted(found, key=lambda turn: (turn.start, turn.schedule.name))


def merged(spans: Sequence[Shift[str]]) -> list[Shift[str]]:
    """Return the shifts with neighbours of one person as one, whatever their source."""
    found: list[Shift[str]] = []
    for span in spans:
        if found and found[-1].user == span.user:
            found[-1] = Shift(found[-1].start, span.end, span.user, found[-1].source)
        else:
            found.append(span)
    return found

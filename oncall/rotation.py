"""Whose turn it is: wall-clock turns in a named zone, and the instants at which they are handed over. Pure.

The rules R2 to R5. Wall time becomes an instant as RFC 5545 3.3.5 and PEP 495 (fold=0) say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

EARLIEST = datetime(2, 1, 1, tzinfo=UTC)  # what lies beyond is taken for these: no zone can push them off the calendar
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
LARGEST_JUMP = timedelta(hours=27)  # no clock was ever set by more: Apia and Manila left out a whole day


class Unit(StrEnum):
    """What the length of a turn is counted in, on the wall clock."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


STEPS = {Unit.HOUR: timedelta(hours=1), Unit.DAY: timedelta(days=1), Unit.WEEK: timedelta(weeks=1)}


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) at which clocks in the zone show this naive time (R3).

    A time that is skipped is read with the offset before the gap, so 02:30 becomes 03:30; of two, the first counts.
    """
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    """Return what clocks in the zone show at this instant, as a naive time."""
    return min(max(at, EARLIEST), LATEST).astimezone(zone).replace(tzinfo=None, fold=0)


@dataclass(frozen=True)
class Rotation:
    """Turns of `length` units each, numbered by k; turn 0 begins at the anchor, earlier ones are negative."""

    zone: ZoneInfo
    unit: Unit
    length: int
    anchor: datetime  # naive

    def wall_start(self, k: int) -> datetime:
        """Return the naive time at which turn k begins (R2, R5). Raises OverflowError beyond the years 1 to 9999."""
        if self.unit is not Unit.MONTH:
            return self.anchor + k * self.length * STEPS[self.unit]
        year, month = divmod(self.anchor.year * 12 + self.anchor.month - 1 + k * self.length, 12)
        if not 1 <= year <= 9999:
            raise OverflowError(f"year {year}")
        return self.anchor.replace(year=year, month=month + 1, day=min(self.anchor.day, _last_day(year, month + 1)))

    def boundary(self, k: int) -> datetime:
        """Return the instant at which turn k begins."""
        try:
            start = self.wall_start(k)
        except OverflowError:
            return LATEST if k > 0 else EARLIEST
        if not EARLIEST.year <= start.year <= LATEST.year:
            return LATEST if k > 0 else EARLIEST
        return instant(start, self.zone)

    def turn_at(self, at: datetime) -> int:
        """Return the greatest k that has begun at this instant (R4). Looks at a few k, however old the anchor is."""
        near, margin = self._near(at), self._margin()
        at = max(at, EARLIEST)
        return next(k for k in range(near + margin, near - margin - 1, -1) if self.boundary(k) <= at)

    def turns(self, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
        """Return the turns that hold any part of [start, end) as (from when, k), in order, the first at `start`.

        A turn that a jump of the clock leaves without length is not among them.
        """
        k = self.turn_at(start)
        turns = [(start, k)]
        begun = sorted((self.boundary(j), j) for j in range(k + 1, self._near(end) + self._margin() + 1))
        for at, j in begun:
            if at >= end:
                break
            if j < k:
                continue  # a later turn has begun already
            k = j
            if turns[-1][0] == at:
                turns.pop()
            turns.append((at, k))
        return turns

    def _near(self, at: datetime) -> int:
        """Return the k that would be held if clocks were never set: at most `_margin` away from the truth."""
        here = wall(at, self.zone)
        if self.unit is Unit.MONTH:
            return ((here.year - self.anchor.year) * 12 + here.month - self.anchor.month) // self.length
        return (here - self.anchor) // (STEPS[self.unit] * self.length)

    def _margin(self) -> int:
        if self.unit is Unit.MONTH:
            return 3
        return LARGEST_JUMP // (STEPS[self.unit] * self.length) + 2


def whose(users: Sequence[str | None], k: int) -> str | None:
    """Return who holds turn k; None if it is vacant. The modulus is never negative: turns go back, too (R6)."""
    return users[k % len(users)]


def _last_day(year: int, month: int) -> int:
    if month == 12:
        return 31
    return (datetime(year, month + 1, 1) - timedelta(days=1)).day  # noqa: DTZ001  # a day of the calendar

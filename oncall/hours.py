"""Windows on the wall clock, daily or weekly: is an instant inside, and when are they open? Pure. Rule R7."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from oncall.rotation import instant, wall

Span = tuple[datetime, datetime]  # [from, until), both instants
DAY = timedelta(days=1)
MOMENT = timedelta.resolution


@dataclass(frozen=True)
class Window:
    """From one wall time to another, each day, or from a weekday's to a weekday's (0 is Monday).

    An end at or before its start is that of the next day or week; equal ends are 24 hours or the whole week.
    """

    start: time
    end: time
    start_day: int | None = None
    end_day: int | None = None

    @property
    def weekly(self) -> bool:
        """Whether it opens once a week."""
        return self.start_day is not None

    def on(self, day: date, zone: ZoneInfo) -> Span | None:
        """Return the span that begins on this local date; None if it is not its weekday, or a gap leaves nothing."""
        if self.start_day is None or self.end_day is None:
            days = 1 if self.end <= self.start else 0
        elif day.weekday() != self.start_day:
            return None
        else:
            days = (self.end_day - self.start_day) % 7
            if days == 0 and self.end <= self.start:
                days = 7
        begins = instant(datetime.combine(day, self.start), zone)
        ends = instant(datetime.combine(day + days * DAY, self.end), zone)
        return (begins, ends) if begins < ends else None

    def spans(self, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Span]:
        """Yield the spans that touch [start, end), in order of their dates."""
        reach = 10 if self.weekly else 4  # its own length, and a day for a clock that leaves out a date
        day, last = wall(start, zone).date() - reach * DAY, wall(end, zone).date() + 2 * DAY
        while day <= last:
            span = self.on(day, zone)
            if span and span[0] < end and span[1] > start:
                yield span
            day += DAY


def is_open(windows: Sequence[Window], zone: ZoneInfo, at: datetime) -> bool:
    """Say whether an instant is inside any of the windows."""
    return any(True for window in windows for _ in window.spans(zone, at, at + MOMENT))


def open_spans(windows: Sequence[Window], zone: ZoneInfo, start: datetime, end: datetime) -> list[Span]:
    """Return when any of the windows is open within [start, end): in order, apart from each other, cut to the range."""
    found = sorted(span for window in windows for span in window.spans(zone, start, end))
    merged: list[Span] = []
    for begins, ends in found:
        begins, ends = max(begins, start), min(ends, end)
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return merged

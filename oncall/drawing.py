"""The timeline of a schedule as a drawing: rows of bars in percent of the width, for a page to show. Pure.

One row a layer, one for the overrides if there are any, and the final row, in which nobody's time is a gap.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from oncall.definition import Definition, Layer, Override, Shift, shifts
from oncall.rotation import instant, wall

DAY = timedelta(days=1)
NARROW_PERCENT = 4.0  # a bar below this has no room for a name
HUES = 12


@dataclass(frozen=True)
class Bar:
    """One time [start, end) of a row. `hue` is the person's, 0 to 11, the same in all rows; a gap has none."""

    left: float  # percent of the width
    width: float
    start: datetime
    end: datetime
    user: str | None
    label: str  # the person's name, "nobody" where it is a gap
    source: str | None
    hue: int | None
    cut_left: bool = False  # began before the drawing
    cut_right: bool = False

    @property
    def gap(self) -> bool:
        """Whether nobody is on call."""
        return self.user is None

    @property
    def narrow(self) -> bool:
        """Whether it has no room for its label."""
        return self.width < NARROW_PERCENT


@dataclass(frozen=True)
class Row:
    """A line of bars. `kind`: "layer", "overrides" or "final"."""

    kind: str
    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Tick:
    """A local midnight, where a date begins."""

    left: float
    width: float
    day: date

    @property
    def weekend(self) -> bool:
        """Whether it is a Saturday or Sunday."""
        return self.day.weekday() > 4


@dataclass(frozen=True)
class ClockChange:
    """Where the clocks of the zone are set, and how: "clocks go forward 1 h"."""

    left: float
    at: datetime
    label: str


@dataclass(frozen=True)
class Drawing:
    """The whole picture of [start, end)."""

    start: datetime
    end: datetime
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    changes: tuple[ClockChange, ...]
    now: float | None  # where the line of the present stands; None: not in the picture

    @property
    def gaps(self) -> tuple[Bar, ...]:
        """The times with nobody on call."""
        return tuple(bar for bar in self.rows[-1].bars if bar.gap)


def span(first: date, days: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the instants between which a drawing of `days` local dates from `first` lies: what has to be loaded."""
    start = datetime.combine(first, datetime.min.time())
    return instant(start, zone), instant(start + days * DAY, zone)


def draw(
    schedule: Definition,
    first: date,
    days: int,
    *,
    zone: ZoneInfo,
    now: datetime,
    names: Mapping[str, str] | None = None,
) -> Drawing:
    """Return the drawing of `days` local dates of the zone from `first`. `names`: how the users are called."""
    scale = _Scale(*span(first, days, zone), _hues(schedule), names or {})
    rows = [_layer_row(scale, schedule, source, layers) for source, layers in _lines(schedule.layers)]
    covers = [one for one in schedule.overrides if one.start < scale.end and one.end > scale.start]
    if covers:
        rows.append(Row("overrides", "Overrides", tuple(scale.bar(_as_shift(one)) for one in covers)))
    final = shifts(schedule, scale.start, scale.end)
    rows.append(Row("final", "On call", tuple(scale.bar(shift) for shift in final)))
    here = scale.left(now) if scale.start <= now < scale.end else None
    return Drawing(scale.start, scale.end, tuple(rows), _ticks(scale, first, days, zone), _changes(scale, zone), here)


@dataclass(frozen=True)
class _Scale:
    start: datetime
    end: datetime
    hues: Mapping[str, int]
    names: Mapping[str, str]

    def left(self, at: datetime) -> float:
        return round((at - self.start) / (self.end - self.start) * 100, 4)

    def bar(self, shift: Shift[str]) -> Bar:
        start, end = max(shift.start, self.start), min(shift.end, self.end)
        user = shift.user
        return Bar(
            left=self.left(start),
            width=round(self.left(end) - self.left(start), 4),
            start=shift.start,
            end=shift.end,
            user=user,
            label="nobody" if user is None else self.names.get(user, user),
            source=shift.source,
            hue=None if user is None else self.hues[user],
            cut_left=shift.start < self.start,
            cut_right=shift.end > self.end,
        )


def _lines(layers: Sequence[Layer]) -> list[tuple[str, list[Layer]]]:
    """Return the layers by what they are called: the generations of one share a row."""
    lines: dict[str, list[Layer]] = {}
    for layer in layers:
        lines.setdefault(layer.source, []).append(layer)
    return list(lines.items())


def _layer_row(scale: _Scale, schedule: Definition, source: str, layers: Sequence[Layer]) -> Row:
    alone = Definition(tuple(layers), inactive=schedule.inactive)
    bars = (scale.bar(shift) for shift in shifts(alone, scale.start, scale.end) if shift.user is not None)
    return Row("layer", source, tuple(bars))


def _as_shift(one: Override) -> Shift[str]:
    return Shift(one.start, one.end, one.user, one.id)


def _hues(schedule: Definition) -> dict[str, int]:
    users: Iterable[str | None] = [user for layer in schedule.layers for user in layer.users]
    named = [*users, *(one.user for one in schedule.overrides)]
    return {user: place % HUES for place, user in enumerate(dict.fromkeys(u for u in named if u is not None))}


def _ticks(scale: _Scale, first: date, days: int, zone: ZoneInfo) -> tuple[Tick, ...]:
    found = []
    for day in (first + n * DAY for n in range(days)):
        start, end = span(day, 1, zone)
        if start < end:  # a date that a zone left out has no place
            found.append(Tick(scale.left(start), round(scale.left(end) - scale.left(start), 4), day))
    return tuple(found)


def _changes(scale: _Scale, zone: ZoneInfo) -> tuple[ClockChange, ...]:
    """Return where the zone's offset changes: looked for hour by hour, then to the minute."""
    found = []
    at = scale.start
    while at < scale.end:
        end = min(at + timedelta(hours=1), scale.end)
        if _offset(at, zone) != _offset(end, zone):
            moment = at
            while _offset(moment, zone) == _offset(at, zone):
                moment += timedelta(minutes=1)
            if moment < scale.end:
                found.append(ClockChange(scale.left(moment), moment, _set(_offset(moment, zone) - _offset(at, zone))))
        at = end
    return tuple(found)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return wall(at, zone) - at.replace(tzinfo=None)


def _set(by: timedelta) -> str:
    minutes = int(abs(by).total_seconds()) // 60
    length = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
    return f"clocks go {'forward' if by > timedelta() else 'back'} {length}"

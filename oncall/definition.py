"""A schedule as a value, and what follows from it: who is on call at an instant, and the shifts of a range. Pure.

Users are opaque words. The rules R6 and R8 to R12: layers, then overrides in order of creation; one person or nobody.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from oncall.hours import Span, Window, is_open, open_spans
from oncall.rotation import LATEST, Rotation, whose

LOOK_AHEAD = timedelta(days=365)  # a change that is farther away is not looked for
HORIZONS = (timedelta(days=1), timedelta(days=8), timedelta(days=64), LOOK_AHEAD)

P = TypeVar("P")


@dataclass(frozen=True)
class OnCall(Generic[P]):
    """Who is on call, by which layer or override, and when that changes next; None if not within a year."""

    user: P | None
    until: datetime | None
    source: str | None


@dataclass(frozen=True)
class Shift(Generic[P]):
    """A longest time [start, end) with one person from one source. A gap has a source only if an override made it."""

    start: datetime
    end: datetime
    user: P | None
    source: str | None


@dataclass(frozen=True)
class Layer:
    """A rotation with its people, when it counts and in which windows. It hands over in its own zone."""

    users: tuple[str | None, ...]  # None: a vacant turn
    rotation: Rotation
    windows: tuple[Window, ...] = ()
    effective_from: datetime | None = None  # None: from the anchor
    effective_until: datetime | None = None
    name: str = ""
    position: int = 0  # later wins; also what a layer without a name is called by

    @property
    def source(self) -> str:
        """What an answer calls this layer: "layer 1", or its name."""
        return self.name or f"layer {self.position + 1}"

    @property
    def begins(self) -> datetime:
        """The instant from which it counts (R6)."""
        return self.effective_from or self.rotation.boundary(0)

    def counts_at(self, at: datetime) -> bool:
        """Whether an instant lies in its validity."""
        return self.begins <= at and (self.effective_until is None or at < self.effective_until)

    def holder(self, at: datetime) -> str | None:
        """Return whose turn it is, or None: not valid, outside its windows, or a vacant turn."""
        if not self.counts_at(at) or (self.windows and not is_open(self.windows, self.rotation.zone, at)):
            return None
        return whose(self.users, self.rotation.turn_at(at))

    def changes(self, start: datetime, end: datetime) -> list[tuple[datetime, str | None]]:
        """Return each (instant, holder from then on) in [start, end) at which its holder changes."""
        begins = max(start, self.begins)
        ends = min(end, self.effective_until or end)
        if begins >= ends:
            return []
        turns = self._turns(begins, ends)
        found: list[tuple[datetime, str | None]] = []
        for opens, closes in self._open(begins, ends):
            first = bisect_right(turns, opens, key=lambda turn: turn[0]) - 1
            for at, user in turns[first:]:
                if at >= closes:
                    break
                found.append((max(at, opens), user))
            found.append((closes, None))
        return found

    def _turns(self, begins: datetime, ends: datetime) -> list[tuple[datetime, str | None]]:
        if len(set(self.users)) == 1:
            return [(begins, self.users[0])]
        return [(at, whose(self.users, k)) for at, k in self.rotation.turns(begins, ends)]

    def _open(self, begins: datetime, ends: datetime) -> list[Span]:
        return open_spans(self.windows, self.rotation.zone, begins, ends) if self.windows else [(begins, ends)]


@dataclass(frozen=True)
class Override:
    """A dated replacement. user None: nobody is on call. `replaces`: only while the answer so far is this person."""

    id: str
    start: datetime
    end: datetime
    user: str | None
    replaces: str | None = None


@dataclass(frozen=True)
class Inactive:
    """A time in which a person is switched off; end None: still."""

    user: str
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True)
class Definition:
    """A whole schedule: layers, the winning one last, overrides in order of creation, and who was switched off when."""

    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()
    inactive: tuple[Inactive, ...] = ()
    time_zone: str = field(default="UTC", compare=False)  # for people to read; each layer has its own

    def active(self, user: str, at: datetime) -> bool:
        """Whether a person is not switched off at this instant."""
        return not any(
            gone.user == user and gone.start <= at and (gone.end is None or at < gone.end) for gone in self.inactive
        )


Answer = tuple[str | None, str | None]  # the user and the source


def who(definition: Definition, at: datetime) -> Answer:
    """Return (user, source) at an instant: the cheap answer, without the next change."""
    return _answer(definition, at, lambda place: definition.layers[place].holder(at))


def on_call(definition: Definition, at: datetime) -> OnCall[str]:
    """Return who is on call at an instant, by what, and until when."""
    user, source = who(definition, at)
    return OnCall(user, _next_change(definition, at, (user, source)), source)


def shifts(definition: Definition, start: datetime, end: datetime) -> list[Shift[str]]:
    """Return the shifts of [start, end), cut to it. They tile it; where nobody is on call a shift has no user."""
    if start >= end:
        return []
    changes = [layer.changes(start, end) for layer in definition.layers]
    waiting = sorted((at, place, user) for place, found in enumerate(changes) for at, user in _in_order(found))
    holders: list[str | None] = [None] * len(definition.layers)
    found: list[Shift[str]] = []
    taken = 0
    for at in _edges(definition, changes, start, end):
        while taken < len(waiting) and waiting[taken][0] <= at:
            holders[waiting[taken][1]] = waiting[taken][2]
            taken += 1
        user, source = _answer(definition, at, holders.__getitem__)
        if found and (found[-1].user, found[-1].source) == (user, source):
            continue
        if found:
            found[-1] = Shift(found[-1].start, at, found[-1].user, found[-1].source)
        found.append(Shift(at, end, user, source))
    return found


def _answer(definition: Definition, at: datetime, holder: Callable[[int], str | None]) -> Answer:
    """Layers from the last down to the first that speaks, then each override on the answer so far (R8 to R11)."""
    user, source = None, None
    for place in range(len(definition.layers) - 1, -1, -1):
        held = holder(place)
        if held is not None and definition.active(held, at):
            user, source = held, definition.layers[place].source
            break
    for override in definition.overrides:
        if not override.start <= at < override.end or override.replaces not in (None, user):
            continue
        if override.user is None or definition.active(override.user, at):
            user, source = override.user, override.id
    return user, source


def _in_order(changes: Sequence[tuple[datetime, str | None]]) -> list[tuple[datetime, str | None]]:
    """Return the changes with only the last of those at one instant: a window may close as the next one opens."""
    return list(dict(changes).items())


def _edges(
    definition: Definition, changes: Sequence[Sequence[tuple[datetime, str | None]]], start: datetime, end: datetime
) -> list[datetime]:
    """Return the instants in [start, end) at which the answer may change, the start among them."""
    edges = {at for found in changes for at, _ in found}
    for override in definition.overrides:
        edges |= {override.start, override.end}
    for gone in definition.inactive:
        edges |= {gone.start} if gone.end is None else {gone.start, gone.end}
    return [start, *sorted(at for at in edges if start < at < end)]


def _next_change(definition: Definition, at: datetime, answer: Answer) -> datetime | None:
    start = at
    for horizon in HORIZONS:
        end = min(at, LATEST - horizon) + horizon
        for shift in shifts(definition, start, end):
            if (shift.user, shift.source) != answer:
                return shift.start
        start = end
    return None

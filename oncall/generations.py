"""What an edit of a schedule's layers does to their generations, so that it changes nothing before now. Pure.

A changed layer is split: the old generation ends at T, a new one begins at T, and T is never in the past. The person
whose turn it is keeps it, if still in the list. A layer that says what it said before is left alone, so saving the same
document again changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from oncall.definition import Layer
from oncall.rotation import Rotation, Unit, whose

FARTHEST_ANCHOR = 50  # turns; a yearly one on 29 February goes back 8 across the year 2100


@dataclass(frozen=True)
class Generation:
    """A layer as it stands, in force or to come. `line` is the same through all generations of one layer."""

    key: int
    line: UUID
    layer: Layer


@dataclass
class Plan:
    """What to do with the rows."""

    ended: dict[int, datetime] = field(default_factory=dict)  # key -> its new effective_until
    removed: list[int] = field(default_factory=list)  # had not begun
    added: list[tuple[UUID | None, Layer]] = field(default_factory=list)  # line (None: a new one) and layer

    @property
    def empty(self) -> bool:
        """Whether everything stays as it is."""
        return not (self.ended or self.removed or self.added)

    def applied(self, standing: Sequence[Generation]) -> tuple[Layer, ...]:
        """Return the layers as they would be afterwards, in order of position."""
        kept = [
            replace(one.layer, effective_until=self.ended.get(one.key, one.layer.effective_until))
            for one in standing
            if one.key not in self.removed
        ]
        return tuple(sorted([*kept, *(layer for _, layer in self.added)], key=lambda layer: layer.position))


def plan(standing: Sequence[Generation], wanted: Sequence[Layer], now: datetime) -> Plan:
    """Return how to come from the generations that stand to the layers that are wanted, the winning one last.

    `standing` holds every generation that does not end before `now`, in order of position and begin.
    """
    wanted = [layer for layer in wanted if layer.effective_until is None or layer.effective_until > now]
    pairs = _pairs(standing, wanted, now)
    placed = _placed(wanted, pairs)
    result = Plan()
    for place, layer in enumerate(placed):
        old = pairs.get(place)
        if old is None:
            result.added.append((None, _not_before(layer, now)))
        elif not _same(old.layer, layer, now):
            _succeed(result, old, layer, now)
    heirs = [(old.line, placed[place]) for place, old in pairs.items()]
    for one in standing:
        if one not in pairs.values():
            _leave(result, one, heirs, now)
    return result


def follow(old: Layer, new: Layer, now: datetime) -> Layer:
    """Return the new layer as it counts from `now`: whoever holds the old one's turn now holds the new one's.

    It is anchored at the wall start of the present turn. If that person is not in the list, the first has it.
    """
    person = whose(old.users, old.rotation.turn_at(now))
    k = new.rotation.turn_at(now)
    settled_old = settled(old, now)
    candidates = [_turned(new, k, first) for first, user in enumerate(new.users) if user == person]
    candidates = candidates or [_turned(new, k, 0)]
    same = (one for one in candidates if settled(one, now).users == settled_old.users)
    return replace(next(same, candidates[0]), effective_from=now)


def settled(layer: Layer, now: datetime) -> Layer:
    """Return the same layer written as from the turn at `now`: two layers that mean the same from then on are equal."""
    k = layer.rotation.turn_at(now)
    return _turned(layer, k, k % len(layer.users))


def _turned(layer: Layer, k: int, first: int) -> Layer:
    """Anchor the layer at turn k, with the list turned so that the user at `first` holds that turn."""
    rotation, count = layer.rotation, len(layer.users)
    base, start = _anchor(rotation, k)
    shift = first - (k - base)
    users = tuple(layer.users[(place + shift) % count] for place in range(count))
    return replace(layer, users=users, rotation=replace(rotation, anchor=start))


def _anchor(rotation: Rotation, k: int) -> tuple[int, datetime]:
    """Return the last turn up to k that may be an anchor, and its wall start.

    A turn that begins on the last day of a month that is too short may not: the 31st would be lost (R5).
    """
    with suppress(OverflowError):
        for base in range(k, k - FARTHEST_ANCHOR, -1):
            start = rotation.wall_start(base)
            if rotation.unit is not Unit.MONTH or start.day == rotation.anchor.day:
                return base, start
    return 0, rotation.anchor


def _pairs(standing: Sequence[Generation], wanted: Sequence[Layer], now: datetime) -> dict[int, Generation]:
    """Return place in `wanted` -> its generation: those that say the same, then those of one name, then in order."""
    pairs: dict[int, Generation] = {}
    tests: tuple[Callable[[Generation, Layer], bool], ...] = (
        lambda old, new: _same(old.layer, replace(new, position=old.layer.position), now),
        lambda old, new: bool(old.layer.name) and old.layer.name == new.name,
        lambda old, new: old.line not in {one.line for one in pairs.values()},
    )
    for test in tests:
        for place, layer in enumerate(wanted):
            left = (one for one in standing if place not in pairs and one not in pairs.values())
            found = next((one for one in left if test(one, layer)), None)
            if found is not None:
                pairs[place] = found
    return pairs


def _placed(wanted: Sequence[Layer], pairs: dict[int, Generation]) -> list[Layer]:
    """Give each layer its position: the one it has as long as they rise; generations of one line may share theirs."""
    placed = []
    last = -1
    line: UUID | None = None
    for place, layer in enumerate(wanted):
        old = pairs.get(place)
        if old is not None and old.layer.position > last:
            last = old.layer.position
        elif old is None or (old.line, old.layer.position) != (line, last):
            last += 1
        line = old.line if old is not None else None
        placed.append(replace(layer, position=last))
    return placed


def _same(old: Layer, new: Layer, now: datetime) -> bool:
    """Whether both mean the same from now on."""
    if (old.name, old.position, old.windows) != (new.name, new.position, new.windows):
        return False
    if old.effective_until != new.effective_until or max(old.begins, now) != max(new.begins, now):
        return False
    if old.begins > now:
        return (old.users, old.rotation) == (new.users, new.rotation)
    mine, its = settled(old, now), settled(follow(old, new, now), now)
    return (mine.users, mine.rotation) == (its.users, its.rotation)


def _succeed(result: Plan, old: Generation, layer: Layer, now: datetime) -> None:
    """Let a changed layer follow its old generation."""
    if old.layer.begins > now:
        result.removed.append(old.key)
        layer = _not_before(layer, now)
    elif layer.begins <= now:
        layer = follow(old.layer, layer, now)
        _end(result, old, now)
    else:
        _go_on(result, old, layer, now)
    result.added.append((old.line, layer))


def _leave(result: Plan, one: Generation, heirs: Iterable[tuple[UUID, Layer]], now: datetime) -> None:
    """End a generation that nobody speaks of, unless it ends anyway where a later one of its line takes over."""
    ends = one.layer.effective_until
    mine = (layer for line, layer in heirs if line == one.line and ends is not None and layer.begins >= ends)
    heir = next(mine, None)
    if heir is None:
        _end(result, one, now)
    else:
        _go_on(result, one, heir, now)


def _go_on(result: Plan, one: Generation, heir: Layer, now: datetime) -> None:
    """Let a generation go on until its heir begins; at the heir's place among the layers, if that is another."""
    if one.layer.position == heir.position:
        _end(result, one, heir.begins)
        return
    _end(result, one, now)
    ends = min(heir.begins, one.layer.effective_until or heir.begins)
    moved = replace(one.layer, position=heir.position, effective_from=max(one.layer.begins, now), effective_until=ends)
    result.added.append((one.line, moved))


def _end(result: Plan, one: Generation, at: datetime) -> None:
    """Let a generation count no longer than `at`."""
    if one.layer.begins >= at:
        result.removed.append(one.key)
    elif one.layer.effective_until is None or one.layer.effective_until > at:
        result.ended[one.key] = at


def _not_before(layer: Layer, now: datetime) -> Layer:
    """Return the layer so that it counts from now on only."""
    return layer if layer.begins >= now else replace(layer, effective_from=now)

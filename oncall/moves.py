"""What an edit of a schedule moves: whose shifts become others, and where it leaves nobody on call. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from oncall.definition import Definition, Shift, shifts

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Moves:
    """The difference between a schedule before and after an edit, over a range of time."""

    people: tuple[str, ...]  # users whose time on call becomes another, in order of when
    gaps: tuple[Span, ...]  # times with nobody on call that had somebody before

    @property
    def none(self) -> bool:
        """Whether everybody's time stays as it is."""
        return not (self.people or self.gaps)


def compare(before: Definition, after: Definition, start: datetime, end: datetime) -> Moves:
    """Return what becomes different in [start, end)."""
    old, new = shifts(before, start, end), shifts(after, start, end)
    edges = sorted({span.start for span in (*old, *new)} | {end})
    people: dict[str, None] = {}
    gaps: list[Span] = []
    for opens, closes in pairwise(edges):
        was, becomes = _at(old, opens), _at(new, opens)
        if was == becomes:
            continue
        people |= {user: None for user in (was, becomes) if user is not None}
        if becomes is None:
            gaps = _longer(gaps, opens, closes)
    return Moves(tuple(people), tuple(gaps))


def holes(schedule: Definition, start: datetime, end: datetime) -> tuple[Span, ...]:
    """Return the times in [start, end) with nobody on call."""
    gaps: list[Span] = []
    for span in shifts(schedule, start, end):
        if span.user is None:
            gaps = _longer(gaps, span.start, span.end)
    return tuple(gaps)


def _at(spans: Iterable[Shift[str]], at: datetime) -> str | None:
    return next(span.user for span in spans if span.start <= at < span.end)


def _longer(gaps: list[Span], opens: datetime, closes: datetime) -> list[Span]:
    if gaps and gaps[-1][1] == opens:
        return [*gaps[:-1], (gaps[-1][0], closes)]
    return [*gaps, (opens, closes)]

"""What a document names, by name or id, as rows; and what is wrong with it as a Problem."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet

from config.access import visible
from config.problems import FieldError, Invalid
from config.records import Record
from oncall.faults import Fault, Faults
from oncall.models import Schedule, Team, User

LONGEST_NAME = 100
R = TypeVar("R", bound=Record)


def people(words: Iterable[str]) -> dict[str, User]:
    """Return word -> the person with this username or id. Words that name nobody are missing."""
    return _rows(User.objects.all(), "username", words)


def teams(words: Iterable[str], by: User | None) -> dict[str, Team]:
    """Return word -> the team with this name or id, of those that `by` may know of (None: all)."""
    return _rows(_of(by, Team.objects.all()), "name", words)


def schedules(words: Iterable[str], by: User | None) -> dict[str, Schedule]:
    """Return word -> the schedule with this name or id, of those that `by` may know of (None: all)."""
    return _rows(_of(by, Schedule.objects.all()), "name", words)


def team(faults: Faults, word: Any, by: User | None) -> Team | None:
    """Return the team that a document's `team` names; None for null, and with a fault if there is no such team."""
    if word is None:
        return None
    word = faults.text(word, "team", "Send the name or id of a team, or null.", LONGEST_NAME)
    found = teams([word], by).get(word)
    if word and found is None:
        faults.add("team", no_such("team", word), "unknown")
    return found


def no_such(kind: str, word: str) -> str:
    """Return what to say of a name or id that no user, schedule or team has."""
    return f"There is no {kind} {word!r}. Send a {'username' if kind == 'user' else 'name'} or id that exists."


def as_problem(faults: Iterable[Fault]) -> Invalid:
    """Return the Problem that lists these faults."""
    return Invalid(*(FieldError(field=one.field, code=one.code, detail=one.detail) for one in faults))


def as_uuid(word: str) -> UUID | None:
    """Return the id that a word writes, or None if it is none."""
    try:
        return UUID(word)
    except ValueError:
        return None


def _of(by: User | None, rows: QuerySet[R]) -> QuerySet[R]:
    return rows if by is None else visible(by, rows)


def _rows(rows: QuerySet[R], name: str, words: Iterable[str]) -> dict[str, R]:
    wanted = set(words)
    if not wanted:
        return {}
    ids: Mapping[str, UUID] = {word: found for word in wanted if (found := as_uuid(word)) is not None}
    named = list(rows.filter(Q(**{f"{name}__in": wanted}) | Q(uuid__in=ids.values())))
    by_id = {row.uuid: row for row in named}
    by_name = {getattr(row, name): row for row in named}
    known = {word: by_name.get(word) or (by_id.get(ids[word]) if word in ids else None) for word in wanted}
    return {word: row for word, row in known.items() if row is not None}

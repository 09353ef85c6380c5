"""What a list can be narrowed by. A view names its filters; every other parameter is refused.

A parameter that is repeated gives alternatives; different parameters must all hold.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from config.pagination import PAGE_PARAMETERS, flag
from config.problems import FieldError, Invalid, invalid
from config.wire import read_instant


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A parameter that compares a column with the texts given."""

    column: str
    help: str = ""
    many: bool = False  # the column is on the far side of many rows: each row is still listed once

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition. Raises Invalid if a text cannot be compared."""
        return Q(**{f"{self.column}__in": list(texts)})

    def schema(self) -> dict[str, Any]:
        """Return the schema of one value."""
        return {"type": "string"}


@dataclass(frozen=True, kw_only=True)
class Choice(Filter):
    """One of a few words. `words` may be a callable where they are found at start."""

    words: Any = ()

    def known(self) -> list[str]:
        """Return the words."""
        found = self.words() if callable(self.words) else self.words
        return [one[0] if isinstance(one, tuple | list) else str(one) for one in found]

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition. Raises Invalid if a text is wrong."""
        for text in texts:
            if text not in self.known():
                raise invalid(name, f"{text!r} is none of: {', '.join(self.known())}.", "invalid_choice")
        return super().condition(name, texts)

    def schema(self) -> dict[str, Any]:
        """Return the schema of one value."""
        words = self.known()
        return {"type": "string", "enum": words} if words else {"type": "string"}


@dataclass(frozen=True, kw_only=True)
class Flag(Filter):
    """true or false. With `null`, true means that the column is set."""

    null: bool = False

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition. Raises Invalid if a text is wrong."""
        wanted = {flag(name, text) for text in texts}
        if self.null:
            return Q(**{f"{self.column}__isnull": not wanted.pop()}) if len(wanted) == 1 else Q()
        return Q(**{f"{self.column}__in": wanted})

    def schema(self) -> dict[str, Any]:
        """Return the schema of one value."""
        return {"type": "boolean"}


@dataclass(frozen=True, kw_only=True)
class Reference(Filter):
    """Another thing by id, or by the name it has (`by`: name, username). What does not exist matches nothing."""

    by: str = "name"

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition. Raises Invalid if a text is wrong."""
        ids = [one for one in (as_uuid(text) for text in texts) if one is not None]
        return Q(**{f"{self.column}__uuid__in": ids}) | Q(**{f"{self.column}__{self.by}__in": list(texts)})


@dataclass(frozen=True, kw_only=True)
class Ids(Filter):
    """The id of the row itself."""

    column: str = "uuid"

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition. Raises Invalid if a text is wrong."""
        ids = [as_uuid(text) for text in texts]
        if None in ids:
            raise invalid(name, "An id is a UUID.")
        return super().condition(name, [str(one) for one in ids])

    def schema(self) -> dict[str, Any]:
        """Return the schema of one value."""
        return {"type": "string", "format": "uuid"}


@dataclass(frozen=True, kw_only=True)
class Since(Filter):
    """An instant: rows at or after it (`sign` gte), or before it (lt)."""

    sign: str = "gte"

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition. Raises Invalid if a text is wrong."""
        try:
            return Q(**{f"{self.column}__{self.sign}": read_instant(texts[-1])})
        except ValueError as exc:
            raise invalid(name, str(exc)) from exc

    def schema(self) -> dict[str, Any]:
        """Return the schema of one value."""
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, kw_only=True)
class Search(Filter):
    """Words that occur in one of some columns."""

    column: str = ""
    columns: tuple[str, ...] = field(default=())

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition. Raises Invalid if a text is wrong."""
        found = Q()
        for text in texts:
            found &= Q(*[(f"{column}__icontains", text) for column in self.columns], _connector=Q.OR)
        return found


def _each_once(queryset: QuerySet[Any], condition: Q) -> Q:
    return Q(pk__in=QuerySet(queryset.model).filter(condition).values("pk"))


def as_uuid(text: str) -> uuid.UUID | None:
    """Return the UUID a text spells in its usual form, or None."""
    try:
        return uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


class NamedFilters(BaseFilterBackend):
    """Narrows a list by the view's `filters`; refuses, all at once, whatever else the query holds."""

    OWN: ClassVar[tuple[str, ...]] = PAGE_PARAMETERS

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Return the narrowed list. Raises Invalid with every parameter that is wrong."""
        filters: dict[str, Filter] = getattr(view, "filters", {})
        conditions = Q()
        wrong: list[FieldError] = []
        for name, texts in request.query_params.lists():
            if name in filters:
                try:
                    found = filters[name].condition(name, texts)
                    conditions &= _each_once(queryset, found) if filters[name].many else found
                except Invalid as exc:
                    wrong += exc.errors
        if wrong:
            raise Invalid(*wrong, what="parameter")
        return queryset.filter(conditions) if conditions else queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the filters for the schema."""
        return [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": one.help,
                "explode": True,
                "style": "form",
                "schema": {"type": "array", "items": one.schema()},
            }
            for name, one in getattr(view, "filters", {}).items()
        ]


def refuse_unknown(request: Request, known: Sequence[str], wrong: Sequence[FieldError] = ()) -> None:
    """Raise Invalid with every parameter that nobody reads or no database can hold, and those found `wrong` before."""
    unknown = [
        FieldError(
            field=name,
            code="unknown_parameter",
            detail=f"No such parameter. Known: {', '.join(sorted(known)) or 'none'}.",
        )
        for name in request.query_params
        if name not in known
    ]
    null = [
        FieldError(field=name, code="invalid", detail="Must not hold a null character.")
        for name, texts in request.query_params.lists()
        if name in known and any("\0" in text for text in texts)
    ]
    if found := [*unknown, *null, *wrong]:
        raise Invalid(*found, what="parameter")

"""Pages by keyset: a page begins after the last row of the one before, whatever was added or removed meanwhile.

The cursor is signed and holds the values of the ordering's keys and of the primary key at the page's edge, so any
number of rows with equal keys is walked once. Nulls come last in both directions. A row whose key changes between two
pages may be seen twice or not at all.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.core import signing
from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import OrderBy
from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.response import Response

from config.problems import FieldError, Invalid, Problem, invalid

SALT = "tocsin.cursor"
LARGEST, USUAL = 1000, 50
PAGE_PARAMETERS = ("cursor", "page_size", "ordering", "include_total")


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of an ordering: its public name, the column or annotation behind it, its direction."""

    name: str
    column: str
    descending: bool = False
    nullable: bool = True

    def order(self, backwards: bool) -> OrderBy:
        """Return the ORDER BY term; read backwards, everything is turned round, also where nulls stand.

        A column without nulls says nothing of them: PostgreSQL would not use its index otherwise.
        """
        nulls = {("nulls_first" if backwards else "nulls_last"): True} if self.nullable else {}
        column = F(self.column)
        return column.desc(**nulls) if self.descending != backwards else column.asc(**nulls)

    def past(self, value: Any, backwards: bool) -> Q:
        """Return the condition for rows that stand strictly after this value in the direction of reading."""
        if value is None:
            return Q(**{f"{self.column}__isnull": False}) if backwards else Q(pk__in=[])
        sign = "lt" if self.descending != backwards else "gt"
        after = Q(**{f"{self.column}__{sign}": value})
        return after | Q(**{f"{self.column}__isnull": True}) if self.nullable and not backwards else after

    def level(self, value: Any) -> Q:
        """Return the condition for rows that stand level with this value."""
        return Q(**{f"{self.column}__isnull": True}) if value is None else Q(**{self.column: value})


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some rows, and the cursors of the pages around them, if there are any."""

    rows: list[Any]
    next: str | None
    previous: str | None


def keys_of(text: str, allowed: Mapping[str, str]) -> list[Key]:
    """Read "-created_at,name". `allowed` maps public names to columns. Raises Invalid naming what may be used."""
    keys = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        name = word.removeprefix("-")
        if name not in allowed:
            raise invalid("ordering", f"Cannot order by {name!r}. Use: {', '.join(sorted(allowed))}.", "invalid_choice")
        keys.append(Key(name=name, column=allowed[name], descending=word.startswith("-")))
    return keys


def read(queryset: QuerySet[Any], keys: Sequence[Key], *, size: int, cursor: str | None, filters: str) -> Page:
    """Return one page. `filters` is a hash of everything else that was asked: a cursor is good for that alone.

    Raises Problem invalid_cursor for a cursor that was tampered with, or made for other filters or another ordering.
    """
    keys = [replace(key, nullable=_nullable(queryset.model, key.column)) for key in keys]
    keys.append(Key(name="", column="pk", descending=keys[0].descending if keys else False, nullable=False))
    scope = hashlib.sha256(json.dumps([filters, [[k.column, k.descending] for k in keys]]).encode()).hexdigest()[:16]
    edge, backwards = _open(cursor, scope, len(keys)) if cursor else (None, False)
    if edge is not None:
        queryset = queryset.filter(_beyond(keys, edge, backwards))
    rows = list(queryset.order_by(*[key.order(backwards) for key in keys])[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    ahead = more if not backwards else True
    behind = edge is not None and (more if backwards else True)
    return Page(
        rows=rows,
        next=_close(keys, rows[-1], scope, False) if rows and ahead else None,
        previous=_close(keys, rows[0], scope, True) if rows and behind else None,
    )


def _nullable(model: type[Model], column: str) -> bool:
    """Whether a column can be null; an annotation is taken to be."""
    *steps, last = column.split("__")
    for step in steps:
        related = model._meta.get_field(step)
        if related.null or not isinstance(related.related_model, type):
            return True
        model = related.related_model
    if last == "pk":
        return False
    try:
        return bool(model._meta.get_field(last).null)
    except FieldDoesNotExist:
        return True


def _beyond(keys: Sequence[Key], edge: Sequence[Any], backwards: bool) -> Q:
    """Return (k1 past) or (k1 level and k2 past) or ... for the row at the edge."""
    condition, level = Q(pk__in=[]), Q()
    for key, value in zip(keys, edge, strict=True):
        condition |= level & key.past(value, backwards)
        level &= key.level(value)
    return condition


def _close(keys: Sequence[Key], row: Any, scope: str, backwards: bool) -> str:
    return signing.dumps([scope, backwards, [_frozen(_reach(row, key.column)) for key in keys]], salt=SALT)


def _open(cursor: str, scope: str, count: int) -> tuple[list[Any], bool]:
    try:
        made_for, backwards, values = signing.loads(cursor, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise Problem("invalid_cursor", 400, "This cursor was not made here. Begin again without one.") from exc
    if made_for != scope or len(values) != count:
        raise Problem(
            "invalid_cursor",
            400,
            "This cursor was made for other filters or another ordering. Begin again without one.",
        )
    return [_thawed(value) for value in values], bool(backwards)


def _reach(row: Any, column: str) -> Any:
    for step in column.split("__"):
        row = None if row is None else getattr(row, step)
    return row


def _frozen(value: Any) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _thawed(value: Any) -> Any:
    return datetime.fromisoformat(value["at"]) if isinstance(value, dict) else value


class KeysetPagination(pagination.BasePagination):
    """`cursor`, `page_size`, `ordering`, `include_total` of every list. The view names `orderings` and `ordering`."""

    orderings: ClassVar[dict[str, str]] = {"created_at": "created_at"}

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the rows of the page that was asked for."""
        given = request.query_params
        size = page_size(given.get("page_size"))
        allowed = getattr(view, "orderings", self.orderings)
        keys = keys_of(str(given.get("ordering") or "") or getattr(view, "ordering", "created_at"), allowed)
        rest = sorted(
            (name, value) for name, values in given.lists() if name not in PAGE_PARAMETERS for value in values
        )
        page = read(queryset, keys, size=size, cursor=given.get("cursor"), filters=json.dumps(rest))
        self.page, self.request = page, request
        self.total = queryset.count() if flag("include_total", given.get("include_total")) else None
        return page.rows

    def get_paginated_response(self, data: Any) -> Response:
        """Return next, previous, total_size if asked for, results."""
        body: dict[str, Any] = {"next": self._link(self.page.next), "previous": self._link(self.page.previous)}
        if self.total is not None:
            body["total_size"] = self.total
        return Response({**body, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of a list."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": link,
                "previous": link,
                "total_size": {"type": "integer", "description": "Only with include_total=true."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters of a list for the schema."""
        allowed = sorted(getattr(view, "orderings", self.orderings))
        word = f"-?({'|'.join(allowed)})"
        return [
            _parameter("cursor", "From `next` or `previous` of another page.", {"type": "string"}),
            _parameter(
                "page_size", "Rows a page.", {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": USUAL}
            ),
            _parameter(
                "ordering",
                f"Comma-separated, a minus sign turns round: {', '.join(allowed)}.",
                {"type": "string", "pattern": f"^({word}(,{word})*)?$"},
            ),
            _parameter("include_total", "Count the whole list too.", {"type": "boolean", "default": False}),
        ]

    def _link(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        kept = [
            (name, value) for name, values in self.request.query_params.lists() for value in values if name != "cursor"
        ]
        return f"{self.request.build_absolute_uri(self.request.path)}?{urlencode(sorted([*kept, ('cursor', cursor)]))}"


def page_size(text: str | None) -> int:
    """Read a page size. Raises Invalid outside 1 to 1000."""
    if text is None:
        return USUAL
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise invalid("page_size", f"Must be a whole number between 1 and {LARGEST}.")
    if not 1 <= int(text) <= LARGEST:
        raise invalid("page_size", f"Must be between 1 and {LARGEST}.", "min_value" if int(text) < 1 else "max_value")
    return int(text)


def wrong_parameters(given: Mapping[str, str]) -> list[FieldError]:
    """Return what is wrong with a list's own parameters."""
    wrong: list[FieldError] = []
    try:
        page_size(given.get("page_size"))
    except Invalid as exc:
        wrong += exc.errors
    try:
        flag("include_total", given.get("include_total"))
    except Invalid as exc:
        wrong += exc.errors
    return wrong


def flag(name: str, text: str | None) -> bool:
    """Read true or false; absent is false. Raises Invalid on anything else."""
    if text not in {None, "true", "false"}:
        raise invalid(name, "Use true or false.", "invalid_choice")
    return text == "true"


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}

"""What goes over the wire: JSON in that cannot hurt, JSON out, and instants as RFC 3339 in UTC with three decimals.

This module is named by settings and loaded with the framework's views: it must not import them.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import IO, Any

from django.utils.dateparse import parse_datetime
from rest_framework import negotiation, parsers, renderers, serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request


def instant(at: datetime) -> str:
    """Return an aware instant as "2026-11-21T03:47:00.000Z"."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_instant(text: str) -> datetime:
    """Return the instant in UTC. Raises ValueError unless it is an RFC 3339 date-time with an offset."""
    try:
        at = parse_datetime(text)
    except ValueError as exc:
        raise ValueError(f"There is no such time: {exc}.") from exc
    if at is None or at.tzinfo is None:
        raise ValueError("Give an RFC 3339 time with an offset, such as 2026-11-21T03:47:00Z.")
    try:
        return at.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("This instant is outside the calendar.") from exc


class InstantField(serializers.Field[datetime, str, str, Any]):
    """An instant, both ways."""

    default_error_messages = {"invalid": "{reason}"}

    def to_internal_value(self, data: str) -> datetime:
        """Return the instant, or raise ValidationError."""
        try:
            return read_instant(data if isinstance(data, str) else "")
        except ValueError as exc:
            self.fail("invalid", reason=str(exc))

    def to_representation(self, value: datetime) -> str:
        """Return it as it goes over the wire."""
        return instant(value)


class JsonParser(parsers.BaseParser):
    """JSON in UTF-8 within DATA_UPLOAD_MAX_MEMORY_SIZE, with texts and at a depth that a database can hold.

    So it refuses lone surrogates and NUL, wherever they stand.
    """

    media_type = "application/json"
    DEPTH = 100

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the value. Raises ParseError with the place of the fault, RequestDataTooBig if it is too long."""
        request = (parser_context or {}).get("request")
        body = request.body if request is not None else stream.read()  # .body is what holds the limit
        try:
            text = body.decode()
            value = json.loads(text, parse_constant=_no_constant)
            if "\\u" in text:
                json.dumps(value, ensure_ascii=False).encode()
        except UnicodeDecodeError as exc:
            raise ParseError(f"The body is not UTF-8: byte {exc.start} does not fit.") from exc
        except UnicodeEncodeError as exc:
            raise ParseError("A \\u escape in the body is half of a surrogate pair.") from exc
        except json.JSONDecodeError as exc:
            raise ParseError(f"Not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}.") from exc
        except ValueError as exc:
            raise ParseError(f"Not JSON: {exc}.") from exc
        except RecursionError as exc:
            raise ParseError(f"The body is nested deeper than {self.DEPTH} levels.") from exc
        if deeper_than(value, self.DEPTH):
            raise ParseError(f"The body is nested deeper than {self.DEPTH} levels.")
        place = _place_of_nul(value) if "\\u0000" in text else None
        if place is not None:
            detail = "Null characters (\\u0000) cannot be stored. Leave them out."
            raise serializers.ValidationError({".".join(reversed(place)): detail}, "null_characters_not_allowed")
        return value


def _place_of_nul(value: Any) -> list[str] | None:
    """Return where a text or a name holds NUL, the innermost name first; None if none does."""
    if isinstance(value, str):
        return [] if "\0" in value else None
    if isinstance(value, dict) and any("\0" in name for name in value):
        return []
    inside: Iterable[tuple[Any, Any]] = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, inner in inside:
        place = _place_of_nul(inner)
        if place is not None:
            return [*place, str(name)]
    return None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number JSON knows")


def deeper_than(value: Any, levels: int) -> bool:
    """Whether a JSON value is nested deeper than this many levels. Walks level by level, never recursing."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


class AlwaysJson(negotiation.BaseContentNegotiation):
    """Answer in JSON whatever Accept says: there is nothing else to choose from."""

    def select_parser(self, request: Request, parsers: Iterable[parsers.BaseParser]) -> parsers.BaseParser | None:
        """Return the parser of the request's Content-Type, or None (415)."""
        return negotiation.DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Iterable[renderers.BaseRenderer], format_suffix: str | None = None
    ) -> tuple[renderers.BaseRenderer, str]:
        """Return the first renderer."""
        first = next(iter(renderers))
        return first, first.media_type

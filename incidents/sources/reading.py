"""From the bytes of a request to JSON values that are safe to keep: no NUL, no lone surrogate, no bottomless nesting.

Everything here takes time and memory in proportion to the body, whatever the body holds; the caller limits the body.
"""

import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from incidents.sources.base import Unreadable

MAX_DEPTH = 100  # levels of lists and objects
MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_DIGITS = 4300  # of a whole number: Python turns no longer one into text or back

_BLANK = re.compile(r"[ \t\n\r]*")
_HARMFUL_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_HARMFUL = re.compile(r"[\x00\ud800-\udfff]")
_STRING_OR_CONSTANT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(NaN|-?Infinity)', re.DOTALL)


class TooLarge(ValueError):
    """A body that is longer than its door takes, also when it is so only once unpacked."""


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a payload, and the text it was read from."""

    value: Any  # not looked into if it is larger than its limit
    raw: str
    size: int  # bytes as received


def unpacked(body: bytes, headers: Mapping[str, str], limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the body without its Content-Encoding; never makes more than `limit` bytes.

    Raises TooLarge over the limit, Unreadable if it is not what the header says.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in {"gzip", "x-gzip", "deflate"}:
        body = _inflated(body, encoding, limit)
    elif encoding not in {"", "identity"}:
        raise Unreadable(f"The body is packed with {encoding[:40]!r}. Send it unpacked, or as gzip.")
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit // 1024} KB. Send fewer events at a time.")
    return body


def _inflated(body: bytes, encoding: str, limit: int) -> bytes:
    inflater = zlib.decompressobj(wbits=15 if encoding == "deflate" else 31)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as exc:
        raise Unreadable(f"The Content-Encoding says {encoding}, but the body is none.") from exc
    if not inflater.eof and len(plain) <= limit:
        raise Unreadable(f"The {encoding} body ends too early.")
    return plain


def json_value(body: bytes) -> Any:
    """Return the one JSON value of a body. Raises Unreadable with the position of what is wrong."""
    text = _decoded(body)
    part, end = _part(text, _after_blanks(text, 0), len(body))
    _expect_end(text, end)
    return part.value


def json_parts(body: bytes, most: int, largest: int) -> list[Part]:
    """Return the elements of a JSON list of 1 to `most`, or the one object that came alone, each with its own text.

    An element of more than `largest` bytes is not looked into: the caller is to refuse it. Raises Unreadable: not
    UTF-8, not JSON (with line and column), nested too deep, an empty list or one too long, and what is neither.
    """
    text = _decoded(body)
    start = _after_blanks(text, 0)
    if text[start : start + 1] == "[":
        return list(_elements(text, start, most, largest))
    part, end = _part(text, start, largest)
    _expect_end(text, end)
    if not isinstance(part.value, dict):
        raise Unreadable(f"The body is {kind_of(part.value)}. Send one event as an object, or a list of 1 to {most}.")
    return [part]


def kind_of(value: Any) -> str:
    """Return what a JSON value is, in words for people."""
    return _KINDS[type(value)]


_KINDS: dict[type, str] = {
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
    list: "a list",
    dict: "an object",
}


def _decoded(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Unreadable(f"The body is not UTF-8: byte 0x{body[exc.start]:02x} at position {exc.start}.") from exc
    if "\0" in text:
        raise Unreadable(f"The body holds a NUL byte at position {body.index(0)}. Send text.")
    if not text or text.isspace():
        raise Unreadable("The body is empty. Send JSON.")
    return text


def _elements(text: str, start: int, most: int, largest: int) -> Iterator[Part]:
    at = _after_blanks(text, start + 1)
    if text[at : at + 1] == "]":
        raise Unreadable(f"The list is empty. Send 1 to {most} events.")
    for _ in range(most):
        part, end = _part(text, at, largest)
        yield part
        at = _after_blanks(text, end)
        follows = text[at : at + 1]
        if follows == "]":
            return _expect_end(text, at + 1)
        if follows != ",":
            raise _not_json(json.JSONDecodeError("Expecting ',' or ']'", text, at))
        at = _after_blanks(text, at + 1)
    raise Unreadable(f"The list holds more than {most} events. Send at most {most} at a time.")


def _part(text: str, start: int, largest: int) -> tuple[Part, int]:
    value, end = _scanned(text, start)
    raw = text[start:end]
    size = end - start if raw.isascii() else len(raw.encode())
    if size > largest:
        return Part(value, raw, size), end
    if raw.count("{") + raw.count("[") > MAX_DEPTH and _too_deep(value):
        raise _nested_too_deep()
    if "\\u" in raw and _HARMFUL_ESCAPE.search(raw):
        value = _cleaned(value)
    return Part(value, raw, size), end


def _scanned(text: str, start: int) -> tuple[Any, int]:
    try:
        return _decoder.raw_decode(text, start)
    except json.JSONDecodeError as exc:
        raise _not_json(exc) from exc
    except RecursionError as exc:
        raise _nested_too_deep() from exc
    except _NotANumber as exc:
        raise _not_json(json.JSONDecodeError(f"{exc} is no JSON number", text, _constant_at(text, start))) from exc
    except ValueError:  # a whole number of more digits than Python reads: it is kept as text
        return _patient_decoder.raw_decode(text, start)


class _NotANumber(Exception):
    """NaN, Infinity or -Infinity, which Python's reader would take."""


def _refuse_constant(name: str) -> None:
    raise _NotANumber(name)


def _finite(digits: str) -> float | str:
    """1e999 becomes infinite, which no database keeps: it stays text."""
    number = float(digits)
    return number if math.isfinite(number) else digits


def _whole(digits: str) -> int | str:
    return digits if len(digits) > MAX_DIGITS else int(digits)


# Not strict: shell scripts send raw line breaks within strings, and a page lost over one helps nobody.
_decoder = json.JSONDecoder(strict=False, parse_float=_finite, parse_constant=_refuse_constant)
_patient_decoder = json.JSONDecoder(
    strict=False, parse_float=_finite, parse_constant=_refuse_constant, parse_int=_whole
)


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANK.match(text, at)
    return blanks.end() if blanks else at


def _expect_end(text: str, at: int) -> None:
    at = _after_blanks(text, at)
    if at < len(text):
        raise _not_json(json.JSONDecodeError("Expecting the end of the body", text, at))


def _not_json(exc: json.JSONDecodeError) -> Unreadable:
    return Unreadable(f"The body is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}.")


def _nested_too_deep() -> Unreadable:
    return Unreadable(f"The body is nested more than {MAX_DEPTH} levels deep. Send it flatter.")


def _constant_at(text: str, start: int) -> int:
    for found in _STRING_OR_CONSTANT.finditer(text, start):
        if found.group(1):
            return found.start()
    return start


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for one in level for child in _children(one)]
        if not level:
            return False
    return True


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values() or (None,)  # an empty one is a level as well
    return (value or (None,)) if isinstance(value, list) else ()


def _cleaned(value: Any) -> Any:
    """Put U+FFFD where PostgreSQL and UTF-8 have no place for a character. Recursion is bounded by MAX_DEPTH."""
    if isinstance(value, str):
        return _HARMFUL.sub("\ufffd", value)
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(one) for key, one in value.items()}
    return value

"""The ways in which tools write a point in time."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))  # below this, so many microseconds: s, ms, microseconds
_ZONE_TWICE = re.compile(r"[+-]\d\d:?\d\d[Zz]\Z")  # 04:47:00+01:00Z: PagerDuty's Python client
_NANOSECONDS_BELOW = 10**20


class UnreadableInstant(ValueError):
    """A time in no form that is known."""


def instant(value: Any) -> datetime | None:
    """Return the UTC instant that a JSON value means; None if it says that there is none (null, "", 0, the year 1).

    Reads RFC 3339 and ISO 8601 (up to nine digits of fraction, a blank for the T, +0000, no zone: UTC), RFC 5322
    dates, and Unix seconds, milliseconds, microseconds and nanoseconds, told apart by their size, also as text.
    Raises UnreadableInstant on anything else.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _written(value.strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _counted(value)
    raise UnreadableInstant(value)


def _written(text: str) -> datetime | None:
    if len(text) > 64:
        raise UnreadableInstant(text[:64])
    if text.isdecimal() and text.isascii() and len(text) != 8:  # eight digits are a date without dashes
        return _counted(int(text))
    try:
        return _utc(datetime.fromisoformat(text.upper()))
    except ValueError:
        return _spelled(text)


def _spelled(text: str) -> datetime | None:
    if _ZONE_TWICE.search(text):
        return _written(text[:-1])
    try:
        seconds = float(text)
    except ValueError:
        try:
            return _utc(parsedate_to_datetime(text))
        except (ValueError, TypeError, IndexError, OverflowError) as exc:
            raise UnreadableInstant(text) from exc
    return _counted(seconds)


def _counted(number: int | float) -> datetime | None:
    if number == 0:
        return None
    if not 0 < number < _NANOSECONDS_BELOW:  # also false for NaN
        raise UnreadableInstant(number)
    for below, microseconds in _UNITS:
        if number < below:
            return _EPOCH + timedelta(microseconds=round(number * microseconds))
    return _EPOCH + timedelta(microseconds=int(number) // 1000)


def _utc(at: datetime) -> datetime | None:
    if at.year == 1:  # 0001-01-01T00:00:00Z, the zero time of Go
        return None
    try:
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError as exc:  # the last day of the year 9999, west of Greenwich
        raise UnreadableInstant(at) from exc

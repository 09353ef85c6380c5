from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.sources.instants import UnreadableInstant, instant

NIGHT = datetime(2026, 11, 21, 3, 47, tzinfo=UTC)
SECONDS = int(NIGHT.timestamp())


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T03:47:00Z",
        "2026-11-21t03:47:00z",
        " 2026-11-21 03:47:00Z ",
        "2026-11-21T04:47:00+01:00",
        "2026-11-21T04:47:00.000+0100",  # CloudWatch, PagerDuty: no colon
        "2026-11-20T22:47:00.000000000-05:00",  # nine digits
        "2026-11-21T03:47:00",  # no zone: UTC
        "20261121T034700Z",
        "2026-11-21T04:47:00.000000+01:00Z",  # PagerDuty's Python client says it twice
        "Sat, 21 Nov 2026 04:47:00 +0100",  # RFC 5322
        SECONDS,
        str(SECONDS),
        f"{SECONDS}.0",
        float(SECONDS),
        SECONDS * 1_000,
        SECONDS * 1_000_000,
        SECONDS * 1_000_000_000,
        f"{SECONDS}000000000",
    ],
)
def test_the_same_instant_in_every_form(value: object) -> None:
    assert instant(value) == NIGHT
    assert instant(value).tzinfo is UTC  # type: ignore[union-attr]


@pytest.mark.parametrize("value", [None, "", 0, 0.0, "0", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+02:00"])
def test_no_instant(value: object) -> None:
    assert instant(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-02-30",
        "9" * 64,
        "2026-11-21T04:47:00+01:00ZZ" + "Z" * 30,
        "x" * 100_000,
        "9999-12-31T23:59:59-05:00",  # beyond the last year there is
        "nan",
        "inf",
        -5,
        10**20,
        10**4000,
        True,
        [],
        {"seconds": 5},
    ],
)
def test_what_is_no_time_is_said_so(value: object) -> None:
    with pytest.raises(UnreadableInstant):
        instant(value)


def test_fractions() -> None:
    assert instant("2026-11-21T03:47:00.123456789Z") == NIGHT.replace(microsecond=123456)
    assert instant(SECONDS * 1_000_000_000 + 123_456_789) == NIGHT.replace(microsecond=123456)
    assert instant(SECONDS * 1000 + 5) == NIGHT.replace(microsecond=5000)
    assert instant("20261121") == NIGHT.replace(hour=0, minute=0)  # a date, no number of seconds


@given(st.text() | st.integers() | st.floats())
def test_anything_else_is_an_instant_or_a_refusal(value: object) -> None:
    try:
        at = instant(value)
    except UnreadableInstant:
        return
    assert at is None or at.tzinfo is UTC


LEAST = datetime(2, 1, 2)  # noqa: DTZ001 - the strategy adds the zone


@given(st.datetimes(min_value=LEAST, timezones=st.timezones()))
def test_what_is_written_by_the_rules_is_read_back(at: datetime) -> None:
    try:
        wanted = at.astimezone(UTC)
    except OverflowError:
        return
    assert instant(at.isoformat()) == wanted

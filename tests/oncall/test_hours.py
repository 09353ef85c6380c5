"""Windows on the wall clock: rule R7."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.hours import Window, is_open, open_spans
from tests.oncall.strategies import NEAR, ZONES, windows

NEW_YORK, UTC_ZONE = ZoneInfo("America/New_York"), ZoneInfo("UTC")
SECOND = timedelta(seconds=1)


def _daily(start: str, end: str) -> Window:
    return Window(time.fromisoformat(start), time.fromisoformat(end))


def _weekly(day: int, start: str, end_day: int, end: str) -> Window:
    return Window(time.fromisoformat(start), time.fromisoformat(end), day, end_day)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "day", "expected"),
    [
        (_daily("01:30", "02:30"), "2024-11-03", ("2024-11-03T05:30", "2024-11-03T07:30")),  # two hours
        (_daily("00:30", "01:30"), "2024-11-03", ("2024-11-03T04:30", "2024-11-03T05:30")),  # does not open again
        (_daily("01:30", "02:30"), "2024-03-10", ("2024-03-10T06:30", "2024-03-10T07:30")),  # 02:30 becomes 03:30
        (_daily("02:15", "03:15"), "2024-03-10", None),  # 02:15 becomes 03:15: nothing is left
        (_daily("21:00", "09:00"), "2024-03-09", ("2024-03-10T02:00", "2024-03-10T13:00")),  # eleven hours
        (_daily("08:00", "08:00"), "2024-03-09", ("2024-03-09T13:00", "2024-03-10T12:00")),  # a day of 23
        (_weekly(4, "17:00", 0, "09:00"), "2024-03-08", ("2024-03-08T22:00", "2024-03-11T13:00")),
        (_weekly(4, "17:00", 0, "09:00"), "2024-03-09", None),  # a Saturday
        (_weekly(0, "09:00", 0, "09:00"), "2024-03-04", ("2024-03-04T14:00", "2024-03-11T13:00")),  # the whole week
        (_weekly(0, "09:00", 0, "08:00"), "2024-03-04", ("2024-03-04T14:00", "2024-03-11T12:00")),
        (_weekly(0, "09:00", 0, "17:00"), "2024-03-04", ("2024-03-04T14:00", "2024-03-04T22:00")),
    ],
)
def test_a_window_on_a_date_r7(window: Window, day: str, expected: tuple[str, str] | None) -> None:
    found = window.on(datetime.fromisoformat(day).date(), NEW_YORK)
    assert found == (expected and (_utc(expected[0]), _utc(expected[1])))


def test_half_open_r1() -> None:
    window = [_daily("09:00", "17:00")]
    opened = [is_open(window, UTC_ZONE, _utc(f"2024-01-01T{at}")) for at in ("08:59:59", "09:00", "16:59:59", "17:00")]
    assert opened == [False, True, True, False]


@given(st.lists(windows(), min_size=1, max_size=4), st.sampled_from(ZONES).map(ZoneInfo), NEAR, st.integers(1, 20_000))
@settings(max_examples=200, deadline=None)
def test_spans_of_a_range_agree_with_single_look_ups_r7(
    found: list[Window], zone: ZoneInfo, start: datetime, minutes: int
) -> None:
    end = start + timedelta(minutes=minutes)
    spans = open_spans(found, zone, start, end)
    assert all(start <= opens < closes <= end for opens, closes in spans)
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    edges = [start, *(edge for span in spans for edge in span)]
    for at in {edge + by for edge in edges for by in (-SECOND, timedelta(), SECOND)}:
        if start <= at < end:
            assert is_open(found, zone, at) == any(opens <= at < closes for opens, closes in spans)


@given(windows(), st.sampled_from(ZONES).map(ZoneInfo), NEAR)
@settings(max_examples=200, deadline=None)
def test_no_window_is_missed_by_looking_at_few_dates_r7(window: Window, zone: ZoneInfo, at: datetime) -> None:
    days = (at.date() + timedelta(days=n) for n in range(-40, 40))
    spans = [span for day in days if (span := window.on(day, zone))]
    assert is_open([window], zone, at) == any(opens <= at < closes for opens, closes in spans)

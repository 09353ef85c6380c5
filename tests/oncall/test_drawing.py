"""The timeline of a schedule: rows of bars, gaps, dates, the present, and where clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from oncall.definition import Definition, Layer, Override
from oncall.drawing import draw
from oncall.hours import Window
from oncall.rotation import Rotation, Unit
from tests.oncall.strategies import NEAR, definitions

NEW_YORK, UTC_ZONE = ZoneInfo("America/New_York"), ZoneInfo("UTC")
DAILY = Rotation(UTC_ZONE, Unit.DAY, 1, datetime.fromisoformat("2024-01-01T00:00"))
NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def test_a_row_a_layer_the_overrides_and_the_final_one() -> None:
    office = (Window(NOON.time().replace(hour=6), NOON.time().replace(hour=18)),)
    cover = Override("o", NOON, NOON + timedelta(days=9), "carol")
    schedule = Definition(
        (Layer(("alice", None), DAILY, office, name="Office"), Layer(("bob",), DAILY, position=1)), (cover,)
    )
    found = draw(schedule, date(2024, 1, 1), 2, zone=UTC_ZONE, now=NOON, names={"alice": "Alice Ahn"})
    assert [(row.kind, row.label) for row in found.rows] == [
        ("layer", "Office"), ("layer", "layer 2"), ("overrides", "Overrides"), ("final", "On call"),
    ]  # fmt: skip
    assert [(bar.left, bar.width, bar.label) for bar in found.rows[0].bars] == [(12.5, 25.0, "Alice Ahn")]
    assert [(bar.left, bar.width, bar.label) for bar in found.rows[3].bars] == [(0, 75, "bob"), (75, 25, "carol")]
    covered = found.rows[2].bars[0]
    assert (covered.left, covered.width, covered.cut_right, covered.hue) == (75, 25, True, found.rows[3].bars[1].hue)
    assert found.now == 75


def test_gaps_are_bars_of_the_final_row() -> None:
    found = draw(Definition((Layer(("alice", None), DAILY),)), date(2024, 1, 1), 4, zone=UTC_ZONE, now=NOON)
    assert [(gap.left, gap.width, gap.label) for gap in found.gaps] == [(25, 25, "nobody"), (75, 25, "nobody")]
    assert all(gap.hue is None for gap in found.gaps)


@pytest.mark.parametrize(
    ("zone", "first", "label", "at"),
    [
        ("America/New_York", date(2024, 3, 9), "clocks go forward 1 h", "2024-03-10T07:00"),
        ("America/New_York", date(2024, 11, 2), "clocks go back 1 h", "2024-11-03T06:00"),
        ("Australia/Lord_Howe", date(2024, 10, 5), "clocks go forward 30 min", "2024-10-05T15:30"),
    ],
)
def test_clock_changes_are_marked(zone: str, first: date, label: str, at: str) -> None:
    found = draw(Definition(()), first, 3, zone=ZoneInfo(zone), now=NOON)
    assert [(one.label, one.at) for one in found.changes] == [(label, datetime.fromisoformat(at).replace(tzinfo=UTC))]
    share = (found.changes[0].at - found.start) / (found.end - found.start)
    assert found.changes[0].left == pytest.approx(share * 100, abs=0.001)


def test_a_day_of_23_hours_is_drawn_narrower() -> None:
    ticks = draw(Definition(()), date(2024, 3, 9), 3, zone=NEW_YORK, now=NOON).ticks
    assert [tick.day.day for tick in ticks] == [9, 10, 11]
    assert [round(tick.width / ticks[0].width * 24) for tick in ticks] == [24, 23, 24]
    assert [tick.weekend for tick in ticks] == [True, True, False]


def test_a_date_that_was_left_out_has_no_tick() -> None:
    ticks = draw(Definition(()), date(2011, 12, 29), 3, zone=ZoneInfo("Pacific/Apia"), now=NOON).ticks
    assert [tick.day.day for tick in ticks] == [29, 31]


def test_the_present_is_not_drawn_outside() -> None:
    assert draw(Definition(()), date(2024, 2, 1), 14, zone=UTC_ZONE, now=NOON).now is None


@given(definitions(), NEAR)
@settings(max_examples=60, deadline=None)
def test_the_final_row_fills_the_width(schedule: Definition, at: datetime) -> None:
    found = draw(schedule, at.date(), 14, zone=NEW_YORK, now=at)
    assert sum(bar.width for bar in found.rows[-1].bars) == pytest.approx(100, abs=0.05)
    for row in found.rows:
        assert all(0 <= bar.left <= bar.left + bar.width <= 100.001 for bar in row.bars)

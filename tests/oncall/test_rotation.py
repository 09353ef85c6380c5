"""Wall time and turns: the rules R2 to R6, in every zone there is."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall.document import zones
from oncall.rotation import EARLIEST, LATEST, Rotation, Unit, instant, wall, whose
from tests.oncall.strategies import NEAR, rotations

SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
NEW_YORK = ZoneInfo("America/New_York")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown", "expected"),
    [
        ("America/New_York", "2024-03-10T01:59", "2024-03-10T06:59"),
        ("America/New_York", "2024-03-10T02:30", "2024-03-10T07:30"),  # skipped: read as EST, shown as 03:30 EDT
        ("America/New_York", "2024-03-10T03:30", "2024-03-10T07:30"),
        ("America/New_York", "2024-11-03T01:30", "2024-11-03T05:30"),  # twice: the first, EDT
        ("America/New_York", "2024-11-03T02:00", "2024-11-03T07:00"),
        ("Australia/Lord_Howe", "2024-10-06T02:15", "2024-10-05T15:45"),  # a gap of half an hour
        ("America/Santiago", "2024-09-08T00:00", "2024-09-08T04:00"),  # midnight is skipped
        ("Africa/Cairo", "2024-04-26T00:00", "2024-04-25T22:00"),
        ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T19:00"),  # the whole day is skipped: shown as the 31st
        ("Pacific/Apia", "2011-12-31T09:00", "2011-12-30T19:00"),
    ],
)
def test_wall_time_becomes_an_instant_r3(zone: str, shown: str, expected: str) -> None:
    assert instant(datetime.fromisoformat(shown), ZoneInfo(zone)) == _utc(expected)


def test_month_turns_are_clamped_and_clamping_does_not_stick_r5() -> None:
    turns = Rotation(ZoneInfo("UTC"), Unit.MONTH, 1, datetime.fromisoformat("2024-01-31T09:00"))
    days = [turns.wall_start(k).date().isoformat() for k in range(-2, 6)]
    assert days == [
        "2023-11-30", "2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-30",
    ]  # fmt: skip


def test_a_half_year_from_31_august_r5() -> None:
    turns = Rotation(ZoneInfo("UTC"), Unit.MONTH, 6, datetime.fromisoformat("2023-08-31T09:00"))
    assert [turns.wall_start(k).date().isoformat() for k in (0, 1, 2)] == ["2023-08-31", "2024-02-29", "2024-08-31"]


@pytest.mark.parametrize(
    ("unit", "length", "anchor", "k", "hours"),
    [
        (Unit.DAY, 1, "2024-03-09T09:00", 0, 23),
        (Unit.DAY, 1, "2024-11-02T09:00", 0, 25),
        (Unit.WEEK, 1, "2024-03-04T09:00", 0, 167),
        (Unit.WEEK, 1, "2024-10-28T09:00", 0, 169),
        (Unit.HOUR, 12, "2024-03-09T20:00", 0, 11),
        (Unit.HOUR, 12, "2024-11-02T20:00", 0, 13),
        (Unit.HOUR, 1, "2024-03-10T00:00", 2, 0),  # 02:00 and 03:00 are one instant
        (Unit.HOUR, 1, "2024-11-03T00:00", 1, 2),
    ],
)
def test_turns_across_a_change_are_longer_or_shorter_r2(
    unit: Unit, length: int, anchor: str, k: int, hours: int
) -> None:
    turns = Rotation(NEW_YORK, unit, length, datetime.fromisoformat(anchor))
    assert turns.boundary(k + 1) - turns.boundary(k) == hours * HOUR


def test_a_wall_clock_that_runs_again_does_not_hand_back_r4() -> None:
    turns = Rotation(NEW_YORK, Unit.DAY, 1, datetime.fromisoformat("2024-10-31T01:30"))
    assert [turns.turn_at(_utc(f"2024-11-03T{at}")) for at in ("05:29:59", "05:30:00", "06:15:00", "06:30:00")] == [
        2,
        3,
        3,
        3,
    ]


@pytest.mark.parametrize(("k", "holder"), [(-5, "bob"), (-1, "carol"), (0, "alice"), (4, "bob")])
def test_turns_before_the_anchor_r6(k: int, holder: str) -> None:
    assert whose(("alice", "bob", "carol"), k) == holder


@given(rotations(), NEAR)
@settings(max_examples=400, deadline=None)
def test_the_turn_is_the_greatest_that_has_begun_r4(turns: Rotation, at: datetime) -> None:
    k = turns.turn_at(at)
    assert turns.boundary(k) <= at
    assert all(turns.boundary(later) > at for later in range(k + 1, k + 60))


@given(rotations(), NEAR, st.integers(1, 5000))
@settings(max_examples=200, deadline=None)
def test_turns_of_a_range_agree_with_single_look_ups_r4(turns: Rotation, start: datetime, minutes: int) -> None:
    end = start + minutes * MINUTE
    found = turns.turns(start, end)
    assert found[0][0] == start
    assert found == sorted(set(found))
    for (at, k), (until, _) in zip(found, [*found[1:], (end, 0)], strict=True):
        assert at < until
        assert {turns.turn_at(at), turns.turn_at(max(at, until - SECOND))} == {k}


@pytest.mark.parametrize("length", [5, 7, 11])
def test_turns_that_a_day_without_a_date_overtakes_r4(length: int) -> None:
    turns = Rotation(ZoneInfo("Pacific/Apia"), Unit.HOUR, length, datetime.fromisoformat("2011-12-01T00:30"))
    start, minutes = _utc("2011-12-29T00:00"), 4 * 24 * 60
    found = turns.turns(start, start + minutes * MINUTE)
    seen = [(start + n * MINUTE, turns.turn_at(start + n * MINUTE)) for n in range(minutes)]
    assert found == [seen[0], *(now for before, now in pairwise(seen) if before[1] != now[1])]


@pytest.mark.parametrize("at", [EARLIEST - DAY, EARLIEST, LATEST, LATEST + DAY, datetime(1970, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("length", [1, 9000])
def test_the_ends_of_the_calendar_break_nothing_r4(at: datetime, unit: Unit, length: int) -> None:
    turns = Rotation(NEW_YORK, unit, length, datetime.fromisoformat("2024-01-31T09:00"))
    k = turns.turn_at(at)
    assert isinstance(turns.boundary(k + 1), datetime)
    assert turns.turns(at, at + HOUR)[0] == (at, k)


@dataclass(frozen=True)
class Counted(Rotation):
    """A rotation that counts how often it works out a boundary."""

    asked: list[int] = field(default_factory=list)

    def boundary(self, k: int) -> datetime:
        self.asked.append(k)
        return super().boundary(k)


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("years", [1, 30, 120])
def test_the_cost_of_a_look_up_does_not_grow_with_age_r4(unit: Unit, years: int) -> None:
    turns = Counted(NEW_YORK, unit, 1, datetime.fromisoformat(f"{2030 - years}-01-31T09:00"))
    turns.turn_at(datetime(2030, 7, 1, 12, tzinfo=UTC))
    assert len(turns.asked) <= 60


@cache
def _changes(name: str) -> list[datetime]:
    """Return instants at which a zone's clocks are set between 1965 and 2037, the first and last few of them."""
    zone, step = ZoneInfo(name), timedelta(days=14)
    found = []
    at = datetime(1965, 1, 1, tzinfo=UTC)
    while at.year < 2037:
        low, high = at, at + step
        if _offset(low, zone) != _offset(high, zone):
            while high - low > SECOND:
                middle = low + (high - low) // 2
                low, high = (middle, high) if _offset(middle, zone) == _offset(low, zone) else (low, middle)
            found.append(high.replace(microsecond=0))
        at += step
    return [*found[:3], *found[len(found) // 2 :][:2], *found[-3:]]


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


@pytest.mark.parametrize("name", sorted(zones()))
def test_no_instant_is_lost_at_a_change_in_any_zone_r3_r4(name: str) -> None:
    zone = ZoneInfo(name)
    for change in _changes(name):
        before = wall(change - SECOND, zone)
        jump = wall(change, zone) - before - SECOND
        if jump > timedelta():  # skipped times lie as far after the change as they were in the gap
            assert wall(instant(before + jump / 2 + SECOND, zone), zone) == before + jump / 2 + SECOND + jump
        else:  # of two, the first
            assert instant(before + jump / 2, zone) == change - SECOND + jump / 2
        for turns in (
            Rotation(zone, Unit.HOUR, 1, before.replace(minute=0, second=0) - 40 * DAY),
            Rotation(zone, Unit.DAY, 1, (before + jump / 2).replace(second=0) - 40 * DAY),
        ):
            found = turns.turns(change - 30 * HOUR, change + 30 * HOUR)
            edges = [at for at, _ in found]
            assert edges == sorted(set(edges))
            assert edges[0] == change - 30 * HOUR
            order = [k for _, k in found]
            assert order == sorted(set(order))
            for at in (change - SECOND, change, change + SECOND):
                assert turns.turn_at(at) == max(k for begun, k in found if begun <= at)


def test_most_zones_have_changes_to_look_at() -> None:
    assert sum(len(_changes(name)) for name in zones()) > 1500

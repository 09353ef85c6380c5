"""Schedules of all kinds for the properties: most instants lie near a change of the clocks."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from oncall.definition import Definition, Inactive, Layer, Override
from oncall.hours import Window
from oncall.rotation import Rotation, Unit

PEOPLE = ("alice", "bob", "carol", "dave")
ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",  # half an hour
    "America/Santiago",  # midnight is skipped
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Pacific/Apia",  # left out 30 December 2011
    "Antarctica/Troll",  # two hours
    "America/St_Johns",
)
CHANGES = tuple(
    datetime.fromisoformat(at).replace(tzinfo=UTC)
    for at in (
        "2011-12-30", "2024-03-10T07:00", "2024-11-03T06:00", "2024-03-31T01:00", "2024-10-27T01:00",
        "2024-10-05T15:00", "2024-04-06T15:00", "2024-09-08T04:00", "2024-04-25T22:00", "2024-02-29",
        "2024-12-31T23:00",
    )
)  # fmt: skip
INSTANTS = st.datetimes(timezones=st.just(UTC))
NEAR = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes), st.sampled_from(CHANGES), st.integers(-6000, 6000)
)
CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))


def rotations() -> st.SearchStrategy[Rotation]:
    anchors = NEAR.map(lambda at: at.replace(tzinfo=None))
    lengths = st.one_of(st.integers(1, 3), st.integers(1, 9000))
    return st.builds(Rotation, st.sampled_from(ZONES).map(ZoneInfo), st.sampled_from(list(Unit)), lengths, anchors)


def windows() -> st.SearchStrategy[Window]:
    days = st.integers(0, 6)
    return st.one_of(st.builds(Window, CLOCKS, CLOCKS), st.builds(Window, CLOCKS, CLOCKS, days, days))


@st.composite
def layers(draw: st.DrawFn, *, vacant: bool = True, windows: bool = True) -> Layer:
    people = st.sampled_from([*PEOPLE, None] if vacant else list(PEOPLE))
    turns = draw(rotations())
    begins = draw(st.none() | NEAR)
    ends = draw(st.none() | NEAR)
    if ends and ends <= (begins or turns.boundary(0)):
        begins, ends = ends, (begins or turns.boundary(0)) + timedelta(minutes=1)
    return Layer(
        users=tuple(draw(st.lists(people, min_size=1, max_size=5))),
        rotation=turns,
        windows=tuple(draw(st.lists(_windows(), max_size=3))) if windows else (),
        effective_from=begins,
        effective_until=ends,
    )


_windows = windows


@st.composite
def definitions(draw: st.DrawFn, *, overrides: int = 4) -> Definition:
    found = draw(st.lists(layers(), max_size=4))
    placed = tuple(
        Layer(one.users, one.rotation, one.windows, one.effective_from, one.effective_until, "", place)
        for place, one in enumerate(found)
    )
    covers = [draw(_override(f"o{n}")) for n in range(draw(st.integers(0, overrides)))]
    return Definition(placed, tuple(covers), tuple(draw(st.lists(_inactive(), max_size=2))))


@st.composite
def _override(draw: st.DrawFn, name: str) -> Override:
    start = draw(NEAR)
    end = start + timedelta(minutes=draw(st.integers(1, 10_000)))
    people = st.sampled_from([*PEOPLE, None])
    return Override(name, start, end, draw(people), draw(people))


@st.composite
def _inactive(draw: st.DrawFn) -> Inactive:
    start = draw(NEAR)
    return Inactive(draw(st.sampled_from(PEOPLE)), start, draw(st.none() | st.just(start + timedelta(hours=30))))

"""Pure: what went wrong when, in the three months before `now`: by day and night, at weekends, in storms.

Made by a seeded dice, so that the same instant gives the same history.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from incidents.demo.faults import BACK_OFFICE, FAULTS, STORMS, Fault

SEED = 1789
DAYS = 88
ORDINARY = 290
STORM_MINUTES = 7
HEADQUARTERS = ZoneInfo("Europe/Berlin")
QUIET_BEFORE = timedelta(hours=14)  # the same thing in the same place does not happen twice within this
OVER_BEFORE = timedelta(hours=12)  # the past is over this long before now
BY_HOUR = (3, 3, 3, 2, 2, 2, 3, 4, 6, 9, 10, 10, 8, 9, 10, 10, 9, 7, 6, 6, 7, 6, 5, 4)  # of ten tries, how many count
WEEKEND = 0.45


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong in one place. `dice` seeds how it goes on."""

    name: str  # in the demo's rows: "incident 17"
    fault: Fault
    place: str
    opened_at: datetime
    dice: int
    still: str = ""  # how it stands now, if it is not over: one of OPEN
    behind: str = ""  # the cause of the storm it is part of

    @property
    def title(self) -> str:
        """What the tool calls it."""
        return self.fault.title.format(place=self.place)

    @property
    def key(self) -> str:
        """Its dedup key."""
        return f"{self.fault.class_name}/{self.place}"


HELD, TAKEN, WAITING, UNTOLD, NOTED = "held", "taken", "waiting", "untold", "noted"
OPEN = (  # what is open now: class, minutes since, how it stands
    ("disk.full", 380, HELD),
    ("export.late", 134, UNTOLD),
    ("deploy", 71, NOTED),
    ("certificate.expiry", 47, WAITING),
    ("latency.high", 19, TAKEN),
)


def troubles(now: datetime) -> list[Trouble]:
    """Return everything that went wrong, oldest first; what is still open comes last."""
    dice = random.Random(SEED)  # noqa: S311  # nothing secret hangs on it
    past = [*_ordinary(dice, now), *_storms(dice, now)]
    numbers = count(1)
    found: list[Trouble] = []
    busy: dict[tuple[str, str], datetime] = {}
    for at, fault, behind in sorted(past, key=lambda one: one[0]):
        place = _quiet_place(dice, fault, at, busy)
        if place is not None:
            found.append(Trouble(f"incident {next(numbers)}", fault, place, at, dice.getrandbits(32), "", behind))
    return [*found, *_open(dice, now)]


def _ordinary(dice: random.Random, now: datetime) -> Iterator[tuple[datetime, Fault, str]]:
    made = 0
    while made < ORDINARY:
        at = now - OVER_BEFORE - timedelta(days=dice.uniform(0, DAYS - 1))
        local = at.astimezone(HEADQUARTERS)
        likely = BY_HOUR[local.hour] / 10 * (WEEKEND if local.weekday() >= 5 else 1)
        if dice.random() < likely:
            made += 1
            yield at, dice.choice(FAULTS), ""


def _storms(dice: random.Random, now: datetime) -> Iterator[tuple[datetime, Fault, str]]:
    for days, hour, minute, behind, classes in STORMS:
        begins = (now - timedelta(days=days)).replace(hour=hour, minute=minute, second=0, microsecond=0)
        for fault in FAULTS:
            if fault.class_name in classes and fault.source != BACK_OFFICE:
                for _ in fault.places:
                    yield begins + timedelta(minutes=dice.uniform(0, STORM_MINUTES)), fault, behind


def _quiet_place(dice: random.Random, fault: Fault, at: datetime, busy: dict[tuple[str, str], datetime]) -> str | None:
    """Return a place where this has not happened for a while, and remember that it does now."""
    free = [place for place in fault.places if at >= busy.get((fault.class_name, place), at)]
    if not free:
        return None
    place = dice.choice(free)
    busy[fault.class_name, place] = at + QUIET_BEFORE
    return place


def _open(dice: random.Random, now: datetime) -> Iterator[Trouble]:
    for class_name, minutes, still in OPEN:
        fault = next(one for one in FAULTS if one.class_name == class_name)
        at = now - timedelta(minutes=minutes)
        yield Trouble(f"incident open {class_name}", fault, fault.places[0], at, dice.getrandbits(32), still)

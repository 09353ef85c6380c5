"""The document of a schedule, as REST, YAML files and `manage.py oncall preview` have it <-> a Definition. Pure.

    {"time_zone": "Europe/Berlin",
     "layers": [{"name": "Nights", "users": ["alice", null, "bob"], "rotation": {"unit": "week", "length": 1},
                 "anchor": "2026-03-02T09:00", "effective_from": instant, "effective_until": instant, "time_zone": zone,
                 "restrictions": [
                     {"type": "daily", "from": "09:00", "to": "17:00"},
                     {"type": "weekly", "from_day": "FRI", "from": "17:00", "to_day": "MON", "to": "09:00"}]}],
     "overrides": [{"id": "o1", "start": instant, "end": instant, "user": "carol", "replaces": "alice"}],
     "inactive": [{"user": "bob", "from": instant, "until": instant}]}

Later layers win; null in `users` is a vacant turn, a null `user` in an override puts nobody on call. Everything that is
wrong is found at once, each fault with its path and what to send instead.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from oncall.definition import Definition, Inactive, Layer, Override
from oncall.faults import Faults
from oncall.hours import Window
from oncall.rotation import Rotation, Unit

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MOST_LAYERS = 20
MOST_USERS = 50
MOST_WINDOWS = 15
MOST_OVERRIDES = 1000
MOST_INACTIVE = 1000
LONGEST_TURN = 9000
LONGEST_OVERRIDE = timedelta(days=366)
LONGEST_NAME = 100
LONGEST_USERNAME = 150
YEARS = (1900, 2200)  # of every time in a document

_ANCHOR = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:00)?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


@cache
def zones() -> frozenset[str]:
    """Return the names of the time zone database."""
    return frozenset(available_timezones())


def read_instant(value: Any) -> datetime | None:
    """Return an RFC 3339 time with its offset as an instant in UTC, or None if it is not one or lies outside YEARS."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        at = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if YEARS[0] <= at.year < YEARS[1] else None


def write_instant(at: datetime) -> str:
    """Return an instant as "2026-11-21T03:47:00.000Z"."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(document: Any, *, also: Collection[str] = (), path: str = "") -> Definition:
    """Return the Definition of a document. Keys in `also` are left to the caller. Raises Faulty."""
    faults = Faults()
    known = ("time_zone", "layers", "overrides", "inactive", *also)
    given = faults.mapping(document, path, known)
    at = f"{path}." if path else ""
    zone = _zone(faults, given.get("time_zone"), f"{at}time_zone")
    layers = faults.items(given.get("layers"), f"{at}layers", MOST_LAYERS)
    overrides = faults.items(given.get("overrides"), f"{at}overrides", MOST_OVERRIDES)
    inactive = faults.items(given.get("inactive"), f"{at}inactive", MOST_INACTIVE)
    definition = Definition(
        layers=_each(layers, f"{at}layers", lambda one, where, place: read_layer(faults, one, where, place, zone)),
        overrides=_each(overrides, f"{at}overrides", lambda one, where, nth: read_override(faults, one, where, nth)),
        inactive=_each(inactive, f"{at}inactive", lambda one, where, _: _inactive(faults, one, where)),
        time_zone=zone.key,
    )
    faults.settle()
    return definition


def _each(values: list[Any], path: str, read_one: Callable[[Any, str, int], Any]) -> tuple[Any, ...]:
    found = (read_one(value, f"{path}.{place}", place) for place, value in enumerate(values))
    return tuple(one for one in found if one is not None)


def read_layer(faults: Faults, value: Any, path: str, position: int, zone: ZoneInfo) -> Layer | None:
    """Return the layer at a path, or None with faults."""
    before = len(faults.found)
    known = ("name", "users", "rotation", "anchor", "effective_from", "effective_until", "restrictions", "time_zone")
    given = faults.mapping(value, path, known)
    users = faults.items(given.get("users"), f"{path}.users", MOST_USERS, least=1)
    rotation = faults.mapping(given.get("rotation"), f"{path}.rotation", ("unit", "length"))
    own = given.get("time_zone")
    layer_zone = zone if own is None else _zone(faults, own, f"{path}.time_zone")
    unit = faults.choice(rotation.get("unit"), f"{path}.rotation.unit", tuple(Unit))
    length = faults.whole(rotation.get("length", 1), f"{path}.rotation.length", 1, LONGEST_TURN)
    anchor = _anchor(faults, given.get("anchor"), f"{path}.anchor")
    begins = _instant(faults, given.get("effective_from"), f"{path}.effective_from")
    ends = _instant(faults, given.get("effective_until"), f"{path}.effective_until")
    windows = faults.items(given.get("restrictions"), f"{path}.restrictions", MOST_WINDOWS)
    found = _each(windows, f"{path}.restrictions", lambda one, where, _: _window(faults, one, where))
    hint = f"Send a text of at most {LONGEST_NAME} printable characters, or leave it out."
    name = faults.text(given.get("name"), f"{path}.name", hint, LONGEST_NAME, least=0)
    people = tuple(_user(faults, user, f"{path}.users.{place}", vacant=True) for place, user in enumerate(users))
    if len(faults.found) > before or anchor is None:
        return None
    layer = Layer(people, Rotation(layer_zone, Unit(unit), length, anchor), found, begins, ends, name, position)
    if ends and ends <= layer.begins:
        faults.add(f"{path}.effective_until", "It must be later than effective_from, or else than the anchor.")
    return layer


def read_override(faults: Faults, value: Any, path: str, place: int = 0) -> Override | None:
    """Return the override at a path, or None with faults."""
    before = len(faults.found)
    given = faults.mapping(value, path, ("id", "start", "end", "user", "replaces"))
    at = f"{path}." if path else ""
    start = _instant(faults, given.get("start"), f"{at}start", needed=True)
    end = _instant(faults, given.get("end"), f"{at}end", needed=True)
    if start and end and end <= start:
        faults.add(f"{at}end", "It must be later than the start.")
    elif start and end and end - start > LONGEST_OVERRIDE:
        faults.add(f"{at}end", "An override lasts at most one year. Change the layers instead.")
    if isinstance(value, dict) and "user" not in value:
        faults.add(f"{at}user", "Send who is on call instead, or null for nobody.", "required")
    user = _user(faults, given.get("user"), f"{at}user", vacant=True)
    replaces = _user(faults, given.get("replaces"), f"{at}replaces", vacant=True)
    hint = f"Send a text of 1 to {LONGEST_NAME} printable characters, or leave it out."
    name = faults.text(given.get("id", f"override {place + 1}"), f"{at}id", hint, LONGEST_NAME)
    if len(faults.found) > before or start is None or end is None:
        return None
    return Override(name, start, end, user, replaces)


def _inactive(faults: Faults, value: Any, path: str) -> Inactive | None:
    before = len(faults.found)
    given = faults.mapping(value, path, ("user", "from", "until"))
    user = _user(faults, given.get("user"), f"{path}.user", vacant=False)
    start = _instant(faults, given.get("from"), f"{path}.from", needed=True)
    end = _instant(faults, given.get("until"), f"{path}.until")
    if len(faults.found) > before or user is None or start is None:
        return None
    return Inactive(user, start, end)


def _window(faults: Faults, value: Any, path: str) -> Window | None:
    before = len(faults.found)
    weekly = isinstance(value, dict) and value.get("type") == "weekly"
    days = ("from_day", "to_day") if weekly else ()
    given = faults.mapping(value, path, ("type", "from", "to", *days))
    faults.choice(given.get("type"), f"{path}.type", ("daily", "weekly"))
    for key in ("from", "to"):
        if not (isinstance(given.get(key), str) and _CLOCK.fullmatch(given[key])):
            faults.add(f"{path}.{key}", "Send a time of day such as 09:00.")
    for key in days:
        faults.choice(given.get(key), f"{path}.{key}", DAYS)
    return read_window(given) if len(faults.found) == before else None


def _zone(faults: Faults, value: Any, path: str) -> ZoneInfo:
    if isinstance(value, str) and value in zones():
        return ZoneInfo(value)
    shown = "" if value is None else f"{str(value)[:60]!r} is not in the zone database. "
    hint = f"{shown}Send the name of an IANA time zone such as Europe/Riga or UTC."
    faults.add(path, hint, "required" if value is None else "invalid")
    return ZoneInfo("UTC")


def _anchor(faults: Faults, value: Any, path: str) -> datetime | None:
    match = _ANCHOR.fullmatch(value) if isinstance(value, str) else None
    try:
        anchor = datetime.fromisoformat(match[1]) if match else None
    except ValueError:
        anchor = None
    if anchor and YEARS[0] <= anchor.year < YEARS[1]:
        return anchor
    hint = "Send the wall time at which the first person's turn begins, without an offset: 2026-03-02T09:00."
    faults.add(path, hint, "required" if value is None else "invalid")
    return None


def _instant(faults: Faults, value: Any, path: str, *, needed: bool = False) -> datetime | None:
    if value is None and not needed:
        return None
    at = read_instant(value)
    if at is None:
        hint = f"Send a time with its offset, such as 2026-03-02T09:00:00Z, of the years {YEARS[0]} to {YEARS[1] - 1}."
        faults.add(path, hint, "required" if value is None else "invalid")
    return at


def _user(faults: Faults, value: Any, path: str, *, vacant: bool) -> str | None:
    if value is None and vacant:
        return None
    hint = "Send a username, or null for nobody." if vacant else "Send a username."
    return faults.text(value, path, hint, LONGEST_USERNAME) or None


def write(definition: Definition, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the document of a Definition; `names` turns its users into the words to be written. No empty parts."""

    def called(user: str | None) -> str | None:
        return user if user is None or names is None else names[user]

    return {
        "time_zone": definition.time_zone,
        "layers": [_write_layer(layer, definition.time_zone, called) for layer in definition.layers],
        "overrides": [_write_override(override, called) for override in definition.overrides],
    }


def _write_layer(layer: Layer, zone: str, called: Callable[[str | None], str | None]) -> dict[str, Any]:
    rotation = layer.rotation
    written: dict[str, Any] = {"name": layer.name} if layer.name else {}
    written |= {
        "users": [called(user) for user in layer.users],
        "rotation": {"unit": str(rotation.unit), "length": rotation.length},
        "anchor": write_anchor(rotation.anchor),
    }
    if rotation.zone.key != zone:
        written["time_zone"] = rotation.zone.key
    if layer.effective_from:
        written["effective_from"] = write_instant(layer.effective_from)
    if layer.effective_until:
        written["effective_until"] = write_instant(layer.effective_until)
    if layer.windows:
        written["restrictions"] = write_windows(layer.windows)
    return written


def _write_override(override: Override, called: Callable[[str | None], str | None]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "id": override.id,
        "start": write_instant(override.start),
        "end": write_instant(override.end),
        "user": called(override.user),
    }
    if override.replaces is not None:
        written["replaces"] = called(override.replaces)
    return written


def write_anchor(anchor: datetime) -> str:
    """Return a naive wall time as "2026-03-02T09:00"."""
    return anchor.isoformat(timespec="minutes")


def write_windows(windows: Sequence[Window]) -> list[dict[str, str]]:
    """Return the restrictions of a layer as the document has them."""
    return [_write_window(window) for window in windows]


def _write_window(window: Window) -> dict[str, str]:
    start, end = (edge.isoformat(timespec="minutes") for edge in (window.start, window.end))
    if window.start_day is None or window.end_day is None:
        return {"type": "daily", "from": start, "to": end}
    days = {"from_day": DAYS[window.start_day], "to_day": DAYS[window.end_day]}
    return {"type": "weekly", "from": start, "to": end, **days}


def read_windows(stored: Sequence[Mapping[str, str]]) -> tuple[Window, ...]:
    """Return the windows of restrictions that were checked when they were stored."""
    return tuple(read_window(one) for one in stored)


def read_window(checked: Mapping[str, str]) -> Window:
    """Return one window of a restriction that holds what it has to."""
    start, end = time.fromisoformat(checked["from"]), time.fromisoformat(checked["to"])
    if checked["type"] == "daily":
        return Window(start, end)
    return Window(start, end, DAYS.index(checked["from_day"]), DAYS.index(checked["to_day"]))

"""What the pages of who must know speak with: times in two zones, and what is wrong with one row of a form."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join

from oncall.document import read_instant, zones
from oncall.models.people import ROLES as ALL_ROLES

register = template.Library()
ROWS = {
    "layers": "layer",
    "users": "turn",
    "restrictions": "times",
    "steps": "step",
    "targets": "target",
    "rules": "rule",
}
FIELDS = {"anchor": "the first turn", "users": "people", "time_zone": "time zone", "restrictions": "times"}


def moment(at: datetime, zone: ZoneInfo) -> str:
    """Say an instant as "Mon 23 Nov 09:00" in a zone; with the year if it is another one than now."""
    local = at.astimezone(zone)
    year = f" {local.year}" if local.year != timezone.now().astimezone(zone).year else ""
    return f"{date_format(local, 'D j M')}{year} {local:%H:%M}"


def stretch(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """Say a span as "Mon 23 Nov 09:00 – 17:00", with the day twice only if it ends on another."""
    last = end.astimezone(zone)
    one_day = start.astimezone(zone).date() == last.date()
    return f"{moment(start, zone)} – {f'{last:%H:%M}' if one_day else moment(end, zone)}"


@register.filter(name="moment")
def moment_here(at: datetime | None) -> str:
    """Say an instant in the reader's zone."""
    return "" if at is None else moment(at, _here())


@register.filter
def moment_in(at: datetime | None, zone: str) -> str:
    """Say an instant in a named zone."""
    return "" if at is None else moment(at, ZoneInfo(zone))


@register.simple_tag
def from_to(start: datetime, end: datetime, zone: str = "") -> str:
    """Say a span in a named zone, or in the reader's."""
    return stretch(start, end, ZoneInfo(zone) if zone else _here())


@register.simple_tag
def both_zones(start: datetime, end: datetime, zone: str) -> str:
    """Say a span in the reader's zone, and in the schedule's if clocks there show something else."""
    here, there = _here(), ZoneInfo(zone)
    mine, theirs = stretch(start, end, here), stretch(start, end, there)
    return mine if mine == theirs else f"{mine}, which is {theirs} in {zone}"


@register.simple_tag
def same_clock(zone: str, at: datetime) -> bool:
    """Say whether clocks in a zone show what the reader's do."""
    return at.astimezone(ZoneInfo(zone)).utcoffset() == at.astimezone(_here()).utcoffset()


@register.simple_tag
def wrong(errors: Mapping[str, str] | None, *path: Any) -> str:
    """Render what is wrong with the field at a path of words and numbers, if anything."""
    name = ".".join(str(step) for step in path)
    text = (errors or {}).get(name)
    return format_html('<p class="wrong" role="alert" id="wrong-{}">{}</p>', name, text) if text else ""


def _here() -> ZoneInfo:
    zone = timezone.get_current_timezone()
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")


@register.filter
def wall_in(at: datetime, zone: str) -> str:
    """Write what clocks in a zone show at an instant, as an input for day and time takes it."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


@register.simple_tag
def lasting(start: datetime, end: datetime) -> str:
    """Say how long a span really lasts: "7 d", "23 h", "1 d 1 h", "30 min"."""
    minutes = int((end - start).total_seconds()) // 60
    parts = ((minutes // 1440, "d"), (minutes % 1440 // 60, "h"), (minutes % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"


@register.filter
def is_uuid(source: str | None) -> bool:
    """Say whether a shift comes from an override: those are called by their id."""
    try:
        UUID(source or "")
    except ValueError:
        return False
    return True


@register.filter
def join_path(before: object, after: object) -> str:
    """Write two pieces of a field's name as one."""
    return f"{before}{after}"


@register.filter
def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


@register.filter
def part(row: Mapping[str, Any], name: str) -> Any:
    """Return one value of a row of a form, "" if it has none."""
    return row.get(name, "")


@register.filter
def place(path: str) -> str:
    """Say where in a form something is wrong: "layers.0.users.2" is "layer 1, turn 3"."""
    found: list[str] = []
    for step in path.split("."):
        if step.isdecimal() and found:
            found[-1] = f"{ROWS.get(found[-1], found[-1])} {int(step) + 1}"
        elif step not in {"rotation", "user", "schedule", "team"} or not found:
            found.append(step)
    said = ", ".join(FIELDS.get(word, word.replace("_", " ")) for word in found)
    return said[:1].upper() + said[1:]


@register.filter
def as_instant(text: str) -> datetime | None:
    """Read an instant as documents write it."""
    return read_instant(text)


@register.filter
def later_than(text: str, now: datetime) -> bool:
    """Say whether an instant of a document is still to come."""
    at = read_instant(text)
    return at is not None and at > now


@register.filter
def handoff(layer: Mapping[str, Any]) -> str:
    """Say when a layer hands over: "Hands over every 2 weeks, on Monday at 09:00."; nothing while it is half typed."""
    rotation, anchor = layer.get("rotation"), layer.get("anchor")
    if not isinstance(rotation, Mapping) or not isinstance(anchor, Mapping):
        return ""
    try:
        first = datetime.fromisoformat(f"{anchor.get('date')}T{anchor.get('time')}")
        length = int(rotation.get("length", ""))
    except (ValueError, TypeError):
        return ""
    unit = str(rotation.get("unit"))
    every = f"every {unit}" if length == 1 else f"every {length} {unit}s"
    on = {
        "week": f" on {first:%A} at {first:%H:%M}",
        "day": f" at {first:%H:%M}",
        "month": f" on day {first.day} at {first:%H:%M}",
    }
    return f"Hands over {every}{on.get(unit, f', counted from {first:%H:%M}')}."


@register.simple_tag
def zone_list() -> str:
    """Render the time zones that an input with list="zones" offers."""
    options = format_html_join("", '<option value="{}">', ((name,) for name in sorted(zones())))
    return format_html('<datalist id="zones">{}</datalist>', options)


@register.filter
def in_order(roles: Iterable[str]) -> list[str]:
    """Return roles with the mightiest first."""
    return [role for role in ALL_ROLES if role in roles]

"""One schedule drawn, with who is on call now, and the state of the form that puts somebody else in."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils import timezone

from config.access import visible
from config.console import Person, show
from oncall import drawing, shifts
from oncall.drawing import Drawing
from oncall.models import EscalationPolicy, Override, Schedule, User
from oncall.rotation import wall
from oncall.shifts import Known
from oncall.watches import watches

DAYS = 14
FARTHEST = timedelta(days=3 * 366)  # from today, either way: what the arrows lead to
NOBODY = "-"


def schedule_page(request: Person, row: Schedule, form: dict[str, Any], status: int = 200) -> HttpResponse:
    """Return the page of a schedule with this state of its form for a new override."""
    now = timezone.now()
    first = first_day(request.GET.get("from", ""), row, now)
    covers = Override.objects.filter(schedule=row, end__gt=now).select_related("user", "replaces", "created_by")
    context = {
        "schedule": row,
        "watch": watches([row], now)[row.pk],
        **picture(request, row, first, now),
        "overrides": [(one, one.start <= now, _may_change(request, one)) for one in covers],
        "policies": visible(request.user, EscalationPolicy.objects.filter(steps__targets__schedule=row).distinct()),
        "form": form,
        "may_change": request.user.has_perm("oncall.change_schedule", row),
        "may_delete": request.user.has_perm("oncall.delete_schedule", row),
    }
    return show(request, "oncall/schedule.html", context, title=row.name, status=status)


def picture(request: Person, row: Schedule, first: date, now: datetime) -> dict[str, Any]:
    """Return what the drawing of two weeks needs, and where its arrows lead."""
    zone = ZoneInfo(row.time_zone)
    known = shifts.known(row, *drawing.span(first, DAYS, zone))
    step = timedelta(days=DAYS)
    return {
        "drawing": drawn(known, first, DAYS, row.time_zone, now),
        "mine": str(request.user.pk),
        "earlier": first - step,
        "later": first + step,
        "is_now": first == wall(now, zone).date(),
    }


def drawn(known: Known, first: date, days: int, zone: str, now: datetime) -> Drawing:
    """Return the drawing of a schedule with the names of its people."""
    names = {key: str(person) for key, person in known.people.items()}
    return drawing.draw(known.definition, first, days, zone=ZoneInfo(zone), now=now, names=names)


def first_day(word: str, row: Schedule, now: datetime) -> date:
    """Return the date that a drawing begins with: the one asked for if it is not far away, else today in the zone."""
    today = wall(now, ZoneInfo(row.time_zone)).date()
    try:
        asked = date.fromisoformat(word)
    except ValueError:
        return today
    return asked if abs(asked - today) <= FARTHEST else today


def override_form(request: Person, schedule: Schedule, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the state of the form: what was typed or linked to, and who may be put in by whoever is signed in."""
    zone = ZoneInfo(schedule.time_zone)
    begin = wall(timezone.now(), zone).replace(minute=0) + timedelta(hours=1)
    anyone = request.user.has_perm("oncall.add_override", Override(schedule=schedule, user=None))
    own = request.user.has_perm("oncall.add_override", Override(schedule=schedule, user=request.user))
    people = User.objects.filter(is_active=True) if anyone else [request.user] if own else []
    return {
        "start": given.get("start") or f"{begin:%Y-%m-%dT%H:%M}",
        "end": given.get("end") or f"{begin + timedelta(hours=8):%Y-%m-%dT%H:%M}",
        "user": given.get("user") or request.user.username,
        "people": people,
        "nobody": NOBODY if anyone else "",
        "open": "start" in given or "user" in given,
    }


def _may_change(request: Person, one: Override) -> bool:
    return bool(request.user.has_perm("oncall.change_override", one))

"""Overrides on a schedule's page: somebody else, or nobody, for a time."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.console import Person, page
from config.problems import Invalid, invalid
from oncall import scheduling
from oncall.admin.pages import actor, find, go, hinted, verb
from oncall.admin.schedule_page import NOBODY, override_form, schedule_page
from oncall.models import Override, Schedule, User
from oncall.rotation import instant

YEARS = range(1900, 2200)


@page("oncall.add_override", methods=("POST",))
def add(request: Person, uuid: UUID) -> HttpResponse:
    """Put somebody, or nobody, on call for a time; wall times are those of the schedule's zone."""
    row = find(request, Schedule.objects.select_related("team"), uuid, "oncall.view_schedule")
    now = timezone.now()
    try:
        with transaction.atomic():
            made = _add(row, request, now)
            audit.record(actor(request), "created", made, audit.differences({}, audit.snapshot(made)), now=now)
    except Invalid as exc:
        form = {**override_form(request, row, request.POST.dict()), "errors": hinted(exc, {}), "open": True}
        return schedule_page(request, row, form, status=400)
    messages.success(request, f"{made.user or 'Nobody'} is on call instead for that time.")
    return go("console-schedule", row.uuid, anchor="overrides")


def _add(row: Schedule, request: Person, now: datetime) -> Override:
    zone = ZoneInfo(row.time_zone)
    word = request.POST.get("user", "")
    user = None if word == NOBODY else User.objects.filter(username=word).first()
    if user is None and word != NOBODY:
        raise invalid("user", "Choose who is on call instead.", "required")
    start, end = (_instant(name, request.POST.get(name, ""), zone) for name in ("start", "end"))
    return scheduling.add_override(row, start=start, end=end, user=user, by=request.user, now=now)


def _instant(name: str, word: str, zone: ZoneInfo) -> datetime:
    try:
        typed = datetime.fromisoformat(word)
    except ValueError:
        typed = None
    if typed is None or typed.tzinfo is not None or typed.year not in YEARS:
        raise invalid(name, "Choose a day and a time.", "required")
    return instant(typed, zone)


@verb("oncall.change_override")
def end(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """End an override that has begun: what it covered so far stays."""
    return _stop(request, now, uuid, "ended", "The override has ended; the rotation counts again.")


@verb("oncall.delete_override")
def delete(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Take away an override that has not begun."""
    return _stop(request, now, uuid, "deleted", "The override is deleted.")


def _stop(request: Person, now: datetime, uuid: UUID, how: str, words: str) -> HttpResponse:
    row = find(request, Override.objects.select_related("schedule"), uuid, "oncall.view_override")
    act = scheduling.end_override if how == "ended" else scheduling.delete_override
    with transaction.atomic():
        audit.record(actor(request), how, row, audit.differences(audit.snapshot(row), {}), now=now)
        act(row, by=request.user, now=now)
    messages.success(request, words)
    return go("console-schedule", row.schedule.uuid, anchor="overrides")

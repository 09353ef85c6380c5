"""The schedules: who is on call on each, and one of them drawn."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, page, show
from oncall import scheduling
from oncall.admin.pages import actor, find, go, verb
from oncall.admin.schedule_page import override_form, schedule_page
from oncall.models import EscalationPolicy, Schedule
from oncall.watches import AHEAD, turns, watches


@page("oncall.view_schedule")
def schedules(request: Person) -> HttpResponse:
    """Show who is on call now on each schedule, until when, and who comes next."""
    now = timezone.now()
    words = request.GET.get("search", "").strip()
    rows = visible(request.user, Schedule.objects.select_related("team"))
    if words:
        rows = rows.filter(Q(name__icontains=words) | Q(team__name__icontains=words))
    found = list(rows)
    on_call = watches(found, now)
    context = {
        "lines": [(schedule, on_call[schedule.pk]) for schedule in found],
        "search": words,
        "turns": turns(request.user, visible(request.user, Schedule.objects.all()), now, now + AHEAD),
        "may_add": request.user.has_perm("oncall.add_schedule", Schedule),
    }
    return show(request, "oncall/schedules.html", context, title="Schedules")


@page("oncall.view_schedule")
def schedule(request: Person, uuid: UUID) -> HttpResponse:
    """Show a schedule's next two weeks, who is on now, the next handoff, and its overrides."""
    row = find(request, Schedule.objects.select_related("team"), uuid, "oncall.view_schedule")
    return schedule_page(request, row, override_form(request, row, request.GET.dict()))


@page("oncall.delete_schedule")
def ask_to_delete(request: Person, uuid: UUID) -> HttpResponse:
    """Say what deleting a schedule means, with the button that does it."""
    row = find(request, Schedule.objects.all(), uuid, "oncall.delete_schedule")
    users = EscalationPolicy.objects.filter(steps__targets__schedule=row).distinct()
    context = {"schedule": row, "policies": users}
    return show(request, "oncall/schedule_delete.html", context, title=f"Delete {row.name}?")


@verb("oncall.delete_schedule")
def delete(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Delete a schedule that no policy uses."""
    row = find(request, Schedule.objects.all(), uuid, "oncall.delete_schedule")
    with transaction.atomic():
        gone = scheduling.as_document(row, now)
        audit.record(actor(request), "deleted", row, audit.differences(gone, {}), now=now)
        scheduling.delete(row)
    messages.success(request, f"{row.name} is deleted.")
    return go("console-schedules")

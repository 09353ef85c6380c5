"""Teams: people who answer for something together, and what is theirs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Prefetch
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, demand, page, show
from config.problems import Conflict
from oncall import people as verbs
from oncall.admin.pages import actor, answers, find, go, verb
from oncall.admin.people_forms import TeamForm
from oncall.models import EscalationPolicy, Membership, Schedule, StepTarget, Team
from oncall.watches import watches

MEMBERS = Prefetch("memberships", Membership.objects.select_related("user"))


@page("oncall.view_team")
def teams(request: Person) -> HttpResponse:
    """Show the teams with their people."""
    words = request.GET.get("search", "").strip()
    rows = visible(request.user, Team.objects.prefetch_related(MEMBERS))
    context = {
        "teams": rows.filter(name__icontains=words) if words else rows,
        "search": words,
        "may_add": request.user.has_perm("oncall.add_team", Team),
    }
    return show(request, "oncall/teams.html", context, title="Teams")


@page("oncall.view_team")
def team(request: Person, uuid: UUID) -> HttpResponse:
    """Show one team: its people, its schedules with who is on call, its policies."""
    row = find(request, Team.objects.prefetch_related(MEMBERS), uuid, "oncall.view_team")
    schedules = list(Schedule.objects.filter(team=row))
    on_call = watches(schedules, timezone.now())
    context = {
        "team": row,
        "lines": [(schedule, on_call[schedule.pk]) for schedule in schedules],
        "policies": EscalationPolicy.objects.filter(team=row),
        "may_change": request.user.has_perm("oncall.change_team", row),
        "may_delete": request.user.has_perm("oncall.delete_team", row),
    }
    return show(request, "oncall/team.html", context, title=row.name)


@page("oncall.add_team", methods=("GET", "HEAD", "POST"))
def new(request: Person) -> HttpResponse:
    """Make a team."""
    demand(request, "oncall.add_team", Team())
    form = TeamForm(answers(request))
    if request.method == "POST" and form.is_valid():
        saved = _save(request, Team(), form.cleaned_data, timezone.now())
        return go("console-team", saved.uuid)
    return _form(request, form, None)


@page("oncall.change_team", methods=("GET", "HEAD", "POST"))
def edit(request: Person, uuid: UUID) -> HttpResponse:
    """Change a team and its people."""
    row = find(request, Team.objects.prefetch_related(MEMBERS), uuid, "oncall.change_team")
    people = {"members": [one.user for one in row.memberships.all()], "managers": row.managers}
    form = TeamForm(answers(request), team=row, initial={"name": row.name, "private": row.private, **people})
    if request.method == "POST" and form.is_valid():
        _save(request, row, form.cleaned_data, timezone.now())
        return go("console-team", row.uuid)
    return _form(request, form, row)


def _form(request: Person, form: TeamForm, row: Team | None) -> HttpResponse:
    members, managers = form.ticked("members"), form.ticked("managers")
    everybody = form.everybody()
    who = [(user, user.username in members | managers, user.username in managers) for user in everybody]
    title = "New team" if row is None else f"Edit {row.name}"
    context = {"form": form, "team": row, "who": who}
    return show(request, "oncall/team_form.html", context, title=title, status=400 if form.errors else 200)


def _save(request: Person, row: Team, given: dict[str, Any], now: datetime) -> Team:
    made = row.pk is None
    with transaction.atomic():
        before = {} if made else _trail(row)
        verbs.save_team(row, **given)
        changes = audit.differences(before, _trail(row))
        audit.record(actor(request), "created" if made else "changed", row, changes, now=now)
    messages.success(request, f"{row.name} is saved.")
    return row


def _trail(row: Team) -> dict[str, Any]:
    fresh = Team.objects.prefetch_related(MEMBERS).get(pk=row.pk)
    people = fresh.memberships.all()
    return {
        **audit.snapshot(fresh),
        "members": [one.user.username for one in people],
        "managers": [one.user.username for one in people if one.manager],
    }


@page("oncall.delete_team")
def ask_to_delete(request: Person, uuid: UUID) -> HttpResponse:
    """Say what deleting a team means, with the button that does it."""
    row = find(request, Team.objects.all(), uuid, "oncall.delete_team")
    context = {"team": row, "policies": _paging(row)}
    return show(request, "oncall/team_delete.html", context, title=f"Delete {row.name}?")


@verb("oncall.delete_team")
def delete(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Delete a team that no policy pages; what was its becomes everybody's."""
    row = find(request, Team.objects.all(), uuid, "oncall.delete_team")
    if names := [policy.name for policy in _paging(row)]:
        raise Conflict("in_use", f"{row} is a target of {', '.join(names)}. Take it out there first.", used_by=names)
    with transaction.atomic():
        audit.record(actor(request), "deleted", row, audit.differences(_trail(row), {}), now=now)
        row.delete()
    messages.success(request, f"{row.name} is deleted.")
    return go("console-teams")


def _paging(row: Team) -> list[EscalationPolicy]:
    steps = StepTarget.objects.filter(team=row).values("step__policy")
    return list(EscalationPolicy.objects.filter(pk__in=steps))

"""People: who they are, what their roles let them do, and whether they can be reached."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Prefetch, Q
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, demand, page, show
from config.problems import Invalid
from oncall import contacts, invitations
from oncall import people as verbs
from oncall.admin.pages import actor, answers, find, go, verb
from oncall.admin.people_forms import NewPersonForm, PersonForm, ProfileForm, put
from oncall.models import ContactMethod, EscalationPolicy, Schedule, Team, User
from oncall.watches import AHEAD, turns

ADMIN = "oncall.deactivate_user"  # what only admins hold: to make people, give roles, and switch people off


@page("oncall.view_user")
def people(request: Person) -> HttpResponse:
    """Show everybody: roles, zone, and in red who cannot be reached."""
    words, which = request.GET.get("search", "").strip(), request.GET.get("show", "active")
    teams = Prefetch("teams", visible(request.user, Team.objects.all()))
    rows = visible(request.user, User.objects.prefetch_related("groups", teams))
    if which != "all":
        rows = rows.filter(is_active=which != "deactivated")
    if words:
        rows = rows.filter(Q(username__icontains=words) | Q(name__icontains=words) | Q(email__icontains=words))
    found = list(rows)
    able = contacts.able(found)
    context = {
        "lines": [(user, user.pk in able) for user in found],
        "search": words,
        "show": which,
        "may_add": request.user.has_perm(ADMIN, User),
    }
    return show(request, "oncall/people.html", context, title="People")


@page(ADMIN, methods=("GET", "HEAD", "POST"))
def new(request: Person) -> HttpResponse:
    """Make a person, who gets a password or a link to choose one."""
    form = NewPersonForm(answers(request), initial={"time_zone": request.user.time_zone, "roles": ["responder"]})
    if request.method == "POST" and form.is_valid():
        try:
            user = _add(request, form.cleaned_data, timezone.now())
        except Invalid as exc:
            put(form, exc)
        else:
            if not user.has_usable_password():
                return _invited(request, user)
            messages.success(request, f"{user} can sign in as {user.username}.")
            return go("console-person", user.uuid)
    return show(
        request, "oncall/person_new.html", {"form": form}, title="New person", status=400 if form.errors else 200
    )


def _add(request: Person, given: dict[str, Any], now: datetime) -> User:
    with transaction.atomic():
        user = verbs.add(**{**given, "password": given["password"] or None})
        audit.record(actor(request), "created", user, audit.differences({}, _trail(user)), now=now)
    return user


def _invited(request: Person, user: User) -> HttpResponse:
    """Show the link by which a person chooses a password. It is not kept anywhere."""
    link = request.build_absolute_uri(invitations.path_for(user))
    title = f"{user}: a link to choose a password"
    return show(request, "oncall/person_link.html", {"person": user, "link": link}, title=title)


@page("oncall.view_user")
def person(request: Person, uuid: UUID) -> HttpResponse:
    """Show one person: what they are, how they are reached, when they are on call."""
    user = find(request, User.objects.prefetch_related("groups"), uuid, "oncall.view_user")
    return _person(request, user, PersonForm(initial=_initial(user)), 200)


def _person(request: Person, user: User, form: forms.Form, status: int) -> HttpResponse:
    now = timezone.now()
    admin = request.user.has_perm(ADMIN, user)
    reads = request.user.has_perm("oncall.view_contactmethod", ContactMethod(user=user))
    context = {
        "person": user,
        "form": form if admin else None,
        "reachable": user.pk in contacts.able([user]),
        "methods": ContactMethod.objects.filter(user=user).select_related("vouched_by") if reads else None,
        "may_vouch": request.user.has_perm("oncall.vouch_contactmethod", ContactMethod(user=user)),
        "teams": visible(request.user, Team.objects.filter(members=user)),
        "turns": turns(user, visible(request.user, Schedule.objects.all()), now, now + AHEAD),
        "admin": admin,
        "own": user.pk == request.user.pk,
    }
    return show(request, "oncall/person.html", context, title=str(user), status=status)


@page(ADMIN, methods=("POST",))
def change(request: Person, uuid: UUID) -> HttpResponse:
    """Store what an admin changed of a person."""
    user = find(request, User.objects.prefetch_related("groups"), uuid, ADMIN)
    form = PersonForm(request.POST)
    if form.is_valid():
        try:
            _change(request, user, form.cleaned_data, timezone.now())
        except Invalid as exc:
            put(form, exc)
        else:
            messages.success(request, f"{user} is saved.")
            return go("console-person", user.uuid)
    return _person(request, User.objects.prefetch_related("groups").get(pk=user.pk), form, 400)


def _change(request: Person, user: User, given: dict[str, Any], now: datetime) -> None:
    with transaction.atomic():
        before = _trail(user)
        verbs.change(user, **given)
        audit.record(actor(request), "changed", user, audit.differences(before, _trail(user)), now=now)


def _trail(user: User) -> dict[str, Any]:
    fresh = User.objects.get(pk=user.pk)
    return {**audit.snapshot(fresh), "roles": sorted(fresh.roles)}


def _initial(user: User) -> dict[str, Any]:
    return {**{name: getattr(user, name) for name in ProfileForm.base_fields}, "roles": sorted(user.roles)}


@page(ADMIN)
def ask_to_deactivate(request: Person, uuid: UUID) -> HttpResponse:
    """Say what it means to switch a person off: whose turns become vacant, which policies lose a target."""
    user = find(request, User.objects.all(), uuid, ADMIN)
    now = timezone.now()
    context = {
        "person": user,
        "turns": turns(user, Schedule.objects.all(), now, now + timedelta(days=90)),
        "policies": EscalationPolicy.objects.filter(steps__targets__user=user).distinct(),
        "tokens": user.tokens.filter(revoked_at=None).count(),
    }
    return show(request, "oncall/person_deactivate.html", context, title=f"Deactivate {user}?")


@verb(ADMIN)
def deactivate(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Switch a person off."""
    user = find(request, User.objects.all(), uuid, ADMIN)
    verbs.deactivate(user, by=request.user, actor=actor(request), now=now)
    messages.success(request, f"{user} is deactivated: on call for nothing, and cannot sign in.")
    return go("console-person", user.uuid)


@verb(ADMIN)
def reactivate(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Give a person turns and entry back."""
    user = find(request, User.objects.all(), uuid, ADMIN)
    verbs.reactivate(user, actor=actor(request), now=now)
    messages.success(request, f"{user} is back, with the turns from now on.")
    return go("console-person", user.uuid)


@page(ADMIN, methods=("POST",))
def invite(request: Person, uuid: UUID) -> HttpResponse:
    """Make a link by which a person chooses a new password."""
    user = find(request, User.objects.filter(is_active=True), uuid, ADMIN)
    demand(request, ADMIN, user)
    audit.record(actor(request), "invited", user, now=timezone.now())
    return _invited(request, user)


@verb("oncall.vouch_contactmethod")
def vouch(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Answer for an address in place of a code."""
    method = find(request, ContactMethod.objects.select_related("user"), uuid, "oncall.vouch_contactmethod")
    contacts.vouch(method, by=request.user, actor=actor(request), now=now)
    messages.success(request, f"{method} counts as verified, because you vouched for it.")
    return go("console-person", method.user.uuid, anchor="reach")

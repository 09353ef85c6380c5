"""A schedule as a form: layers as rows, people in order, times of day; and before and after of an edit.

The state of the form is the schedule's document with every value as it was typed, so what is wrong with the document is
said beside the field of the same name.
"""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, demand, page, show
from config.problems import Invalid
from oncall import scheduling
from oncall.admin.pages import actor, find, go, hinted
from oncall.admin.rows import Tree, arrange, group, nested, rows, texts, whole
from oncall.admin.schedule_page import drawn
from oncall.document import DAYS as WEEKDAYS
from oncall.models import Layer, Schedule, Team, User
from oncall.moves import Moves, compare, holes
from oncall.rotation import wall
from oncall.shifts import Known

SEEN_DAYS = 30
MONDAY = 0
HINTS = {  # the document's own words are for programs
    "anchor": "Choose the day and time at which the first person's turn begins.",
    "users": "Add at least one person, and at most 50.",
    "name": "Give it a name of at most 100 characters.",
    "length": "A turn lasts a whole number from 1 to 9000.",
    "from": "Choose a time of day.",
    "to": "Choose a time of day.",
    "time_zone": "Choose a time zone of the list, such as Europe/Riga or UTC.",
}


@page("oncall.add_schedule", methods=("GET", "HEAD", "POST"))
def new(request: Person) -> HttpResponse:
    """Make a schedule."""
    if request.method == "POST":
        return _posted(request, None)
    return _form(request, None, _fresh(request.user, timezone.now()))


@page("oncall.change_schedule", methods=("GET", "HEAD", "POST"))
def edit(request: Person, uuid: UUID) -> HttpResponse:
    """Change a schedule; what was before now stays."""
    row = find(request, Schedule.objects.select_related("team"), uuid, "oncall.change_schedule")
    if request.method == "POST":
        return _posted(request, row)
    now = timezone.now()
    return _form(request, row, {**typed(scheduling.as_document(row, now)), "seen": _print(row, now)})


def _posted(request: Person, row: Schedule | None) -> HttpResponse:
    """Move rows, show what would be, or store it."""
    state = nested(request.POST)
    order = str(state.pop("row", ""))
    if order and order not in {"back", "preview"}:
        return _form(request, row, arrange(state, order, _blank))
    now = timezone.now()
    try:
        before, after = scheduling.foresee(row, document(state), by=request.user, now=now)
    except Invalid as exc:
        return _form(request, row, state, errors=hinted(exc, HINTS), status=400)
    moves = _moves(row, before, after, now)
    if order:
        shown = {"after": _picture(after, state, now)} if order == "preview" else {}
        return _form(request, row, state, **shown)
    if row is not None and state.get("seen") != _print(row, now):
        state["seen"] = _print(row, now)
        told = f"Somebody has changed {row.name} since you opened this form. Look at it once more, then save."
        return _form(request, row, state, errors={"": told}, status=409)
    if "confirmed" not in state and not moves.none:
        return _confirm(request, row, state, before, after, moves, now)
    return _store(request, row, state, now)


def _moves(row: Schedule | None, before: Known, after: Known, now: datetime) -> Moves:
    """Return what saving moves in 30 days; of a new schedule only where nobody would be on call."""
    end = now + timedelta(days=SEEN_DAYS)
    if row is None:
        return Moves(people=(), gaps=holes(after.definition, now, end))
    return compare(before.definition, after.definition, now, end)


def _store(request: Person, row: Schedule | None, state: Tree, now: datetime) -> HttpResponse:
    team = visible(request.user, Team.objects.filter(name=state.get("team", ""))).first()
    demand(request, "oncall.add_schedule" if row is None else "oncall.change_schedule", Schedule(team=team))
    with transaction.atomic():
        was = {} if row is None else scheduling.as_document(row, now)
        saved = scheduling.save(row, document(state), by=request.user, now=now)
        changes = audit.differences(was, scheduling.as_document(saved, now))
        audit.record(actor(request), "created" if row is None else "changed", saved, changes, now=now)
    messages.success(request, f"{saved.name} is saved.")
    return go("console-schedule", saved.uuid)


def _form(request: Person, row: Schedule | None, state: Tree, status: int = 200, **more: Any) -> HttpResponse:
    title = "New schedule" if row is None else f"Edit {row.name}"
    return show(
        request, "oncall/schedule_form.html", {**_choices(request, row, state), **more}, title=title, status=status
    )


def _choices(request: Person, row: Schedule | None, state: Tree) -> dict[str, Any]:
    named = {user for layer in rows(state, "layers") for user in texts(layer, "users")}
    active = User.objects.filter(is_active=True)
    return {
        "schedule": row,
        "state": state,
        "layers": rows(state, "layers"),
        "people": [*active, *User.objects.filter(is_active=False, username__in=named)],
        "teams": visible(request.user, Team.objects.all()),
        "units": Layer.Unit.choices,
        "weekdays": WEEKDAYS,
    }


def _confirm(
    request: Person, row: Schedule | None, state: Tree, before: Known, after: Known, moves: Moves, now: datetime
) -> HttpResponse:
    context = {
        "schedule": row,
        "fields": [(name, value) for name, value in request.POST.items() if name not in {"csrfmiddlewaretoken", "row"}],
        "before": _picture(before, state, now) if row is not None else None,
        "after": _picture(after, state, now),
        "zone": state["time_zone"],
        "moved": [after.people[user] for user in moves.people],
        "gaps": moves.gaps,
    }
    title = "Save this schedule?" if row is None else f"Save {row.name}?"
    return show(request, "oncall/schedule_confirm.html", context, title=title)


def _picture(known: Known, state: Tree, now: datetime) -> Any:
    zone = str(state["time_zone"])
    return drawn(known, wall(now, ZoneInfo(zone)).date(), SEEN_DAYS, zone, now)


def document(state: Tree) -> Tree:
    """Return the document that a state of the form means; what was typed wrong stays, to be refused by its name."""
    return {
        "name": str(state.get("name", "")).strip(),
        "team": state.get("team") or None,
        "time_zone": state.get("time_zone", ""),
        "layers": [_layer(layer) for layer in rows(state, "layers")],
    }


def _layer(typed_in: Tree) -> Tree:
    rotation, anchor = group(typed_in, "rotation"), group(typed_in, "anchor")
    kept = ("name", "effective_from", "effective_until", "time_zone")
    return {
        **{name: typed_in[name] for name in kept if typed_in.get(name)},
        "users": [user or None for user in texts(typed_in, "users")],
        "rotation": {"unit": rotation.get("unit"), "length": whole(rotation.get("length", ""))},
        "anchor": f"{anchor.get('date', '')}T{anchor.get('time', '')}",
        "restrictions": rows(typed_in, "restrictions"),
    }


def typed(written: Tree) -> Tree:
    """Return the state of the form that shows a document."""
    layers = []
    for layer in written["layers"]:
        day, _, clock = layer["anchor"].partition("T")
        users = [user or "" for user in layer["users"]]
        layers.append({**layer, "users": users, "anchor": {"date": day, "time": clock}})
    return {"name": written["name"], "team": written["team"] or "", "time_zone": written["time_zone"], "layers": layers}


def _fresh(user: User, now: datetime) -> Tree:
    """Return a form to begin with: a week each from Monday at nine, whoever is signed in the first."""
    today = wall(now, user.zone).date()
    layer = {
        "users": [user.username],
        "rotation": {"unit": "week", "length": "1"},
        "anchor": {"date": str(today - timedelta(days=today.weekday() - MONDAY)), "time": "09:00"},
    }
    return {"name": "", "team": "", "time_zone": user.time_zone, "layers": [layer]}


def _blank(path: list[str], word: str) -> Any:
    """Return a new row for a list of the form."""
    if path[-1] == "users":
        return ""
    if path[-1] == "restrictions":
        days = {"from_day": "MON", "to_day": "FRI"} if word == "weekly" else {}
        return {"type": "weekly" if days else "daily", "from": "09:00", "to": "17:00", **days}
    today = timezone.localdate()
    monday = today - timedelta(days=today.weekday())
    return {
        "users": [""],
        "rotation": {"unit": "week", "length": "1"},
        "anchor": {"date": str(monday), "time": "09:00"},
    }


def _print(row: Schedule, now: datetime) -> str:
    """Return a fingerprint of what the form shows of a schedule, to notice that somebody else has changed it."""
    written = scheduling.as_document(row, now)
    shown = {name: written[name] for name in ("name", "team", "time_zone", "layers")}
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]

"""An escalation policy as a form: steps as rows in the order in which they are taken, each with its targets."""

import hashlib
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, demand, page, show
from config.problems import Invalid
from oncall import policies as rules
from oncall.admin.pages import actor, find, go, hinted
from oncall.admin.rows import Tree, arrange, nested, rows, texts, whole
from oncall.models import EscalationPolicy, Schedule, Step, Team, User
from oncall.policy import MOST_REPEATS

HINTS = {
    "name": "Give it a name of at most 100 characters.",
    "steps": "Add at least one step: a policy without steps tells nobody.",
    "targets": "Choose at least one person, schedule or team.",
    "user": "Choose whom to tell.",
    "schedule": "This schedule is gone. Choose another.",
    "team": "This team is gone. Choose another.",
    "delay_minutes": "Send whole minutes from 0 to 9000.",
    "start_delay_minutes": "Send whole minutes from 0 to 60.",
    "ack_timeout_minutes": "Send whole minutes from 1 to 9000, or leave it empty.",
}


@page("oncall.add_escalationpolicy", methods=("GET", "HEAD", "POST"))
def new(request: Person) -> HttpResponse:
    """Make a policy."""
    if request.method == "POST":
        return _posted(request, None)
    return _form(request, None, {"name": "", "repeat": "", "steps": [_blank(["steps"], "")]})


@page("oncall.change_escalationpolicy", methods=("GET", "HEAD", "POST"))
def edit(request: Person, uuid: UUID) -> HttpResponse:
    """Change a policy; incidents under way go on by the steps they began with."""
    policies = EscalationPolicy.objects.select_related("team").prefetch_related(*rules.STEPS)
    row = find(request, policies, uuid, "oncall.change_escalationpolicy")
    if request.method == "POST":
        return _posted(request, row)
    return _form(request, row, {**_typed(row), "seen": _print(row)})


def _posted(request: Person, row: EscalationPolicy | None) -> HttpResponse:
    state = nested(request.POST)
    order = str(state.pop("row", ""))
    if order:
        return _form(request, row, arrange(state, order, _blank))
    if row is not None and state.get("seen") != _print(row):
        state["seen"] = _print(row)
        told = f"Somebody has changed {row.name} since you opened this form. Look at it once more, then save."
        return _form(request, row, state, errors={"": told}, status=409)
    try:
        saved = _store(request, row, state, timezone.now())
    except Invalid as exc:
        return _form(request, row, state, errors=hinted(exc, HINTS), status=400)
    messages.success(request, f"{saved.name} is saved.")
    return go("console-policy", saved.uuid)


def _store(request: Person, row: EscalationPolicy | None, state: Tree, now: datetime) -> EscalationPolicy:
    team = visible(request.user, Team.objects.filter(name=state.get("team", ""))).first()
    act = "add" if row is None else "change"
    demand(request, f"oncall.{act}_escalationpolicy", EscalationPolicy(team=team))
    with transaction.atomic():
        was = {} if row is None else rules.as_document(row)
        saved = rules.save(row, document(state), by=request.user, now=now)
        fresh = EscalationPolicy.objects.get(pk=saved.pk)
        changes = audit.differences(was, rules.as_document(fresh))
        audit.record(actor(request), "created" if row is None else "changed", fresh, changes, now=now)
    return fresh


def _form(request: Person, row: EscalationPolicy | None, state: Tree, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "policy": row,
        "state": state,
        "steps": rows(state, "steps"),
        "people": User.objects.filter(is_active=True),
        "schedules": visible(request.user, Schedule.objects.all()),
        "teams": visible(request.user, Team.objects.all()),
        "strategies": Step.Strategy.choices,
        "low_urgencies": EscalationPolicy.LowUrgency.choices,
        "repeats": _repeats(),
        **more,
    }
    title = "New escalation policy" if row is None else f"Edit {row.name}"
    return show(request, "oncall/policy_form.html", context, title=title, status=status)


def _repeats() -> list[tuple[str, str]]:
    further = [(str(n), "once more" if n == 1 else f"{n} times more") for n in range(1, MOST_REPEATS + 1)]
    return [("", "until somebody answers"), ("0", "not at all"), *further]


def document(state: Tree) -> Tree:
    """Return the document that a state of the form means; what was typed wrong stays, to be refused by its name."""
    timeout, repeat = state.get("ack_timeout_minutes", ""), state.get("repeat", "")
    return {
        "name": str(state.get("name", "")).strip(),
        "team": state.get("team") or None,
        "repeat": None if repeat == "" else whole(repeat),
        "start_delay_minutes": whole(state.get("start_delay_minutes") or "0"),
        "ack_timeout_minutes": None if timeout == "" else whole(timeout),
        "low_urgency": state.get("low_urgency", "first_step"),
        "steps": [
            {
                "targets": [_target(word) for word in texts(step, "targets")],
                "delay_minutes": whole(step.get("delay_minutes", "")),
                "strategy": step.get("strategy", "everyone"),
            }
            for step in rows(state, "steps")
        ],
    }


def _target(word: str) -> dict[str, str]:
    kind, _, name = word.partition(":")
    return {kind: name} if kind in {"user", "schedule", "team"} else {"user": ""}


def _typed(row: EscalationPolicy) -> Tree:
    """Return the state of the form that shows a policy; targets are written "schedule:<uuid>"."""
    written = rules.snapshot(row).to_json()
    steps = [
        {**step, "targets": [f"{kind}:{name}" for target in step["targets"] for kind, name in target.items()]}
        for step in written["steps"]
    ]
    empty = {name: "" if written[name] is None else str(written[name]) for name in ("repeat", "ack_timeout_minutes")}
    return {**written, **empty, "team": row.team.name if row.team else "", "steps": steps}


def _blank(path: list[str], word: str) -> Any:
    """Return a new row for a list of the form."""
    if path[-1] == "targets":
        return ""
    return {"delay_minutes": "5", "strategy": "everyone", "targets": [""]}


def _print(row: EscalationPolicy) -> str:
    """Return a fingerprint of what the form shows of a policy, to notice that somebody else has changed it."""
    return hashlib.sha256(json.dumps(rules.as_document(row), sort_keys=True).encode()).hexdigest()[:16]

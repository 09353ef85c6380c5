"""The buttons of an incident: each is a POST that calls one verb of the lifecycle and leads back to where it was.

Pressed twice they do no harm: a verb that has nothing left to do changes nothing, escalation carries the step on which
it was asked, a note is not written twice. What cannot be done is said in a sentence on the page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TypeVar
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from config import access
from config.console import Person, demand, page
from config.problems import NotFound, Problem, invalid
from incidents import broadcast, lifecycle, timeline
from incidents.lifecycle import Assignee, Change
from incidents.models import Connection, Incident, TimelineEntry
from incidents.sentences import join
from incidents.timeline import Actor, Kind
from oncall.models import EscalationPolicy, Schedule, Team, User

Asked = Mapping[str, str]  # what the form says
M = TypeVar("M", bound=Model)
Act = Callable[[Sequence[Incident], Actor, datetime, Asked], list[Change]]
ACKNOWLEDGE, ASSIGN, CLOSE, CHANGE, DELETE = (
    f"incidents.{word}_incident" for word in ("acknowledge", "assign", "close", "change", "delete")
)
SAME_NOTE = timedelta(seconds=60)  # a note pressed twice within this is one note
LONGEST_NOTE = 10_000
SNOOZES = ((30, "30 min"), (60, "1 h"), (240, "4 h"))
MORNING = time(9)


@dataclass(frozen=True)
class Verb:
    """What a button does, which permission it needs on the row, how it is said of several."""

    act: Act
    permission: str
    past: str


def _acknowledge(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    return lifecycle.acknowledge(incidents, by=by, now=now)


def _unacknowledge(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    return lifecycle.unacknowledge(incidents, by=by, now=now)


def _resolve(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    return lifecycle.resolve(incidents, by=by, now=now, resolution=asked.get("resolution", "").strip()[:500])


def _close(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    return lifecycle.close(incidents, by=by, now=now, resolution=asked.get("resolution", "").strip()[:500])


def _escalate(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    sequence = asked.get("sequence", "")
    return lifecycle.escalate(incidents, by=by, now=now, sent_for=int(sequence) if sequence.isdecimal() else None)


def _snooze(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    return lifecycle.snooze(incidents, until=_until(asked, now), by=by, now=now)


def _unsnooze(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    return lifecycle.unsnooze(incidents, by=by, now=now)


def _assign(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    if asked.get("to") == "me":
        return lifecycle.assign(incidents, Assignee(user=by.user), by=by, now=now)
    return lifecycle.assign(incidents, _assignee(asked.get("to", ""), by), by=by, now=now)


def _unassign(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    return lifecycle.unassign(incidents, by=by, now=now)


def _note(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    text = asked.get("text", "").strip().replace("\0", "")[:LONGEST_NOTE]
    if not text:
        raise invalid("", "A note needs some words.", "required")
    latest = TimelineEntry.objects.filter(incident__in=incidents, kind=Kind.NOTE, user=by.user, at__gt=now - SAME_NOTE)
    if any(entry.facts.get("text") == text for entry in latest):
        return [Change(incident) for incident in incidents]
    return lifecycle.note(incidents, text, by=by, now=now)


def _delete(incidents: Sequence[Incident], by: Actor, now: datetime, asked: Asked) -> list[Change]:
    return lifecycle.delete(incidents, by=by, now=now)


VERBS: Mapping[str, Verb] = {
    "acknowledge": Verb(_acknowledge, ACKNOWLEDGE, "acknowledged"),
    "unacknowledge": Verb(_unacknowledge, ACKNOWLEDGE, "given back"),
    "resolve": Verb(_resolve, CLOSE, "resolved"),
    "close": Verb(_close, CLOSE, "closed"),
    "escalate": Verb(_escalate, ACKNOWLEDGE, "escalated"),
    "snooze": Verb(_snooze, ACKNOWLEDGE, "snoozed"),
    "unsnooze": Verb(_unsnooze, ACKNOWLEDGE, "woken"),
    "assign": Verb(_assign, ASSIGN, "assigned"),
    "unassign": Verb(_unassign, ASSIGN, "unassigned"),
    "note": Verb(_note, CHANGE, "noted"),
    "delete": Verb(_delete, DELETE, "deleted"),
}
IN_BULK = ("acknowledge", "resolve", "snooze", "assign", "unassign", "close", "delete")


@page("incidents.view_incident", methods=("POST",))
def act(request: Person, number: int, name: str) -> HttpResponse:
    """`POST /incidents/<number>/<verb>/`: do it, and go back to the incident."""
    verb = VERBS.get(name)
    if verb is None:
        raise NotFound
    incident = get_object_or_404(_visible(request), pk=number)
    demand(request, verb.permission, incident)
    try:
        change = verb.act([incident], Actor.person(request.user, "console"), timezone.now(), _said(request))[0]
    except Problem as refusal:
        messages.error(request, _words(refusal))
    else:
        if change.refusal:
            messages.error(request, str(change.refusal))
        elif name == "delete":
            messages.success(request, f"#{number} is deleted.")
            return HttpResponseRedirect(reverse("console-incidents"))
    return _back(request, reverse("console-incident", args=[number]))


@page("incidents.view_incident", methods=("POST",))
def act_on_many(request: Person) -> HttpResponse:
    """`POST /incidents/bulk/`: one verb on the incidents chosen in a list; say how many worked and which did not."""
    name = request.POST.get("verb", "")
    if name not in IN_BULK:
        raise NotFound("There is no such button.")
    back = _back(request, reverse("console-incidents"))
    numbers = [int(word) for word in request.POST.getlist("number") if word.isdecimal() and len(word) < 19]
    found = list(_visible(request).filter(pk__in=numbers))
    if not found:
        messages.error(request, "Choose one incident or more first.")
        return back
    verb = VERBS[name]
    allowed = [incident for incident in found if request.user.has_perm(verb.permission, incident)]
    refused = [(one, "your roles do not allow it") for one in found if one not in allowed]
    asked = _said(request)
    try:
        changes = verb.act(allowed, Actor.person(request.user, "console"), timezone.now(), asked) if allowed else []
    except Problem as refusal:
        messages.error(request, _words(refusal))
        return back
    refused += [(change.incident, str(change.refusal)) for change in changes if change.refusal]
    _tell(request, verb, [change for change in changes if not change.refusal], refused)
    return back


@page("incidents.change_incident", methods=("POST",))
def tell_connection(request: Person, number: int, uuid: UUID) -> HttpResponse:
    """`POST /incidents/<number>/tell/<connection>/`: tell a connected system because a person asked; once."""
    incident = get_object_or_404(_visible(request), pk=number)
    demand(request, CHANGE, incident)
    connections = access.visible(request.user, Connection.objects.select_related("connector", "alert_source"))
    connection = get_object_or_404(connections, uuid=uuid, mode=Connection.Mode.MANUAL, enabled=True)
    if connection.alert_source_id not in {None, incident.alert_source_id}:
        raise NotFound
    now = timezone.now()
    with transaction.atomic():
        locked = timeline.lock([incident.pk])[0]
        entry = TimelineEntry.objects.filter(incident=locked, kind=Kind.OPEN).order_by("number").first()
        if entry is not None and not broadcast.was_told(locked, connection):
            entry.incident = locked
            text = f"asked for “{connection}”."
            timeline.add(locked, Kind.NOTE, {"text": text}, at=now, by=Actor.person(request.user, "console"))
            broadcast.tell_by_hand(locked, connection, entry, now=now)
    return _back(request, reverse("console-incident", args=[number]))


def _said(request: Person) -> dict[str, str]:
    return {name: str(value) for name, value in request.POST.items()}


def _visible(request: Person) -> QuerySet[Incident]:
    return access.visible(request.user, Incident.objects.select_related("team", "alert_source"))


def _until(asked: Asked, now: datetime) -> datetime:
    """Return when a snooze ends: in so many minutes, or at nine in the morning of the person who asks."""
    if asked.get("minutes") == "morning":
        local = timezone.localtime(now)
        nine = datetime.combine(local.date(), MORNING, tzinfo=local.tzinfo)
        return nine if nine > now + timedelta(minutes=1) else nine + timedelta(days=1)
    minutes = asked.get("minutes", "60")
    if not minutes.isdecimal() or len(minutes) > 6:
        raise invalid("", "Say for how many minutes.", "invalid")
    return now + timedelta(minutes=int(minutes))


def _assignee(words: str, by: Actor) -> Assignee:
    """Read "user:<uuid>", "team:...", "schedule:..." or "policy:...". Raises Invalid."""
    kind, _, key = words.partition(":")
    try:
        uuid = UUID(key)
    except ValueError as exc:
        raise invalid("", "Choose to whom.", "required") from exc
    match kind:
        case "user":
            return Assignee(user=_one(User.objects.all(), uuid, by))
        case "team":
            return Assignee(team=_one(Team.objects.all(), uuid, by))
        case "schedule":
            return Assignee(schedule=_one(Schedule.objects.all(), uuid, by))
        case "policy":
            return Assignee(policy=_one(EscalationPolicy.objects.all(), uuid, by))
    raise invalid("", "Choose to whom.", "required")


def _one(rows: QuerySet[M], uuid: UUID, by: Actor) -> M:
    found = access.visible(by.user, rows).filter(uuid=uuid).first()
    if found is None:
        raise invalid("", "That is not there any more. Choose another.", "not_found")
    return found


def _words(refusal: Problem) -> str:
    return " ".join(error.detail for error in refusal.errors) or refusal.detail


def _tell(request: Person, verb: Verb, done: Sequence[Change], refused: Sequence[tuple[Incident, str]]) -> None:
    changed = [change for change in done if change.changed]
    already = len(done) - len(changed)
    words = [f"{len(changed)} {verb.past}."] if changed else []
    words += [f"{already} needed nothing."] if already else []
    if words:
        messages.success(request, " ".join(words))
    by_reason: dict[str, list[str]] = {}
    for incident, why in refused:
        by_reason.setdefault(why.rstrip("."), []).append(f"#{incident.pk}")
    for why, numbers in by_reason.items():
        messages.error(request, f"Not {verb.past}: {join(numbers)} ({why}).")


def _back(request: Person, otherwise: str) -> HttpResponse:
    asked = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(asked, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(asked if safe else otherwise, status=303)

"""One incident: what is wrong, who knows, what comes next, what happened; made for a phone at night."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from config import access
from config.console import Person, demand, etag, fragment, page, show
from destinations.models import Delivery
from incidents.admin.raw_events import readable
from incidents.admin.verbs import SNOOZES, VERBS
from incidents.broadcast import lane
from incidents.document import load
from incidents.models import Connection, Incident, Page, RawEvent, Run, TimelineEntry
from incidents.outlook import outlook
from incidents.routing import runbook
from incidents.sentences import sentence
from incidents.told import told
from oncall.models import EscalationPolicy, Schedule, Team, User

MOST_FACTS = 200
NEWEST = 100  # timeline entries shown before one asks for all
SCHEMES = ("http", "https", "mailto")
Kind = TimelineEntry.Kind
MARKS = {  # entries that are more than a line of text
    Kind.UNTOLD: "bad",
    Kind.EXHAUST: "bad",
    Kind.NOTE: "note",
    Kind.OPEN: "state",
    Kind.ACKNOWLEDGE: "state",
    Kind.UNACKNOWLEDGE: "state",
    Kind.RESOLVE: "state",
    Kind.CLOSE: "state",
}
FAILED = {"failed", "unknown"}


@dataclass(frozen=True)
class Line:
    """One timeline entry in words."""

    number: int
    at: datetime
    text: str
    look: str  # "", bad, note or state


@dataclass(frozen=True)
class Link:
    """Where else to look. `href` is "" for an address that a browser should not follow."""

    text: str
    href: str


@dataclass(frozen=True)
class Mend:
    """What makes that somebody is told."""

    text: str
    href: str


@page("incidents.view_incident")
def incident_page(request: Person, number: int) -> HttpResponse:
    """`GET /incidents/<number>/`: the whole page."""
    incident = _found(request, number)
    context = {
        **_live(request, incident),
        **_beside(request, incident),
        "tag": etag(request, _stamp(request, incident)),
    }
    return show(request, "incidents/incident.html", context, title=f"#{number} {incident.title}")


@page("incidents.view_incident")
def live(request: Person, number: int) -> HttpResponse:
    """`GET /incidents/<number>/live/`: what of the page changes by itself."""
    incident = _found(request, number)
    return fragment(
        request, "incidents/incident_live.html", lambda: _live(request, incident), stamp=_stamp(request, incident)
    )


def _found(request: Person, number: int) -> Incident:
    incidents = access.visible(request.user, Incident.objects.select_related("team", "alert_source", "closed_by"))
    incident = get_object_or_404(incidents, pk=number)
    demand(request, "incidents.view_incident", incident)
    return incident


def _live(request: Person, incident: Incident) -> dict[str, Any]:
    now = timezone.now()
    load([incident])
    run: Run | None = next(iter(incident.live_runs), None)  # type: ignore[attr-defined]
    whole = "all" in request.GET
    entries = list(incident.timeline.order_by("-number")[: None if whole else NEWEST])
    return {
        "incident": incident,
        "run": run,
        "holders": [one.user or one.team for one in incident.assignments.all()],
        "told": told(incident),
        "next": outlook(incident, run, now),
        "lines": _lines(entries),
        "more": incident.entries - len(entries),
        "whole": whole,
        "mends": _mends(incident, request.user) if incident.told is False else [],
        "may": {name: request.user.has_perm(verb.permission, incident) for name, verb in VERBS.items()},
        "is_mine": incident.acknowledged_by_id == request.user.pk,
        "now": now,
    }


def _beside(request: Person, incident: Incident) -> dict[str, Any]:
    """Return what stands on the page and does not change while one looks at it."""
    connections = _connections(request, incident)
    last = RawEvent.objects.filter(incident=incident).order_by("-pk").first()
    user = request.user
    may_see_events = user.has_perm("incidents.view_rawevent", incident)
    return {
        "links": _links(incident, connections),
        "images": [link for image in incident.images if (link := _link(image.get("alt") or "Image", image.get("src")))],
        "labels": sorted({**incident.labels, **incident.contextual_labels}.items()),
        "details": list(islice(_facts(incident.details), MOST_FACTS)),
        "raw": last if may_see_events else None,
        "raw_text": readable(last.body) if last and may_see_events else "",
        "may_see_events": may_see_events,
        "snoozes": SNOOZES,
        "buttons": _buttons(incident, connections),
        "assignable": _assignable(user),
    }


def _stamp(request: HttpRequest, incident: Incident) -> tuple[object, ...]:
    """Return what changes whenever the live part would; and each minute, for who is on call next may change, too."""
    run = (
        Run.objects.filter(incident=incident)
        .exclude(state=Run.State.ENDED)
        .values_list("pk", "state", "due_at")
        .first()
    )
    pages = Page.objects.filter(incident=incident).aggregate(
        count=Count("pk"), last=Max("settled_at"), waiting=Count("pk", filter=Q(state=Page.State.WAITING))
    )
    minute = int(timezone.now().timestamp() // 60)
    return (incident.pk, incident.version, incident.entries, run, *pages.values(), "all" in request.GET, minute)


def _lines(entries: Sequence[TimelineEntry]) -> list[Line]:
    """Return entries, newest first, as lines; what a source said again and again in a row is one line."""
    found: list[Line] = []
    again: TimelineEntry | None = None
    for entry in entries:
        if again and entry.kind == Kind.UPSERT_STATE and entry.actor == again.actor:
            again.facts = {"events": again.facts.get("events", 1) + entry.facts.get("events", 1)}
            found[-1] = Line(again.number, again.at, sentence(again), "")
            continue
        again = entry if entry.kind == Kind.UPSERT_STATE else None
        found.append(_line(entry))
    return found


def _line(entry: TimelineEntry) -> Line:
    look = MARKS.get(Kind(entry.kind), "")
    if entry.facts.get("outcome") in FAILED or (entry.kind == Kind.ESCALATE and not entry.facts.get("people")):
        look = "bad"
    return Line(entry.number, entry.at, sentence(entry), look)


def _mends(incident: Incident, user: User) -> list[Mend]:
    """Return where the cause of silence can be removed, nearest first."""
    found = []
    if incident.escalation_policy is None and not incident.alert_source.built_in:
        href = _address("console-source", incident.alert_source.uuid)
        found.append(Mend(f"Give {incident.alert_source} an escalation policy", href))
    if incident.escalation_policy is not None:
        href = _address("console-policy", incident.escalation_policy.uuid)
        found.append(Mend(f"See who {incident.escalation_policy} reaches", href))
    if not any(method.usable for method in user.contact_methods.all()):
        found.append(Mend("Add a way to reach you", _address("console-me")))
    return [mend for mend in found if mend.href]


def _facts(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Return nested details as (path, value) pairs."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _facts(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for place, inner in enumerate(value):
            yield from _facts(inner, f"{name}.{place}")
    elif isinstance(value, list):
        yield name, ", ".join(str(one) for one in value)
    else:
        yield name, value


def _links(incident: Incident, connections: Sequence[Connection]) -> list[Link]:
    books = [runbook(connection.runbook_links, incident.class_name) for connection in connections]
    found = [_link("Runbook", href) for href in dict.fromkeys(books) if href]
    found += [_link(link.get("text") or link.get("href"), link.get("href")) for link in incident.links]
    return [link for link in found if link]


def _link(text: object, href: object) -> Link | None:
    """Return a link that may be followed, plain words for another scheme, None for nothing."""
    address = str(href or "")
    if not address:
        return None
    try:
        followed = urlsplit(address).scheme.lower() in SCHEMES
    except ValueError:
        followed = False
    return Link(str(text), address) if followed else Link(f"{text} ({address})", "")


def _connections(request: Person, incident: Incident) -> list[Connection]:
    of_source = Q(alert_source=incident.alert_source_id) | Q(alert_source=None)
    rows = Connection.objects.filter(of_source, enabled=True).select_related("connector", "alert_source")
    return list(access.visible(request.user, rows))


def _buttons(incident: Incident, connections: Sequence[Connection]) -> list[tuple[Connection, bool]]:
    """Return the manual connections, and whether each has been told already."""
    manual = [one for one in connections if one.mode == Connection.Mode.MANUAL and one.connector.enabled]
    lanes = {lane(one, incident): one for one in manual}
    used = set(Delivery.objects.filter(lane__in=lanes).values_list("lane", flat=True)) if lanes else set()
    return [(one, name in used) for name, one in lanes.items()]


def _assignable(user: User) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return to whom it can be given, in groups: (words, [(value, words)])."""
    groups = (
        ("People", "user", User.objects.filter(is_active=True)),
        ("Whoever is on call in", "schedule", Schedule.objects.all()),
        ("Teams", "team", Team.objects.all()),
        ("Escalation policies, from step 1", "policy", EscalationPolicy.objects.all()),
    )
    found = []
    for words, kind, everyone in groups:
        options = [(f"{kind}:{one.uuid}", str(one)) for one in access.visible(user, everyone)]
        if options:
            found.append((words, options))
    return found


def _address(route: str, *words: object) -> str:
    try:
        return reverse(route, args=words)
    except NoReverseMatch:
        return ""

"""Every event as it arrived, and what came of it."""

import json
import re
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpResponse

from config import access, pagination
from config.console import Person, page, show
from incidents.models import AlertSource, RawEvent

SIZE = 50
COLUMNS = {"number": "pk"}
Outcome = RawEvent.Outcome
MARKS = {
    Outcome.OPENED: "bad",
    Outcome.UPDATED: "quiet",
    Outcome.ACCEPTED: "warn",
    Outcome.RESOLVED: "good",
    Outcome.SUPPRESSED: "quiet",
    Outcome.IGNORED: "quiet",
    Outcome.REFUSED: "warn",
}


@page("incidents.view_rawevent")
def raw_events(request: Person) -> HttpResponse:
    """`GET /raw-events/`."""
    asked = {name: request.GET.get(name, "").strip()[:500] for name in ("q", "source", "outcome", "incident")}
    asked["incident"] = asked["incident"] if re.fullmatch(r"[0-9]{1,18}", asked["incident"]) else ""
    visible = access.visible(request.user, RawEvent.objects.select_related("source", "incident"))
    found = pagination.read(
        _chosen(visible, asked),
        pagination.keys_of("-number", COLUMNS),
        size=SIZE,
        cursor=request.GET.get("cursor"),
        filters=json.dumps(asked),
    )
    context: dict[str, Any] = {
        "asked": asked,
        "page": found,
        "events": [(event, MARKS.get(Outcome(event.outcome), "quiet"), readable(event.body)) for event in found.rows],
        "sources": access.visible(request.user, AlertSource.objects.all()),
        "outcomes": Outcome.choices,
        "kept": urlencode([(name, value) for name, value in asked.items() if value]),
        "filtered": any(asked.values()),
        "days": settings.RAW_EVENT_DAYS,
    }
    return show(request, "incidents/raw_events.html", context, title="Raw events")


def readable(body: str) -> str:
    """Return a body as text for people: JSON with its lines broken, anything else as it came."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _chosen(visible: QuerySet[RawEvent], asked: dict[str, str]) -> QuerySet[RawEvent]:
    chosen = visible
    if text := asked["q"].replace("\0", ""):
        words = Q(title__icontains=text) | Q(dedup_key__icontains=text) | Q(body__icontains=text)
        chosen = chosen.filter(words | Q(reason__icontains=text))
    if re.fullmatch(r"[0-9]{1,18}", asked["source"]):
        chosen = chosen.filter(source=int(asked["source"]))
    if asked["outcome"] in Outcome.values:
        chosen = chosen.filter(outcome=asked["outcome"])
    if asked["incident"]:
        chosen = chosen.filter(incident=int(asked["incident"]))
    return chosen

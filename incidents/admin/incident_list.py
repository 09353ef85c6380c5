"""The list of incidents: three tabs, one search box, verbs on many, pages by keyset."""

import json
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpResponse
from django.utils import timezone

from config import access, pagination
from config.console import Person, etag, fragment, may, page, show
from incidents.admin.home import rows
from incidents.admin.verbs import VERBS
from incidents.models import Incident, Severity, Status
from incidents.search import LABEL, Query, condition, mine, parse
from oncall.models import User

SIZE = 50
TABS = ("open", "mine", "resolved")
NEWEST_FIRST = "-number"
COLUMNS = {"number": "pk"}


@page("incidents.view_incident")
def incident_list(request: Person) -> HttpResponse:
    """`GET /incidents/`."""
    context = {**_context(request), "bulk": _bulk(request.user), "severities": Severity.values, "label_word": LABEL}
    return show(request, "incidents/incident_list.html", context, title="Incidents")


@page("incidents.view_incident")
def live(request: Person) -> HttpResponse:
    """`GET /incidents/live/`: the rows as they are now."""
    return fragment(
        request,
        "incidents/incident_rows.html",
        lambda: {**_context(request), "bulk": _bulk(request.user)},
        stamp=_stamp(request),
    )


def _context(request: Person) -> dict[str, Any]:
    now = timezone.now()
    text = request.GET.get("q", "").strip()[:500]
    tab = request.GET.get("tab", "open")
    tab = tab if tab in TABS else "open"
    query = parse(text)
    visible = access.visible(request.user, Incident.objects.all())
    found = pagination.read(
        _chosen(visible, tab, query, request.user),
        pagination.keys_of(NEWEST_FIRST, COLUMNS),
        size=SIZE,
        cursor=request.GET.get("cursor"),
        filters=json.dumps([tab, text]),
    )
    kept = urlencode([(name, value) for name, value in (("tab", tab), ("q", text)) if value])
    return {
        "tab": tab,
        "q": text,
        "query": query,
        "faults": query.faults,
        "page": found,
        "rows": rows(found.rows, now),
        "counts": _counts(visible, request.user),
        "kept": kept,
        "here": request.get_full_path().replace("/live/", "/", 1),
        "any_at_all": bool(found.rows) or visible.exists(),
        "now": now,
        "tag": etag(request, _stamp(request)),
    }


def _chosen(visible: QuerySet[Incident], tab: str, query: Query, user: User) -> QuerySet[Incident]:
    """Return what the tab and the search leave; whoever names a status means that, not the tab's."""
    chosen = visible.filter(condition(query, user))
    if tab == "mine":
        chosen = chosen.filter(mine(user))
    if query.asks("status"):
        return chosen
    resolved = Q(status=Status.RESOLVED)
    return chosen.filter(resolved if tab == "resolved" else ~resolved)


def _counts(visible: QuerySet[Incident], user: User) -> dict[str, int]:
    still = visible.exclude(status=Status.RESOLVED).order_by()
    return still.aggregate(open=Count("pk"), mine=Count("pk", filter=mine(user)))


def _bulk(user: User) -> list[tuple[str, str]]:
    """Return the buttons for many that this person may press on at least some."""
    buttons = (("acknowledge", "Acknowledge"), ("resolve", "Resolve"), ("assign", "Assign to me"), ("delete", "Delete"))
    return [(name, words) for name, words in buttons if may(user, VERBS[name].permission)]


def _stamp(request: Person) -> tuple[object, ...]:
    newest = Incident.objects.order_by().aggregate(at=Max("updated_at"), last=Max("pk"), count=Count("pk"))
    return (request.GET.urlencode(), *newest.values(), int(timezone.now().timestamp() // 60))

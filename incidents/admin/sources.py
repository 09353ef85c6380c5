"""Alert sources: the list, one of them with its key and what came in, and the buttons."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from config import audit
from config.access import visible
from config.console import Person, demand, fragment, page, show
from config.problems import Conflict, Problem
from destinations.models import Connector
from incidents import hearing, sourcing
from incidents.admin.fields import put_beside
from incidents.admin.source_form import SourceForm, connected
from incidents.ingest import Result
from incidents.models import AlertSource, Connection, RawEvent, Severity, Status
from incidents.sources.base import SourceKind, kinds
from oncall.admin.pages import actor, find, go, verb

SHOWN_EVENTS = 20
PLACEHOLDER = "<your key>"
BOTH = ("GET", "HEAD", "POST")


@page("incidents.view_alertsource")
def sources(request: Person) -> HttpResponse:
    """List the sources: whether they send, what they page, what is open."""
    words = request.GET.get("search", "").replace("\0", "").strip()[:200]
    rows = visible(request.user, AlertSource.objects.select_related("escalation_policy", "team")).annotate(
        open_incidents=Count("incidents", filter=~Q(incidents__status=Status.RESOLVED))
    )
    if words:
        rows = rows.filter(Q(name__icontains=words) | Q(team__name__icontains=words))
    context = {
        "sources": list(rows.order_by("name")),
        "labels": {name: kind.label for name, kind in kinds().items()},
        "search": words,
        "may_add": request.user.has_perm("incidents.add_alertsource", AlertSource),
    }
    return show(request, "incidents/sources.html", context, title="Alert sources")


@page("incidents.view_alertsource")
def source(request: Person, uuid: UUID) -> HttpResponse:
    """Show one source: what to paste, what came in, who hears of it."""
    return source_page(request, _found(request, uuid, "view"))


@page("incidents.view_rawevent")
def live(request: Person, uuid: UUID) -> HttpResponse:
    """Answer with the state and the last events, or 304 while nothing came."""
    row = _found(request, uuid, "view")
    stamp = (row.last_event_at, row.enabled, RawEvent.objects.filter(source=row).values_list("pk", flat=True).first())
    return fragment(request, "incidents/source_live.html", lambda: _lately(request, row), stamp=stamp)


@page("incidents.add_alertsource", methods=BOTH)
def new(request: Person) -> HttpResponse:
    """Make a source; its page follows at once, with the key, this once."""
    row = AlertSource(kind=request.GET.get("kind", "") if request.GET.get("kind", "") in kinds() else "events")
    form = SourceForm(request.POST if request.method == "POST" else None, user=request.user, source=row)
    if request.method == "POST" and form.is_valid():
        try:
            key = _save(request, row, form, timezone.now())
        except Problem as exc:
            put_beside(form, exc)
        else:
            return source_page(request, row, key=key or "", made=True)
    return _form_page(request, form, row, "New alert source")


@page("incidents.change_alertsource", methods=BOTH)
def edit(request: Person, uuid: UUID) -> HttpResponse:
    """Change a source."""
    row = _found(request, uuid, "change")
    title = f"Edit {row.name}"
    form = SourceForm(request.POST if request.method == "POST" else None, user=request.user, source=row)
    if request.method == "POST" and form.is_valid():
        try:
            _save(request, row, form, timezone.now())
        except Problem as exc:
            put_beside(form, exc)
        else:
            messages.success(request, f"{row.name} is saved.")
            return go("console-source", row.uuid)
    return _form_page(request, form, row, title)


@page("incidents.change_alertsource", methods=("POST",))
def rotate(request: Person, uuid: UUID) -> HttpResponse:
    """Give it a new key and show that, this once. Sent twice by a reload, the second is refused."""
    row = _found(request, uuid, "change")
    if request.POST.get("prefix") != row.key_prefix:
        raise Conflict(
            "already_rotated",
            "The key has been rotated already and is not shown again. If it got lost, rotate it on the source's page.",
        )
    minutes = request.POST.get("overlap_minutes", "")
    overlap = timedelta(minutes=int(minutes)) if minutes.isdecimal() and len(minutes) < 9 else timedelta(days=-1)
    key = sourcing.rotate_key(row, overlap=overlap, actor=actor(request), now=timezone.now())
    return source_page(request, row, key=key)


@verb("incidents.change_alertsource")
def test(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Take a sample event and say what really came of it."""
    row = _found(request, uuid, "change")
    result = sourcing.send_test_event(row, severity=request.POST.get("severity", ""), now=now)
    messages.success(request, _told(result))
    return go("console-source", row.uuid)


@verb("incidents.change_alertsource")
def switch(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Switch it on or off, as the button says."""
    row = _found(request, uuid, "change")
    sourcing.switch(row, on=request.POST.get("on") == "yes", actor=actor(request), now=now)
    return go("console-source", row.uuid)


@page("incidents.delete_alertsource")
def ask_to_delete(request: Person, uuid: UUID) -> HttpResponse:
    """Say what deleting it means, with the button that does it."""
    row = _found(request, uuid, "delete")
    context = {"source": row, "incidents": row.incidents.count(), "connections": row.connections.count()}
    return show(request, "incidents/source_delete.html", context, title=f"Delete {row.name}?")


@verb("incidents.delete_alertsource")
def delete(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Delete a source that has no incidents."""
    row = _found(request, uuid, "delete")
    with transaction.atomic():
        audit.record(actor(request), "deleted", row, audit.differences(audit.snapshot(row), {}), now=now)
        sourcing.remove(row)
    messages.success(request, f"{row.name} is deleted.")
    return go("console-sources")


def source_page(request: Person, row: AlertSource, *, key: str = "", made: bool = False) -> HttpResponse:
    """Answer with a source's page; `key` in the clear only right after it was made or rotated."""
    heard = visible(request.user, Connection.objects.filter(Q(alert_source=row) | Q(alert_source=None), enabled=True))
    context = {
        **_lately(request, row),
        "source": row,
        "key": key,
        "made": made,
        "ways": _ways(row, key or PLACEHOLDER),
        "connections": [(one, hearing.sentence(one)) for one in heard.select_related("connector", "alert_source")],
        "severities": Severity.values,
        "may_change": request.user.has_perm("incidents.change_alertsource", row),
        "may_delete": request.user.has_perm("incidents.delete_alertsource", row),
        "kind_label": _label(row.kind),
    }
    return show(request, "incidents/source.html", context, title=row.name, status=201 if made else 200)


@dataclass(frozen=True)
class Way:
    """One way to send to a source: whose it is, where it goes, what to paste."""

    kind: SourceKind
    address: str
    paste: str


def _ways(row: AlertSource, key: str) -> list[Way]:
    """Return what to paste, the source's own kind first: a key opens every door."""
    inorder = sorted(kinds().values(), key=lambda kind: kind.name != row.kind)
    return [
        Way(kind, kind.address(settings.PUBLIC_URL, key), kind.instructions(settings.PUBLIC_URL, key))
        for kind in inorder
    ]


def _label(name: str) -> str:
    kind = kinds().get(name)
    return kind.label if kind else name


def _lately(request: Person, row: AlertSource) -> dict[str, Any]:
    may_read = request.user.has_perm("incidents.view_rawevent", RawEvent(source=row))
    events = RawEvent.objects.filter(source=row).select_related("incident").defer("body")[:SHOWN_EVENTS]
    return {"source": row, "events": list(events) if may_read else [], "may_read": may_read}


def _found(request: Person, uuid: UUID, verb_: str) -> AlertSource:
    rows = AlertSource.objects.select_related("escalation_policy", "team")
    return find(request, rows, uuid, f"incidents.{verb_}_alertsource")


def _save(request: Person, row: AlertSource, form: SourceForm, now: datetime) -> str | None:
    """Store what the form says, with its connections and the trail of both. Raises Problem, PermissionDenied."""
    made = row.pk is None
    before = {} if made else audit.snapshot(row)
    held = set(connected(row))
    columns = form.columns()
    wanted: list[Connector] = list(form.cleaned_data["connectors"])
    with transaction.atomic():
        if not made:
            AlertSource.objects.select_for_update().get(pk=row.pk)
        draft = AlertSource(team=columns["team"])
        demand(request, f"incidents.{'add' if made else 'change'}_alertsource", draft)
        key = sourcing.save(row, **columns)
        _demand_connections(request, row, wanted, held)
        if changes := audit.differences(before, audit.snapshot(row)):
            audit.record(actor(request), "created" if made else "changed", row, changes, now=now)
        hidden = Connector.objects.filter(pk__in=held).exclude(pk__in=form.fields["connectors"].queryset)  # type: ignore[attr-defined]
        sourcing.connect(row, [*wanted, *hidden], actor=actor(request), now=now)
    return key


def _demand_connections(request: Person, row: AlertSource, wanted: list[Connector], held: set[int]) -> None:
    for connector in wanted:
        if connector.pk not in held:
            demand(request, "incidents.add_connection", Connection(connector=connector, alert_source=row))
    for pk in held - {connector.pk for connector in wanted}:
        demand(request, "incidents.delete_connection", Connection(connector_id=pk, alert_source=row))


def _form_page(request: Person, form: SourceForm, row: AlertSource, title: str) -> HttpResponse:
    everywhere = Connection.objects.filter(alert_source=None, enabled=True).select_related("connector")
    context = {
        "form": form,
        "source": row,
        "kinds": kinds().values(),
        "everywhere": visible(request.user, everywhere),
        "back": reverse("console-source", args=[row.uuid]) if row.pk else reverse("console-sources"),
    }
    return show(request, "incidents/source_form.html", context, title=title, status=400 if form.errors else 200)


def _told(result: Result) -> str:
    said = RawEvent.Outcome(result.outcome).label
    if result.incident is None:
        return f"The test event was taken: {said}. {result.reason}".strip()
    incident = result.incident
    words = "nobody is paged" if not incident.urgency else "whoever its policy names is paged"
    address = reverse("console-incident", args=[incident.pk])
    return format_html(
        'The test event {} <a href="{}">#{}</a>, {}, so {}. {}',
        said.replace("an incident", "incident"),
        address,
        incident.pk,
        incident.severity,
        words,
        result.reason,
    )

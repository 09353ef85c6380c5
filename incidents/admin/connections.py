"""Connections: what each destination hears, as sentences, and the form behind them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, demand, page, show
from config.problems import Problem
from destinations.base import kinds
from destinations.models import Connector
from incidents import connecting, hearing
from incidents.admin.connection_form import ConnectionForm
from incidents.admin.fields import put_beside
from incidents.models import AlertSource, Connection
from incidents.sourcing import FIRST_EVENTS
from oncall.admin.pages import actor, find, go, verb

BOTH = ("GET", "HEAD", "POST")


@page("incidents.view_connection")
def connections(request: Person) -> HttpResponse:
    """List the connections as sentences, by destination."""
    words = request.GET.get("search", "").replace("\0", "").strip()[:200]
    rows = visible(request.user, Connection.objects.select_related("connector", "alert_source"))
    if words:
        rows = rows.filter(Q(connector__name__icontains=words) | Q(alert_source__name__icontains=words))
    context = {
        "connections": [(row, hearing.sentence(row)) for row in rows.order_by("connector__name", "pk")],
        "search": words,
        "may_add": request.user.has_perm("incidents.add_connection", Connection),
        "destinations": visible(request.user, Connector.objects.all()).exists(),
    }
    return show(request, "incidents/connections.html", context, title="Connections")


@page("incidents.add_connection")
def choose(request: Person) -> HttpResponse:
    """Ask which destination is to hear."""
    rows = visible(request.user, Connector.objects.order_by("name"))
    labels = {name: kind.label for name, kind in kinds().items()}
    context = {"destinations": [(row, labels.get(row.kind, row.kind)) for row in rows]}
    return show(request, "incidents/connection_choose.html", context, title="New connection")


@page("incidents.add_connection", methods=BOTH)
def new(request: Person, connector: UUID) -> HttpResponse:
    """Make a connection of this destination."""
    told = get_object_or_404(visible(request.user, Connector.objects.all()), uuid=connector)
    row = Connection(connector=told, events=list(FIRST_EVENTS))
    given = request.GET.get("source", "")
    if given.isdecimal() and len(given) < 18:
        row.alert_source = visible(request.user, AlertSource.objects.filter(pk=int(given))).first()
    return _edit(request, row, f"What {told.name} hears")


@page("incidents.change_connection", methods=BOTH)
def edit(request: Person, uuid: UUID) -> HttpResponse:
    """Change a connection."""
    row = _found(request, uuid, "change")
    return _edit(request, row, f"What {row.connector} hears")


@verb("incidents.change_connection")
def switch(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Switch it on or off, as the button says: it hears nothing while it is off."""
    row = _found(request, uuid, "change")
    on = request.POST.get("on") == "yes"
    with transaction.atomic():
        if Connection.objects.filter(pk=row.pk, enabled=not on).update(enabled=on, updated_at=now):
            audit.record(actor(request), "switched on" if on else "switched off", row, now=now)
    return go("console-connections")


@verb("incidents.delete_connection")
def delete(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Delete a connection; what it told stays in the record, and what already waits still leaves."""
    row = _found(request, uuid, "delete")
    with transaction.atomic():
        audit.record(actor(request), "deleted", row, audit.differences(audit.snapshot(row), {}), now=now)
        row.delete()
    messages.success(request, f"{row.connector} no longer hears this.")
    return go("console-connections")


def _found(request: Person, uuid: UUID, verb_: str) -> Connection:
    rows = Connection.objects.select_related("connector", "alert_source")
    return find(request, rows, uuid, f"incidents.{verb_}_connection")


def _edit(request: Person, row: Connection, title: str) -> HttpResponse:
    posted = request.method == "POST"
    form = ConnectionForm(request.POST if posted else None, user=request.user, connection=row)
    if posted and form.is_valid():
        try:
            _save(request, row, form.columns(), timezone.now())
        except Problem as exc:
            _put_beside(form, exc)
        else:
            messages.success(request, hearing.sentence(row))
            return go("console-connections")
    context = {
        "form": form,
        "connection": row,
        "kind": form.kind,
        "may_delete": row.pk is not None and request.user.has_perm("incidents.delete_connection", row),
    }
    status = 400 if form.errors else 200
    return show(request, "incidents/connection_form.html", context, title=title, status=status)


def _save(request: Person, row: Connection, columns: dict[str, Any], now: datetime) -> None:
    made = row.pk is None
    before = {} if made else audit.snapshot(row)
    wanted = Connection(connector=row.connector, alert_source=columns["alert_source"])
    demand(request, f"incidents.{'add' if made else 'change'}_connection", wanted)
    with transaction.atomic():
        if not made:
            Connection.objects.select_for_update().get(pk=row.pk)
        connecting.save(row, **columns)
        if changes := audit.differences(before, audit.snapshot(row)):
            audit.record(actor(request), "created" if made else "changed", row, changes, now=now)


def _put_beside(form: ConnectionForm, problem: Problem) -> None:
    """Put faults beside fields; those of one severity word or setting stand at that field."""
    for error in problem.errors:
        place = error.field.replace("severity_mapping.", "mapping_").replace("settings.", "setting_")
        name = place.partition(".")[0]
        row = error.field.split(".")[1] if error.field.startswith("routing_rules.") else ""
        said = f"Row {int(row) + 1}: {error.detail}" if row.isdecimal() else error.detail
        form.add_error(name if name in form.fields else None, said)
    if not problem.errors:
        put_beside(form, problem)

"""Alert destinations: the list with their health, a tile per kind, the typed form, tests, switching off and on."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import ProtectedError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, demand, page, show
from config.problems import Conflict
from destinations import connectors, health
from destinations.base import Kind, Outcome, Result, kinds
from destinations.models import Connector, Delivery
from incidents import discretion, hearing
from incidents.admin.delivery_rows import lines
from incidents.admin.destination_form import FirstConnectionForm, NameForm, clean_connection, config_form, fill
from incidents.models import Connection, Severity
from oncall.admin.pages import actor, find, go, verb
from oncall.owning import give_to, team_of_connector

BOTH = ("GET", "HEAD", "POST")
GROUPS = ("Chat", "Paging", "Tickets", "Phone", "Functions", "Webhook", "SIEM")  # the shelves in order
LAST = 8  # deliveries shown beside the form


@dataclass
class Sheet:
    """One destination's forms, all from one request."""

    connector: Connector
    kind: Kind
    name: NameForm
    config: forms.Form
    first: FirstConnectionForm | None = None  # of a new one

    @property
    def errors(self) -> bool:
        """Whether anything in it is wrong."""
        return any(form.errors for form in (self.name, self.config, self.first) if form is not None)

    def ready(self) -> bool:
        """Whether everything is right; the connector then holds what was typed, not stored."""
        fine = [form.is_valid() for form in (self.name, self.config, self.first) if form is not None]
        return all(fine) and fill(self.connector, self.config)

    def ready_to_send(self) -> bool:
        """Whether the settings alone are right: enough for a test."""
        return self.config.is_valid() and fill(self.connector, self.config)


@page("destinations.view_connector")
def destinations(request: Person) -> HttpResponse:
    """List the destinations with how their last day went."""
    words = request.GET.get("search", "").replace("\0", "").strip()[:200]
    rows = visible(request.user, Connector.objects.all())
    if words:
        rows = rows.filter(name__icontains=words)
    found, now = list(rows), timezone.now()
    fares = health.last_day(found, now)
    may_change = request.user.has_perm("destinations.change_connector", Connector)
    context = {
        "destinations": [(row, fares[row.pk]) for row in found],
        "labels": {name: kind.label for name, kind in kinds().items()},
        "search": words,
        "may_add": request.user.has_perm("destinations.add_connector", Connector),
        "may_change": may_change,
    }
    return show(request, "incidents/destinations.html", context, title="Alert destinations")


@page("destinations.add_connector")
def choose(request: Person) -> HttpResponse:
    """Show a tile for each kind, by group."""
    found = [kind for kind in kinds().values() if kind.config_form is not None]
    inorder = sorted(found, key=lambda kind: (_shelf(kind), kind.label.lower()))
    shelves = [(group, list(shelf)) for group, shelf in groupby(inorder, key=lambda kind: kind.group)]
    return show(request, "incidents/destination_kinds.html", {"shelves": shelves}, title="New alert destination")


@page("destinations.add_connector", methods=BOTH)
def new(request: Person, kind: str) -> HttpResponse:
    """Make a destination of this kind, with its first connection."""
    sheet = _sheet(request, Connector(kind=_kind(kind).name))
    if request.method == "POST" and sheet.ready() and sheet.first is not None:
        wanted = sheet.first.connections(sheet.connector)
        if clean_connection(sheet.first, wanted):
            _create(request, sheet, wanted, timezone.now())
            messages.success(request, f"{sheet.connector.name} is saved.")
            return go("console-destination", sheet.connector.uuid)
    return _form_page(request, sheet)


@page("destinations.view_connector", methods=BOTH)
def destination(request: Person, uuid: UUID) -> HttpResponse:
    """Show a destination: its form, its health, its last deliveries, what it hears."""
    row = _found(request, uuid, "view")
    if request.method == "POST":
        demand(request, "destinations.change_connector", row)
    before = audit.snapshot(row)
    sheet = _sheet(request, row)
    if request.method == "POST" and sheet.ready():
        _change(request, sheet, before, timezone.now())
        messages.success(request, f"{row.name} is saved.")
        return go("console-destination", row.uuid)
    return _form_page(request, sheet)


@page("destinations.add_connector", methods=("POST",))
def test_new(request: Person, kind: str) -> HttpResponse:
    """Send a test with what stands in the form, which is stored nowhere, and show what the target answered."""
    return _tested(request, _sheet(request, Connector(kind=_kind(kind).name)))


@page("destinations.change_connector", methods=("POST",))
def test(request: Person, uuid: UUID) -> HttpResponse:
    """Send a test with what stands in the form, and the stored secrets where it is silent."""
    row = _found(request, uuid, "change")
    if "name" in request.POST:
        return _tested(request, _sheet(request, row))
    return _tested(request, None, row)


@verb("destinations.change_connector")
def switch(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Switch it on or off, as the button says: everything is kept."""
    row = _found(request, uuid, "change")
    connectors.switch(row, on=request.POST.get("on") == "yes", actor=actor(request), now=now)
    return go("console-destination", row.uuid)


@page("destinations.delete_connector")
def ask_to_delete(request: Person, uuid: UUID) -> HttpResponse:
    """Say what deleting it means, with the button that does it."""
    row = _found(request, uuid, "delete")
    context = {
        "destination": row,
        "connections": row.connections.count(),
        "deliveries": row.deliveries.count(),
        "waiting": row.deliveries.filter(state__in=Delivery.OPEN).count(),
    }
    return show(request, "incidents/destination_delete.html", context, title=f"Delete {row.name}?")


@verb("destinations.delete_connector")
def delete(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Delete it with its connections and its record of deliveries."""
    row = _found(request, uuid, "delete")
    if row.deliveries.filter(state=Delivery.State.SENDING).exists():
        raise Conflict("sending", f"A message to {row.name} is just being sent. Try again in half a minute.")
    try:
        with transaction.atomic():
            audit.record(actor(request), "deleted", row, audit.differences(audit.snapshot(row), {}), now=now)
            row.delete()
    except ProtectedError as exc:
        detail = f"Contact methods of people go through {row.name}. Let them use another way first, or switch it off."
        raise Conflict("in_use", detail) from exc
    messages.success(request, f"{row.name} is deleted.")
    return go("console-destinations")


def _kind(name: str) -> Kind:
    kind = kinds().get(name)
    if kind is None or kind.config_form is None:
        raise Http404
    return kind


def _shelf(kind: Kind) -> tuple[int, str]:
    return GROUPS.index(kind.group) if kind.group in GROUPS else len(GROUPS), kind.group


def _found(request: Person, uuid: UUID, verb_: str) -> Connector:
    return find(request, Connector.objects.all(), uuid, f"destinations.{verb_}_connector")


def _sheet(request: Person, row: Connector) -> Sheet:
    kind, data = _kind(row.kind), request.POST if request.method == "POST" else None
    return Sheet(
        connector=row,
        kind=kind,
        name=NameForm(data, user=request.user, connector=row),
        config=config_form(kind, data, row),
        first=FirstConnectionForm(data, user=request.user) if row.pk is None else None,
    )


def _create(request: Person, sheet: Sheet, wanted: list[Connection], now: datetime) -> None:
    row, team, who = sheet.connector, sheet.name.cleaned_data["team"], actor(request)
    demand(request, "destinations.add_connector", team or Connector())
    row.name = sheet.name.cleaned_data["name"]
    with transaction.atomic():
        row.save()
        give_to(row, team)
        told = {**audit.snapshot(row), "team": str(team or "")}
        audit.record(who, "created", row, audit.differences({}, told), now=now)
        for connection in wanted:
            demand(request, "incidents.add_connection", connection)
            connection.save()
            audit.record(who, "created", connection, audit.differences({}, audit.snapshot(connection)), now=now)


def _change(request: Person, sheet: Sheet, before: dict[str, Any], now: datetime) -> None:
    row, team, who = sheet.connector, sheet.name.cleaned_data["team"], actor(request)
    held = team_of_connector(row)
    if team != held:
        demand(request, "destinations.change_connector", team or Connector())
    row.name = sheet.name.cleaned_data["name"]
    with transaction.atomic():
        row.save(update_fields=["name", "config", "secrets", "updated_at"])
        give_to(row, team)
        after = {**audit.snapshot(row), "team": str(team or "")}
        if changes := audit.differences({**before, "team": str(held or "")}, after):
            audit.record(who, "changed", row, changes, now=now)
    if request.POST.get("switch_on") == "yes":
        connectors.switch(row, on=True, actor=who, now=now)


def _tested(request: Person, sheet: Sheet | None, row: Connector | None = None) -> HttpResponse:
    """Send the test and answer with what came of it: the part alone for htmx, else the whole page."""
    severity = request.POST.get("severity") or Severity.INFO
    severity = severity if severity in Severity.values else Severity.INFO
    connector = sheet.connector if sheet else row
    result: Result | None = None
    if connector is not None and (sheet is None or sheet.ready_to_send()):
        resolve = request.POST.get("resolve") == "on"
        result = connectors.try_out(connector, severity=severity, resolve=resolve, now=timezone.now())
    context = {
        "result": result,
        "severity": severity,
        "resolve": request.POST.get("resolve") == "on",
        "arrived": result is not None and result.outcome is Outcome.SENT,
        "sheet": sheet,
        "destination": connector,
    }
    if request.headers.get("HX-Request") or sheet is None:
        return render(request, "incidents/test_result.html", context)
    return _form_page(request, sheet, tested=context)


def _form_page(request: Person, sheet: Sheet, tested: dict[str, Any] | None = None) -> HttpResponse:
    row, kind = sheet.connector, sheet.kind
    context: dict[str, Any] = {
        "sheet": sheet,
        "kind": kind,
        "destination": row,
        "severities": Severity.values,
        "tested": tested,
        **(tested or {}),
    }
    status = 400 if sheet.errors else 200
    if not row.pk:
        context |= {"test_url": reverse("console-destination-test-new", args=[kind.name]), "may_change": True}
        return show(
            request, "incidents/destination.html", context, title=f"New {kind.label} destination", status=status
        )
    heard = visible(request.user, row.connections.select_related("connector", "alert_source"))
    fares = health.last_day([row], timezone.now())[row.pk]
    context |= {
        "test_url": reverse("console-destination-test", args=[row.uuid]),
        "health": fares,
        "lines": lines(request.user, discretion.known(request.user, Delivery.objects.filter(connector=row))[:LAST]),
        "connections": [(one, hearing.sentence(one)) for one in heard],
        "may_change": request.user.has_perm("destinations.change_connector", row),
        "may_delete": request.user.has_perm("destinations.delete_connector", row),
    }
    return show(request, "incidents/destination.html", context, title=row.name, status=status)

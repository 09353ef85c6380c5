"""Every connected system is told: from timeline entries to deliveries, in the transaction that wrote the entries."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from destinations import delivery
from destinations.base import kind
from destinations.delivery import Order
from destinations.models import Delivery
from incidents import routing
from incidents.document import load
from incidents.messages import EVENTS, to_connection
from incidents.models import Connection, Incident, Status, TimelineEntry
from incidents.timeline import Entry
from oncall.models import ConnectorTeam, Team


def tell(entries: Sequence[Entry], *, now: datetime) -> None:
    """Enqueue what each connection wants to know of these entries; queries do not grow with their number.

    What belongs to a private team is told only to connections on that team's sources, and to its own connectors: a
    connection on all sources whose connector is everybody's, or another team's, does not hear of it.
    """
    telling = [entry for entry in entries if entry.kind in EVENTS and _still_told(entry)]
    if not telling:
        return
    sources = {entry.incident.alert_source_id for entry in telling}
    connections = list(
        Connection.objects.filter(Q(alert_source__in=sources) | Q(alert_source=None), enabled=True).select_related(
            "connector", "alert_source"
        )
    )
    wanted = [
        (entry, connection)
        for entry in telling
        for connection in connections
        if connection.alert_source_id in {None, entry.incident.alert_source_id}
        and routing.admits(filter_of(connection), EVENTS[entry.kind], facts_of(entry.incident))
    ]
    wanted = _with_started_manuals(_with_own_private(wanted))
    if not wanted:
        return
    load(list({entry.incident.pk: entry.incident for entry, _ in wanted}.values()))
    delivery.enqueue([_order(entry, connection, now) for entry, connection in wanted], now=now)


def _still_told(entry: Entry) -> bool:
    """After its end an incident is over for every target: a note for the record is told to nobody."""
    return entry.incident.status != Status.RESOLVED or EVENTS[entry.kind] == "resolved"


def tell_by_hand(incident: Incident, connection: Connection, entry: TimelineEntry | Entry, *, now: datetime) -> None:
    """Tell a connection of an incident because a person pressed its button: filters do not count."""
    load([incident])
    delivery.enqueue([_order(entry, connection, now)], now=now)


def was_told(incident: Incident, connection: Connection) -> bool:
    """Whether a connection has been told of an incident, or is about to be."""
    return Delivery.objects.filter(lane=lane(connection, incident)).exists()


def lane(connection: Connection, incident: Incident) -> str:
    """Name the lane in which a connection's deliveries about one incident leave in order."""
    return f"connection:{connection.pk}:incident:{incident.pk}"


def filter_of(connection: Connection) -> routing.Filter:
    """Return what a connection wants, for the pure rules."""
    return routing.Filter(
        events=connection.events,
        classes=connection.classes,
        labels=connection.labels,
        severities=connection.severities,
        min_severity=connection.min_severity,
        min_risk_score=connection.min_risk_score,
    )


def facts_of(incident: Incident) -> routing.Facts:
    """Return what of an incident the pure rules look at."""
    return routing.Facts(
        severity=incident.severity,
        class_name=incident.class_name,
        labels=incident.labels,
        risk_score=incident.risk_score,
    )


def _with_own_private(wanted: list[tuple[Entry, Connection]]) -> list[tuple[Entry, Connection]]:
    """Drop what a private team keeps to itself, unless the source or the connector is that team's."""
    teams = {team for entry, _ in wanted if (team := entry.incident.team_id) is not None}
    private = set(Team.objects.filter(pk__in=teams, private=True).values_list("pk", flat=True)) if teams else set()
    if not private:
        return wanted
    owned = set(ConnectorTeam.objects.filter(team__in=private).values_list("team_id", "connector_id"))
    return [
        (entry, connection)
        for entry, connection in wanted
        if (team := entry.incident.team_id) not in private
        or (connection.alert_source is not None and connection.alert_source.team_id == team)
        or (team, connection.connector_id) in owned
    ]


def _with_started_manuals(
    wanted: list[tuple[Entry, Connection]],
) -> list[tuple[Entry, Connection]]:
    """Drop manual connections whose button nobody pressed for that incident; once pressed, news follows by itself."""
    manual = {lane(c, e.incident) for e, c in wanted if c.mode == Connection.Mode.MANUAL}
    started = set(Delivery.objects.filter(lane__in=manual).values_list("lane", flat=True)) if manual else set()
    return [(e, c) for e, c in wanted if c.mode == Connection.Mode.AUTOMATIC or lane(c, e.incident) in started]


def _order(entry: TimelineEntry | Entry, connection: Connection, now: datetime) -> Order:
    connector = connection.connector
    return Order(
        key=f"connection:{connection.pk}:entry:{entry.uuid}",
        message=to_connection(entry, connection, now),
        kind=connector.kind,
        connector_id=connector.pk,
        lane=lane(connection, entry.incident),
        priority=Delivery.Priority(kind(connector.kind).priority),
        subject=entry.incident.subject,
        recipient=f"connection:{connection.uuid}",
        due_at=now,
    )

"""From an incident to the messages that tell of it: to a person, and to a connected system."""

from datetime import datetime
from typing import Any

from config.wire import instant
from destinations.base import Action, Message
from incidents import replies, routing
from incidents.document import document, incident_url
from incidents.models import Connection, Execution, Incident, TimelineEntry
from incidents.sentences import sentence
from incidents.timeline import Entry
from oncall.models import User

Kind = TimelineEntry.Kind
# The connection's event word for each kind of entry that connected systems may be told of.
EVENTS = {
    Kind.OPEN: "opened",
    Kind.ACKNOWLEDGE: "accepted",
    Kind.UNACKNOWLEDGE: "unaccepted",
    Kind.ESCALATE: "escalated",
    Kind.ASSIGN: "assigned",
    Kind.NOTE: "noted",
    Kind.SEVERITY: "severity_changed",
    Kind.SNOOZE: "snoozed",
    Kind.UNTOLD: "nobody_told",
    Kind.RESOLVE: "resolved",
    Kind.CLOSE: "resolved",
}
ACTIONS = {"opened": Action.TRIGGER, "accepted": Action.ACKNOWLEDGE, "resolved": Action.RESOLVE}


def _common(incident: Incident) -> dict[str, Any]:
    return {
        "key": incident.subject,
        "title": incident.title,
        "severity": incident.severity,
        "status": incident.status,
        "number": incident.pk,
        "url": incident_url(incident),
        "source": incident.origin or incident.alert_source.name,
        "component": incident.component,
        "group": incident.group,
        "class_name": incident.class_name,
        "labels": incident.labels,
        "links": incident.links,
        "images": incident.images,
    }


def to_connection(entry: TimelineEntry | Entry, connection: Connection, now: datetime) -> Message:
    """Return what a connection's target is told of an entry, whose incident went through `document.load`."""
    incident = entry.incident
    event = EVENTS[Kind(entry.kind)]
    common = _common(incident)
    runbook = routing.runbook(connection.runbook_links, incident.class_name)
    if runbook:
        common["links"] = [{"href": runbook, "text": "Runbook"}, *incident.links]
    common["severity"] = routing.target_severity(connection.severity_mapping, incident.severity)
    shown = document(incident, now)
    if not connection.include_metadata:
        shown = {**shown, "details": {}, "labels": {}, "contextual_labels": {}}
        common["labels"] = {}
    return Message(
        event=event,
        action=ACTIONS.get(event, Action.NOTE),
        text=incident.description if event == "opened" else sentence(entry),
        details=_details(incident) if connection.include_metadata else {},
        actor=entry.actor,
        channel=entry.via,
        occurred_at=instant(entry.at),
        settings={**connection.settings, **routing.route(connection.routing_rules, incident.class_name)},
        document=shown,
        **common,
    )


def _details(incident: Incident) -> dict[str, Any]:
    details = dict(incident.details)
    if incident.risk_score is not None:
        details.setdefault("risk_score", incident.risk_score)
    return details


def to_person(incident: Incident, user: User, execution: Execution, now: datetime) -> Message:
    """Return the page a person gets: what is wrong, since when, and how to answer."""
    reason = Execution.Reason(execution.reason)
    return Message(
        event=reason.value if reason.informs else "page",
        action={
            Execution.Reason.ACCEPTED: Action.ACKNOWLEDGE,
            Execution.Reason.RESOLVED: Action.RESOLVE,
        }.get(reason, Action.TRIGGER),
        text=_text_for(incident, user, execution),
        occurred_at=instant(incident.opened_at),
        reply_links={}
        if reason.informs
        else replies.links(str(incident.uuid), str(user.uuid), execution.sequence, execution.at),
        **_common(incident),
    )


def _answers(incident: Incident, user: User, execution: Execution) -> dict[str, str]:
    return replies.links(str(incident.uuid), str(user.uuid), execution.sequence, execution.at)


def _text_for(incident: Incident, user: User, execution: Execution) -> str:
    since = incident.opened_at.astimezone(user.zone).strftime("%Y-%m-%d %H:%M %Z")
    lines = [f"Since {since}. Source: {incident.alert_source.name}."]
    match Execution.Reason(execution.reason):
        case Execution.Reason.CATCH_ALL:
            lines.insert(0, "You get this because nobody else could be reached.")
        case Execution.Reason.REMINDER:
            lines.insert(0, "Still nobody has answered.")
        case Execution.Reason.ACCEPTED:
            lines.insert(0, f"Acknowledged by {incident.acknowledged_by or 'its source'}.")
        case Execution.Reason.RESOLVED:
            lines.insert(0, f"Resolved{f' by {incident.closed_by}' if incident.closed_by else ''}.")
    if incident.description:
        lines.append(incident.description[:2000])
    return "\n".join(lines)

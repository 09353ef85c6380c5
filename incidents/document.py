"""An incident as machines see it: the one shape of REST answers and webhook bodies."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Prefetch, prefetch_related_objects

from config.wire import instant
from incidents.models import Assignment, Incident, Run
from incidents.sentences import next_step


def load(incidents: Sequence[Incident]) -> Sequence[Incident]:
    """Fetch what the document needs for any number of incidents in a fixed number of queries."""
    prefetch_related_objects(
        list(incidents),
        "alert_source",
        "escalation_policy",
        "team",
        "acknowledged_by",
        "merged_into",
        "previous",
        Prefetch("assignments", Assignment.objects.select_related("user", "team", "assigned_by")),
        Prefetch("runs", Run.objects.exclude(state=Run.State.ENDED), to_attr="live_runs"),
    )
    return incidents


def maybe(at: datetime | None) -> str | None:
    """Return an instant as text, or None."""
    return None if at is None else instant(at)


def incident_url(incident: Incident) -> str:
    """Return the incident's page in the console."""
    return f"{settings.PUBLIC_URL}/incidents/{incident.pk}/"


def document(incident: Incident, now: datetime) -> dict[str, Any]:
    """Return one incident that went through `load`. Instants are text, `duration_seconds` runs until it is closed."""
    run: Run | None = next(iter(getattr(incident, "live_runs", [])), None)
    return {
        "id": str(incident.uuid),
        "number": incident.pk,
        "title": incident.title,
        "description": incident.description or None,
        "status": incident.status,
        "firing": incident.firing,
        "severity": incident.severity,
        "urgency": incident.urgency or None,
        "risk_score": incident.risk_score,
        "dedup_key": incident.dedup_key,
        "alert_source": incident.alert_source.name,
        "escalation_policy": incident.escalation_policy.name if incident.escalation_policy else None,
        "team": incident.team.name if incident.team else None,
        "class": incident.class_name or None,
        "source": incident.origin or None,
        "component": incident.component or None,
        "group": incident.group or None,
        "labels": incident.labels,
        "contextual_labels": incident.contextual_labels,
        "details": incident.details,
        "links": incident.links,
        "images": incident.images,
        "assignees": [a.user.username for a in incident.assignments.all() if a.user],
        "assignments": [_assignment(a) for a in incident.assignments.all()],
        "acknowledged_by": incident.acknowledged_by.username if incident.acknowledged_by else None,
        "acknowledged_at": maybe(incident.acknowledged_at),
        "told": incident.told,
        "told_reason": incident.told_reason or None,
        "next_step_at": maybe(run.due_at if run else None),
        "next_step": next_step(incident, run, now) or None,
        "events_count": incident.events,
        "occurred_at": maybe(incident.occurred_at),
        "created_at": maybe(incident.opened_at),
        "updated_at": maybe(incident.updated_at),
        "last_event_at": maybe(incident.last_event_at),
        "closed_at": maybe(incident.closed_at),
        "duration_seconds": round(((incident.closed_at or now) - incident.opened_at).total_seconds(), 3),
        "snoozed_until": maybe(incident.snoozed_until),
        "is_muted": incident.is_muted,
        "previous": str(incident.previous.uuid) if incident.previous else None,
        "merged_into": str(incident.merged_into.uuid) if incident.merged_into else None,
        "url": incident_url(incident),
        "version": incident.version,
    }


def _assignment(assignment: Assignment) -> dict[str, Any]:
    by = assignment.assigned_by
    return {
        "user": assignment.user.username if assignment.user else None,
        "team": assignment.team.name if assignment.team else None,
        "assigned_by": by.username if by else None,
        "assigned_at": maybe(assignment.assigned_at),
    }

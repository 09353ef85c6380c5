"""Figures about all floors, for /readyz and /metrics: what is due and not done, and how much there is of what."""

from datetime import datetime

from django.db.models import Count, Exists, Min, Model, OuterRef, Q, QuerySet

from config.health import Waiting
from destinations.models import Delivery
from incidents.models import Incident, Run, Status

TIMERS = ("snoozed_until", "ack_timeout_at")


def due(now: datetime) -> dict[str, Waiting]:
    """Return what waits for the engine, by the job that does it."""
    return {
        "escalation": _waiting(Run.objects.filter(due_at__lte=now), "due_at"),
        "timers": _earliest([_waiting(Incident.objects.filter(**{f"{name}__lte": now}), name) for name in TIMERS]),
        "deliveries": _earliest([_waiting(_deliveries(now), "due_at"), _waiting(_lost(now), "lease_until")]),
    }


def counts() -> dict[str, dict[str, int]]:
    """Return how many deliveries there are by state, and how many open incidents by status."""
    deliveries = dict(Delivery.objects.order_by().values_list("state").annotate(Count("pk")))
    incidents = dict(
        Incident.objects.exclude(status=Status.RESOLVED).order_by().values_list("status").annotate(Count("pk"))
    )
    return {
        "deliveries": {state: deliveries.get(state, 0) for state in Delivery.State.values},
        "open_incidents": {status: incidents.get(status, 0) for status in Status.values if status != Status.RESOLVED},
    }


def _deliveries(now: datetime) -> QuerySet[Delivery]:
    """Return what could be sent now: not behind another one of its lane, not to a connector that is off."""
    ahead = Delivery.objects.filter(lane=OuterRef("lane"), pk__lt=OuterRef("pk"), state__in=Delivery.OPEN)
    return Delivery.objects.filter(state=Delivery.State.QUEUED, due_at__lte=now).exclude(
        Q(connector__enabled=False) | (~Q(lane="") & Exists(ahead))
    )


def _lost(now: datetime) -> QuerySet[Delivery]:
    """Return what a process took and did not finish: its lease has run out."""
    return Delivery.objects.filter(state=Delivery.State.SENDING, lease_until__lte=now)


def _waiting(rows: QuerySet[Model], instant: str) -> Waiting:
    found = rows.order_by().aggregate(rows=Count("pk"), oldest=Min(instant))
    return Waiting(found["rows"], found["oldest"])


def _earliest(several: list[Waiting]) -> Waiting:
    instants = [waiting.oldest_at for waiting in several if waiting.oldest_at]
    return Waiting(sum(waiting.rows for waiting in several), min(instants, default=None))

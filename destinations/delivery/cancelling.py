"""Rows that leave the outbox unsent: not wanted any more, or not to be read."""

from datetime import datetime

from django.db.models import QuerySet

from destinations.delivery.hooks import tell_settled
from destinations.models import Delivery


def cancel_rows(rows: QuerySet[Delivery], reason: str, *, now: datetime) -> int:
    """Cancel these queued rows in one UPDATE and tell whoever asked to be told. Call it inside a transaction."""
    found = list(rows.defer("message", "target", "reference"))
    if not found:
        return 0
    queued = Delivery.objects.filter(pk__in=[row.pk for row in found], state=Delivery.State.QUEUED)
    cancelled = queued.update(state=Delivery.State.CANCELLED, detail=reason[:500], settled_at=now, updated_at=now)
    for row in found:
        row.state, row.detail, row.settled_at = Delivery.State.CANCELLED, reason[:500], now
    tell_settled(found, now)
    return cancelled


def fail(pk: int, detail: str, now: datetime) -> None:
    """Give up a row that cannot even be read. Call it inside a transaction."""
    queued = Delivery.objects.filter(pk=pk, state=Delivery.State.QUEUED)
    if queued.update(state=Delivery.State.FAILED, detail=detail[:500], settled_at=now, updated_at=now):
        row = Delivery.objects.defer("message", "target", "reference").get(pk=pk)
        tell_settled([row], now)

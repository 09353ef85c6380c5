"""Writing to the outbox: put in, take out, bring forward, send again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Min, Q

from config.engine import wake
from destinations.base import Message
from destinations.delivery.cancelling import cancel_rows
from destinations.models import Delivery

RUN_DUE = "destinations.delivery.run_due"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One message to be sent. `key` names its cause: ordering the same again adds nothing."""

    key: str
    message: Message
    kind: str
    due_at: datetime
    connector_id: int | None = None  # None: the installation's own way
    target: Mapping[str, Any] = field(default_factory=dict)  # a person: {"address": ..., + its secrets}
    lane: str = ""  # messages of one lane leave in the order in which they were enqueued
    priority: int = Delivery.Priority.CHAT
    subject: str = ""
    recipient: str = ""


def enqueue(orders: Sequence[Order], *, now: datetime) -> None:
    """Put messages into the outbox, in the caller's transaction; delivery is woken after its commit."""
    Delivery.objects.bulk_create([_row(order) for order in orders], ignore_conflicts=True)
    if any(order.due_at <= now for order in orders):
        wake(RUN_DUE)


def _row(order: Order) -> Delivery:
    return Delivery(
        key=order.key,
        lane=order.lane,
        priority=order.priority,
        connector_id=order.connector_id,
        kind=order.kind,
        target=dict(order.target),
        subject=order.subject,
        recipient=order.recipient,
        event=order.message.event[:40],
        message=order.message.to_json(),
        due_at=order.due_at,
    )


@transaction.atomic
def cancel(
    *,
    now: datetime,
    reason: str,
    subject: str | None = None,
    recipient: str | None = None,
    recipient_prefix: str | None = None,
    keys: Sequence[str] | None = None,
) -> int:
    """Take out what matches everything named and has not left yet; return how many rows that were.

    A row that is just being sent stays: nobody can call it back. Raises ValueError if nothing is named.
    """
    named = Q()
    if subject is not None:
        named &= Q(subject=subject)
    if recipient is not None:
        named &= Q(recipient=recipient)
    if recipient_prefix is not None:
        named &= Q(recipient__startswith=recipient_prefix)
    if keys is not None:
        named &= Q(key__in=keys)
    if not named:
        raise ValueError("cancel() without a subject, recipient or key would empty the outbox")
    rows = Delivery.objects.filter(named, state=Delivery.State.QUEUED).order_by("pk")
    return cancel_rows(rows.select_for_update(), reason, now=now)


def bring_forward(keys: Sequence[str], *, now: datetime) -> int:
    """Make waiting messages due now, such as a person's next rule after a way that failed (N3); return how many."""
    later = Delivery.objects.filter(key__in=keys, state=Delivery.State.QUEUED, due_at__gt=now)
    moved = later.update(due_at=now, updated_at=now)
    if moved:
        wake(RUN_DUE)
    return moved


def replay(ids: Sequence[UUID | str], *, now: datetime) -> int:
    """Send settled deliveries again, with the whole calendar before them and the same delivery ids; return how many.

    What is queued or being sent is left alone. One whose connector is switched off waits for it.
    """
    over = Delivery.objects.filter(uuid__in=ids).exclude(state__in=Delivery.OPEN)
    again = over.update(
        state=Delivery.State.QUEUED, tries=0, due_at=now, settled_at=None, detail="", outcome="", updated_at=now
    )
    if again:
        wake(RUN_DUE)
    return again


def oldest_due(now: datetime) -> datetime | None:
    """Return since when the longest waiting message is due; those of switched-off connectors do not count."""
    waiting = Delivery.objects.filter(
        Q(connector=None) | Q(connector__enabled=True), state=Delivery.State.QUEUED, due_at__lte=now
    )
    oldest: datetime | None = waiting.aggregate(oldest=Min("due_at"))["oldest"]
    return oldest

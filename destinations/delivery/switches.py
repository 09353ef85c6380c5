"""A connector is switched off, by a person or by its own failures, and on again."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet

from config.engine import wake
from destinations import retry
from destinations.base import Outcome
from destinations.delivery.cancelling import cancel_rows
from destinations.models import Attempt, Connector, Delivery

logger = logging.getLogger(__name__)

KEPT = timedelta(days=1)  # how long messages wait for a connector that is switched off


def switch_off(connector: Connector, reason: str, now: datetime, *, off: Connector.Off = Connector.Off.PERSON) -> bool:
    """Send nothing to it any more; what is queued waits. Return whether it was on. The object is brought up to date."""
    on = Connector.objects.filter(pk=connector.pk, enabled=True)
    changed = on.update(enabled=False, off=off, off_reason=reason[:500], off_at=now, updated_at=now)
    connector.refresh_from_db()
    return bool(changed)


@transaction.atomic
def switch_on(connector: Connector, now: datetime) -> bool:
    """Send to it again, first what waited, in order; what waited over a day is cancelled. Return whether it was off."""
    off = Connector.objects.filter(pk=connector.pk, enabled=False)
    changed = off.update(enabled=True, off=Connector.Off.NOT, off_reason="", off_at=None, on_at=now, updated_at=now)
    connector.refresh_from_db()
    if not changed:
        return False
    cancel_stale(_waiting().filter(connector=connector), now)
    _waiting().filter(connector=connector, due_at__gt=now).update(due_at=now)
    wake("destinations.delivery.run_due")
    return True


def cancel_stale(waiting: QuerySet[Delivery], now: datetime) -> int:
    """Cancel what has waited for a switched-off connector for over a day: nobody wants yesterday's news at once."""
    stale = waiting.filter(due_at__lt=now - KEPT).order_by("pk").select_for_update(of=("self",))
    return cancel_rows(stale, "The connector was switched off for over a day.", now=now)


@transaction.atomic
def cancel_all_stale(now: datetime, limit: int) -> int:
    """The same for every switched-off connector, at most `limit` rows."""
    stale = _waiting().filter(connector__enabled=False, due_at__lt=now - KEPT).values("pk")[:limit]
    return cancel_stale(Delivery.objects.filter(pk__in=list(stale.values_list("pk", flat=True))), now)


def _waiting() -> QuerySet[Delivery]:
    """Messages for connectors; pages to people that go through one are not its own and never wait for it."""
    return Delivery.objects.filter(connector__isnull=False, state=Delivery.State.QUEUED).exclude(
        priority=Delivery.Priority.PAGE
    )


def check(connector_ids: Iterable[int | None], now: datetime) -> None:
    """Switch off those of these connectors whose attempts failed too often. Called after an unsuccessful attempt."""
    floors = retry.Floors(
        attempts=settings.SWITCH_OFF_MIN_ATTEMPTS,
        deliveries=settings.SWITCH_OFF_MIN_DELIVERIES,
        failing_for=timedelta(minutes=settings.SWITCH_OFF_MIN_MINUTES),
    )
    for connector in Connector.objects.filter(pk__in=[pk for pk in connector_ids if pk], enabled=True):
        health = _health(connector, floors, now)
        if health is not None and retry.must_switch_off(health, floors):
            reason = (
                f"{health.failed} of {health.attempts} attempts in 12 hours failed. "
                "Mend what the last answer says, send a test, then switch it on again."
            )
            if switch_off(connector, reason, now, off=Connector.Off.FAILURES):
                logger.error(
                    "connector switched itself off connector=%s name=%s: %s", connector.pk, connector.name, reason
                )


def _health(connector: Connector, floors: retry.Floors, now: datetime) -> retry.Health | None:
    """Count what the rule asks for; None if a success is so recent that it need not be counted."""
    since = max(now - retry.WINDOW, connector.on_at or now - retry.WINDOW)
    attempts = Attempt.objects.filter(connector=connector, at__gte=since)
    succeeded: datetime | None = attempts.filter(outcome=Outcome.SENT).aggregate(at=Max("at"))["at"]
    if succeeded is not None and now - succeeded < floors.failing_for:
        return None
    failed = ~Q(outcome=Outcome.SENT)
    latest = failed & Q(at__gt=succeeded) if succeeded else failed
    found = attempts.aggregate(
        attempts=Count("pk"),
        failed=Count("pk", filter=failed),
        deliveries=Count("delivery", distinct=True),
        first=Min("at", filter=latest),
        last=Max("at", filter=latest),
    )
    return retry.Health(
        attempts=found["attempts"],
        failed=found["failed"],
        deliveries=found["deliveries"],
        failing_for=found["last"] - found["first"] if found["first"] else timedelta(0),
    )

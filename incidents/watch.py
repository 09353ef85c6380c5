"""News of the platform itself: a connector switched itself off, and every administrator is mailed."""

from datetime import datetime, timedelta

from django.conf import settings

from config.wire import instant
from destinations import delivery
from destinations.base import Message
from destinations.delivery import Order
from destinations.models import Connector, Delivery
from oncall.models import ContactMethod
from oncall.targets import admins

STILL_NEWS = timedelta(days=1)


def run_due(now: datetime, limit: int = 100) -> int:
    """Tell the administrators of each connector that switched itself off; return of how many.

    The key of each message names the connector and the instant, so that looking again tells nobody twice.
    """
    off = Connector.objects.filter(enabled=False, off=Connector.Off.FAILURES, off_at__gt=now - STILL_NEWS)
    connectors = list(off.order_by("off_at")[:limit])
    if connectors:
        methods = list(ContactMethod.objects.filter(user__in=admins(), verified_at__isnull=False, disabled_at=None))
        by_mail = {method.user_id for method in methods if method.kind == "email"}
        chosen = [method for method in methods if method.kind == "email" or method.user_id not in by_mail]
        delivery.enqueue([_news(connector, method, now) for connector in connectors for method in chosen], now=now)
    return len(connectors)


def _news(connector: Connector, method: ContactMethod, now: datetime) -> Order:
    off_at = connector.off_at or now
    return Order(
        key=f"system:off:{connector.uuid}:{off_at.timestamp():.0f}:{method.uuid}",
        message=Message(
            event="system",
            title=f"{connector.name} switched itself off",
            text=f"{connector.off_reason}\nWhat it should be told waits for a day and leaves when it is on again.",
            url=f"{settings.PUBLIC_URL}/alert-destinations/{connector.uuid}/",
            severity="error",
            source="Tocsin",
            occurred_at=instant(off_at),
        ),
        kind=method.kind,
        connector_id=method.connector_id,
        target={**method.secret, "address": method.address},
        priority=Delivery.Priority.PAGE,
        subject=f"connector:{connector.uuid}",
        recipient=f"contact-method:{method.uuid}",
        due_at=now,
    )

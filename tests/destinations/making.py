"""What the tests of this floor are made of: connectors, orders, and the shorthand to send and to look."""

from datetime import UTC, datetime, timedelta
from typing import Any

from destinations import delivery
from destinations.base import Action, Message, Target
from destinations.delivery import Order
from destinations.models import Connector, Delivery

NOW = datetime(2026, 11, 21, 3, 47, tzinfo=UTC)
SECRET = "whsec_UExBQ0VIT0xERVItU0VDUkVULTI0Ynl0"
EVENTS = {"opened": Action.TRIGGER, "accepted": Action.ACKNOWLEDGE, "resolved": Action.RESOLVE, "page": Action.TRIGGER}


def make_message(event: str = "opened", **changes: Any) -> Message:
    given: dict[str, Any] = {
        "event": event,
        "action": EVENTS.get(event, Action.NOTE),
        "key": "incident:5f0c1c0e-6a1e-4f57-9d0b-2f1d3c7a1042",
        "title": "Disk 96% full on db-1",
        "text": "Only 2 GB are left.",
        "severity": "critical",
        "status": {"accepted": "ACCEPTED", "resolved": "RESOLVED"}.get(event, "PENDING"),
        "number": 1042,
        "url": "https://tocsin.example.org/incidents/1042/",
        "source": "db-1",
        "class_name": "disk.full",
        "labels": {"team": "core"},
        "occurred_at": "2026-11-21T03:47:00.000Z",
        "document": {"number": 1042, "title": "Disk 96% full on db-1"},
    }
    return Message(**{**given, **changes})


def make_connector(url: str, name: str = "Hook", *, kind: str = "webhook", **columns: Any) -> Connector:
    return Connector.objects.create(name=name, kind=kind, config={"url": url}, **columns)


def order(connector: Connector, key: str, *, event: str = "opened", lane: str = "", **changes: Any) -> Order:
    given: dict[str, Any] = {
        "key": key,
        "message": make_message(event),
        "kind": connector.kind,
        "connector_id": connector.pk,
        "lane": lane,
        "due_at": NOW,
        "subject": "thing:1",
        "recipient": "connection:1",
    }
    return Order(**{**given, **changes})


def page(key: str, url: str, *, kind: str = "ntfy", **changes: Any) -> Order:
    given: dict[str, Any] = {
        "key": key,
        "message": make_message("page"),
        "kind": kind,
        "target": {"address": url},
        "priority": Delivery.Priority.PAGE,
        "due_at": NOW,
        "subject": "thing:1",
        "recipient": "contact-method:1",
    }
    return Order(**{**given, **changes})


def send(at: datetime = NOW, limit: int = 100) -> int:
    return delivery.run_due(at, limit)


def row(key: str) -> Delivery:
    return Delivery.objects.get(key=key)


def states(*keys: str) -> list[str]:
    return [row(key).state for key in keys]


def make_target(config: dict[str, Any] | None = None, **changes: Any) -> Target:
    given: dict[str, Any] = {
        "config": config or {},
        "delivery_id": "0a1b2c3d-0000-4000-8000-000000000001",
        "now": NOW,
        "timeout": timedelta(seconds=10),
    }
    return Target(**{**given, **changes})

"""Test sends: one real message through the same door, to a connector that need not be saved yet. Nothing is written."""

import dataclasses
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.conf import settings

from destinations.base import TEST_PREFIX, Action, Message, Outcome, Result, Target, kinds
from destinations.delivery.handing import hand_over

TITLE = f"{TEST_PREFIX} Disk 96% full on db-1"
RESOLVED = "RESOLVED"


def sample_message(severity: str, now: datetime) -> Message:
    """Return a full sample incident under a key of its own, so that it never touches a real one at the other side."""
    word = f"{int(now.timestamp())}-{secrets.token_hex(3)}"
    at = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    labels = {"team": "core", "environment": "test"}
    details = {"free_gb": 2, "mount": "/var/lib/postgresql", "risk_score": 42}
    links = [{"href": f"{settings.PUBLIC_URL}/", "text": "Runbook"}]
    return Message(
        event="test",
        action=Action.TRIGGER,
        key=f"test:{word}",
        title=TITLE,
        text="This is a test from Tocsin. Nothing is wrong, nobody has to do anything.",
        severity=severity,
        status="PENDING",
        url=f"{settings.PUBLIC_URL}/",
        source="db-1",
        component="postgres",
        group="shop",
        class_name="disk.full",
        labels=labels,
        details=details,
        links=links,
        occurred_at=at,
        document={
            "id": str(uuid4()),
            "number": 0,
            "title": TITLE,
            "description": "This is a test from Tocsin.",
            "status": "PENDING",
            "severity": severity,
            "dedup_key": f"test:{word}",
            "class": "disk.full",
            "labels": labels,
            "details": details,
            "links": links,
            "opened_at": at,
            "url": f"{settings.PUBLIC_URL}/",
        },
        test=True,
    )


def send_test(
    kind: str,
    config: Mapping[str, Any],
    message: Message,
    *,
    now: datetime,
    address: Mapping[str, Any] | None = None,
    resolve_afterwards: bool = False,
) -> Result:
    """Send a test once and return what the target really answered. Never retried, never counted, never written down.

    `config` holds a connector's settings with their secrets ({}: the installation's own way), `address` a contact
    method's. With `resolve_afterwards` the same key is resolved at once, which is told only if it does not work.
    """
    message = dataclasses.replace(message, title=_prefixed(message.title), test=True)
    known = kinds().get(kind)
    kept = known.reference_for(config, message) if known else {}
    target = Target(
        config=dict(config),
        address=dict(address or {}),
        reference=kept,
        delivery_id=str(uuid4()),
        now=now,
        timeout=settings.CONNECTOR_TIMEOUT if address is None else settings.PAGE_TIMEOUT,
    )
    result = hand_over(kind, target, message)
    if resolve_afterwards and result.outcome is Outcome.SENT:
        return _resolve(kind, target, message, result)
    return result


def _resolve(kind: str, target: Target, message: Message, opened: Result) -> Result:
    target = dataclasses.replace(target, reference={**target.reference, **opened.reference}, delivery_id=str(uuid4()))
    document = {**message.document, "status": RESOLVED}
    over = dataclasses.replace(message, action=Action.RESOLVE, status=RESOLVED, document=document)
    result = hand_over(kind, target, over)
    if result.outcome is Outcome.SENT:
        return opened
    detail = f"The test arrived, but resolving it did not work. {result.detail}"
    return dataclasses.replace(result, detail=detail)


def _prefixed(title: str) -> str:
    return title if title.startswith(TEST_PREFIX) else f"{TEST_PREFIX} {title}"

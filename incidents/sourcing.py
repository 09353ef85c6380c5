"""An alert source is made, changed, given a new key, switched off and on, tried out and removed: one verb each."""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from config import audit
from config.problems import Conflict, FieldError, Invalid, invalid
from config.wire import instant
from destinations.base import TEST_PREFIX
from destinations.models import Connector
from incidents import keys
from incidents.ingest import Arrival, Result, ingest
from incidents.models import AlertSource, Connection, Severity
from incidents.routing import our_severity
from incidents.sources.base import Event, kinds
from oncall.models import Urgency

FIRST_EVENTS = ("opened", "accepted", "resolved")  # what a connection made by picking a connector is told of
LONGEST_OVERLAP = timedelta(days=7)
MOST_WORDS = 100  # entries of a severity map
PAGES_NOBODY = ""  # the urgency of what is recorded only


def save(source: AlertSource, **columns: Any) -> str | None:
    """Store what is given; return the key of a new source in the clear, this once. Raises Invalid, Conflict.

    `severity_map` may use high, medium and low for our words; its own words are compared in lower case.
    """
    if source.built_in and {"name", "kind", "enabled"} & set(columns):
        raise built_in(source)
    for name, value in columns.items():
        setattr(source, name, value)
    if source.kind not in kinds():
        raise invalid(
            "kind", f"{source.kind!r} is no kind of alert source. Use: {', '.join(kinds())}.", "invalid_choice"
        )
    source.severity_map = _severity_map(source.severity_map)
    source.urgency_map = _urgency_map(source.urgency_map)
    key = keys.issue(source) if source.pk is None else None
    source.save()
    return key


def connect(source: AlertSource, connectors: Iterable[Connector], *, actor: audit.Actor, now: datetime) -> None:
    """Let exactly these connectors have a connection on this source; connections on all sources stay as they are.

    A new connection is automatic and told of opened, accepted and resolved. Each change is recorded.
    """
    wanted = {connector.pk: connector for connector in connectors}
    with transaction.atomic():
        held = list(Connection.objects.filter(alert_source=source).select_related("connector", "alert_source"))
        for connection in held:
            if connection.connector_id not in wanted:
                audit.record(actor, "deleted", connection, audit.differences(audit.snapshot(connection), {}), now=now)
                connection.delete()
        for pk in wanted.keys() - {connection.connector_id for connection in held}:
            made = Connection.objects.create(connector=wanted[pk], alert_source=source, events=list(FIRST_EVENTS))
            audit.record(actor, "created", made, audit.differences({}, audit.snapshot(made)), now=now)


def rotate_key(source: AlertSource, *, overlap: timedelta, actor: audit.Actor, now: datetime) -> str:
    """Give a source a new key and return it in the clear, this once. The old one stays good for the overlap.

    Raises Invalid for an overlap below zero or over seven days, Conflict for the built-in source.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise invalid(
            "overlap_minutes", "The old key may stay good for 0 to 10080 minutes (seven days).", "out_of_range"
        )
    if source.built_in:
        raise built_in(source)
    with transaction.atomic():
        locked = AlertSource.objects.select_for_update().get(pk=source.pk)
        key = keys.rotate(locked, overlap=overlap, now=now)
        locked.save(update_fields=["key_hash", "key_prefix", "old_key_hash", "old_key_until", "updated_at"])
        facts = {"old_key_until": [None, instant(now + overlap)]} if overlap else {}
        audit.record(actor, "rotated", locked, facts, now=now)
    source.refresh_from_db()
    return key


def switch(source: AlertSource, *, on: bool, actor: audit.Actor, now: datetime) -> bool:
    """Take events from it again, or none any more; return whether it changed. Brings the object up to date."""
    if source.built_in:
        raise built_in(source)
    with transaction.atomic():
        changed = AlertSource.objects.filter(pk=source.pk, enabled=not on).update(enabled=on, updated_at=now)
        source.refresh_from_db()
        if changed:
            audit.record(actor, "switched on" if on else "switched off", source, now=now)
    return bool(changed)


def send_test_event(source: AlertSource, *, severity: str = Severity.INFO, now: datetime) -> Result:
    """Take a sample event as if the source had sent it, and return what came of it.

    It makes a real incident with all that follows, under a dedup key of its own. Raises Conflict if the source is
    switched off, Invalid for another severity.
    """
    if severity not in Severity.values:
        raise invalid("severity", f"Use one of {', '.join(Severity.values)}.", "invalid_choice")
    if not source.enabled:
        raise Conflict("source_disabled", f"{source.name} is switched off and takes no events. Switch it on first.")
    event = Event(
        dedup_key=f"test:{int(now.timestamp())}-{secrets.token_hex(3)}",
        title=f"{TEST_PREFIX} Disk 96% full on db-1",
        description="This is a test from Tocsin. Nothing is wrong; resolve it when you have seen it.",
        severity=severity,
        class_name="disk.full",
        source="db-1",
        component="postgres",
        group="shop",
        labels={"environment": "test"},
        links=[{"href": f"{settings.PUBLIC_URL}/", "text": "Tocsin"}],
        details={"free_gb": 2, "mount": "/var/lib/postgresql"},
        occurred_at=now,
        note="sent by “Send test event”",
        raw=json.dumps({"title": f"{TEST_PREFIX} Disk 96% full on db-1", "severity": str(severity)}),
    )
    return ingest([Arrival(source, [event], user_agent="Tocsin, “Send test event”")], now=now)[0][0]


def remove(source: AlertSource) -> None:
    """Delete a source with its connections and raw events. Raises Conflict if it has incidents, or is built in."""
    if source.built_in:
        raise built_in(source)
    incidents = source.incidents.count()
    if incidents:
        many = "an incident" if incidents == 1 else f"{incidents} incidents"
        raise Conflict(
            "in_use",
            f"{source.name} has {many}, and the record has to stay true. Switch it off instead.",
            incidents=incidents,
        )
    source.delete()


def built_in(source: AlertSource) -> Conflict:
    """Return the refusal to change what Tocsin itself needs."""
    return Conflict(
        "built_in",
        f"{source.name} is built in: incidents made by hand belong to it. It has no key and cannot be switched off, "
        "renamed or deleted.",
    )


def _severity_map(given: Mapping[str, Any]) -> dict[str, str]:
    if len(given) > MOST_WORDS:
        raise invalid("severity_map", f"At most {MOST_WORDS} words.", "too_long")
    wrong = [
        FieldError(
            field=f"severity_map.{word}", code="invalid_choice", detail=f"Use one of {', '.join(Severity.values)}."
        )
        for word, said in given.items()
        if our_severity(str(said)) not in Severity.values
    ]
    if wrong:
        raise Invalid(*wrong)
    return {str(word).strip().lower(): our_severity(str(said)) for word, said in given.items() if str(word).strip()}


def _urgency_map(given: Mapping[str, Any]) -> dict[str, str]:
    allowed = {*Urgency.values, PAGES_NOBODY}
    wrong = [
        FieldError(
            field=f"urgency_map.{severity}",
            code="invalid_choice",
            detail="Map critical, error, warning or info to high, low or an empty text (pages nobody).",
        )
        for severity, urgency in given.items()
        if our_severity(str(severity)) not in Severity.values or urgency not in allowed
    ]
    if wrong:
        raise Invalid(*wrong)
    return {our_severity(str(severity)): str(urgency) for severity, urgency in given.items()}

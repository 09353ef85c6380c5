"""Words and facts: note, change title, severity or labels, delete what is over."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from config import audit
from incidents import paging, runs
from incidents.lifecycle.batch import Batch, Change, ack_timeout, live_runs, single
from incidents.models import Incident, Severity, Status
from incidents.models.severity import louder
from incidents.timeline import Actor, Kind

EDITABLE = ("title", "description", "severity", "labels")


@transaction.atomic
def note(incidents: Sequence[Incident], text: str, *, by: Actor, now: datetime) -> list[Change]:
    """Write something down, on a resolved incident too. A note by the acknowledger restarts the ack time-out (E4)."""
    batch = Batch.lock("note", incidents, by=by, now=now)
    live = live_runs(batch.incidents)
    for incident in batch.incidents:
        values: dict[str, Any] = {}
        if incident.ack_timeout_at and by.user and incident.acknowledged_by_id == by.user.pk:
            values["ack_timeout_at"] = ack_timeout(live.get(incident.pk), now)
        batch.move([incident], Kind.NOTE, values, {"text": text}, even_resolved=True)
    return batch.done()


@transaction.atomic
def edit(incident: Incident, values: Mapping[str, Any], *, by: Actor, now: datetime) -> Incident:
    """Change title, description, severity or labels. A rise of urgency begins a run at step 1 (E13)."""
    batch = Batch.lock("edit", [incident], by=by, now=now)
    locked = batch.incidents[0]
    changed = {name: value for name, value in values.items() if name in EDITABLE and getattr(locked, name) != value}
    if not changed:
        return locked
    if locked.status == Status.RESOLVED and "severity" in changed:
        batch.refuse(locked, "The severity of a resolved incident cannot be changed.")
        single(batch.done())
    before, was = Severity(locked.severity), locked.urgency
    if severity := changed.pop("severity", None):
        urgency = locked.alert_source.urgency_of(severity)
        facts = {"from": before.value, "to": severity}
        batch.move([locked], Kind.SEVERITY, {"severity": severity, "urgency": urgency}, facts)
        if louder(was, urgency) and locked.status == Status.PENDING and not locked.snoozed:
            runs.start([locked], now=now)
        elif was and not urgency:
            paging.drop_all([locked], reason="it calmed down to info", now=now)
            runs.halt([locked])
    if changed:
        batch.move([locked], Kind.EDIT, changed, {"fields": list(changed)}, even_resolved=True)
    return locked


@transaction.atomic
def delete(incidents: Sequence[Incident], *, by: Actor, now: datetime) -> list[Change]:
    """Remove resolved incidents and what belongs to them; the audit trail keeps that they were, and who did it."""
    batch = Batch.lock("delete", incidents, by=by, now=now)
    for change in batch.done():
        incident = change.incident
        if incident.status != Status.RESOLVED:
            batch.refuse(incident, "Only a resolved incident can be deleted: resolve it first.")
            continue
        facts = {"title": incident.title, "opened_at": incident.opened_at.isoformat(), "dedup_key": incident.dedup_key}
        who = audit.Actor(by.name or "Tocsin", str(by.user.uuid) if by.user else "", by.via)
        audit.record(who, "deleted", incident, facts, now=now)
        change.changed = True
    gone = [change.incident.pk for change in batch.done() if change.changed]
    Incident.objects.filter(pk__in=gone).delete()
    return batch.done()

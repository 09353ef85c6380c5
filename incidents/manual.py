"""Incidents opened by a person's hand: they belong to the built-in source and name a policy."""

from datetime import datetime
from typing import Any

from django.db import transaction

from config.problems import invalid
from incidents import lifecycle
from incidents.models import AlertSource, Incident, Severity, Status
from incidents.setup import MANUAL
from incidents.timeline import Actor
from oncall.models import EscalationPolicy


@transaction.atomic
def open_by_hand(
    *,
    title: str,
    severity: str,
    policy: EscalationPolicy,
    key: str,
    by: Actor,
    now: datetime,
    description: str = "",
    **columns: Any,
) -> tuple[Incident, bool]:
    """Open an incident that somebody saw before a tool did; return it, and whether it is new.

    The same `key` again returns the open one. `columns` are further columns of the incident. Raises Invalid.
    """
    if not title.strip():
        raise invalid("title", "Say in a few words what is wrong.", "required")
    if severity not in Severity.values:
        raise invalid("severity", f"Use {', '.join(Severity.values)}.", "invalid_choice")
    source = manual_source()
    incident = Incident(
        alert_source=source,
        dedup_key=key,
        title=title.strip()[:255],
        description=description.strip(),
        severity=severity,
        escalation_policy=policy,
        opened_at=now,
        last_event_at=now,
        **{"team": policy.team, **columns},
    )
    if incident.uuid in lifecycle.trigger([incident], by={source.pk: by}, now=now):
        return incident, True
    return Incident.objects.exclude(status=Status.RESOLVED).get(alert_source=source, dedup_key=key), False


def manual_source() -> AlertSource:
    """Return the source of incidents made by hand, which every installation has from its first start."""
    found = AlertSource.objects.filter(built_in=True).first()
    return found or AlertSource.objects.create(name=MANUAL, kind="events", built_in=True)

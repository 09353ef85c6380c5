"""Rows with sensible values: plain functions, for tests that need a person, a policy, a source or an incident."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from incidents import keys, lifecycle
from incidents.ingest import Arrival, Result, ingest
from incidents.models import AlertSource, Incident
from incidents.sources.base import Action, Event
from incidents.timeline import Actor
from oncall.models import (
    ContactMethod,
    EscalationPolicy,
    Layer,
    NotificationRule,
    Participant,
    Schedule,
    Step,
    StepTarget,
    Team,
    Urgency,
    User,
)

T0 = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # a Saturday noon
_serial = count(1)


def make_user(username: str = "", *, email_after: Sequence[int] | None = (0,), **values: Any) -> User:
    """A person who is mailed after these minutes, by both urgencies; None: not reachable at all."""
    username = username or f"person{next(_serial)}"
    user = User.objects.create(username=username, email=f"{username}@example.com", name=username.capitalize(), **values)
    if email_after is not None:
        method = make_method(user)
        for urgency in Urgency:
            for minutes in email_after:
                make_rule(user, method, urgency=urgency, minutes=minutes)
    return user


def make_admin(username: str = "root") -> User:
    """An administrator with a verified address: the catch-all."""
    return make_user(username, is_superuser=True, is_staff=True)


def make_method(
    user: User, kind: str = "email", address: str = "", *, verified: bool = True, **values: Any
) -> ContactMethod:
    """A contact method that works."""
    return ContactMethod.objects.create(
        user=user, kind=kind, address=address or user.email, verified_at=T0 if verified else None, **values
    )


def make_rule(user: User, method: ContactMethod, *, urgency: str = "high", minutes: int = 0) -> NotificationRule:
    """A notification rule."""
    return NotificationRule.objects.create(user=user, urgency=urgency, delay_minutes=minutes, contact_method=method)


def make_schedule(
    name: str, *turns: User | None, zone: str = "UTC", anchor: str = "2026-01-01T00:00", unit: str = "week"
) -> Schedule:
    """A schedule with one layer; without turns it has a gap at every instant."""
    schedule = Schedule.objects.create(name=name, time_zone=zone)
    if turns:
        layer = Layer.objects.create(schedule=schedule, time_zone=zone, anchor=anchor, unit=unit)
        Participant.objects.bulk_create(
            [Participant(layer=layer, position=place, user=user) for place, user in enumerate(turns)]
        )
    return schedule


Targets = User | Schedule | Team | Sequence[User | Schedule | Team]


def make_policy(*steps: tuple[Targets, int], name: str = "", **values: Any) -> EscalationPolicy:
    """A policy of (targets, minutes) steps."""
    policy = EscalationPolicy.objects.create(name=name or f"Policy {next(_serial)}", **values)
    for position, (targets, minutes) in enumerate(steps):
        step = Step.objects.create(policy=policy, position=position, delay_minutes=minutes)
        together = targets if isinstance(targets, (list, tuple)) else [targets]
        for place, target in enumerate(together):
            StepTarget.objects.create(step=step, position=place, **{type(target).__name__.lower(): target})
    return policy


def make_source(name: str = "", *, policy: EscalationPolicy | None = None, **values: Any) -> AlertSource:
    """An alert source with a key that nobody kept."""
    source = AlertSource(name=name or f"Source {next(_serial)}", escalation_policy=policy, **values)
    keys.issue(source)
    source.save()
    return source


def make_keyed_source(name: str = "", **values: Any) -> tuple[AlertSource, str]:
    """An alert source and its key in the clear."""
    source = make_source(name, **values)
    key = keys.issue(source)
    source.save()
    return source, key


def event(title: str = "Disk full", **values: Any) -> Event:
    """One event; severity critical and a key of its own unless told otherwise."""
    fresh = f"key-{uuid.uuid4().hex[:8]}"
    return Event(**{"title": title, "severity": "critical", "dedup_key": fresh, "raw": "{}", **values})


def send(source: AlertSource, *events: Event, now: datetime = T0) -> list[Result]:
    """Ingest events of one source."""
    fresh = AlertSource.objects.select_related("escalation_policy", "team").get(pk=source.pk)
    return ingest([Arrival(fresh, events)], now=now)[0]


def resolve_event(key: str) -> Event:
    """The source says that it is over."""
    return Event(action=Action.RESOLVE, dedup_key=key, raw="{}")


def acknowledge_event(key: str) -> Event:
    """The source says that somebody has it."""
    return Event(action=Action.ACKNOWLEDGE, dedup_key=key, raw="{}")


def make_incident(source: AlertSource | None = None, *, now: datetime = T0, **values: Any) -> Incident:
    """An open incident, by way of an event."""
    result = send(source or make_source(), event(**values), now=now)[0]
    assert result.incident is not None
    return Incident.objects.get(pk=result.incident.pk)


def acknowledge(incident: Incident, user: User, *, now: datetime = T0) -> Incident:
    """A person acknowledges in the console."""
    return lifecycle.single(lifecycle.acknowledge([incident], by=Actor.person(user, "console"), now=now))

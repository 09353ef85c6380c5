"""Events in: a LIST at a time becomes raw events, incidents and timeline entries, in one transaction.

The number of queries does not grow with the batch, only with how often one dedup key changes its mind within it: events
are taken in rounds, and a round takes from each key its next events of one action.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from config.inserting import insert_values
from incidents import lifecycle
from incidents.lifecycle.opening import Key, key_of
from incidents.models import AlertSource, Incident, RawEvent, Status
from incidents.sources.base import Action, Event, FieldError, Refused
from incidents.timeline import Actor

Outcome = RawEvent.Outcome


@dataclass(frozen=True)
class Arrival:
    """What one request brought: its source, its events in order, and who sent it."""

    source: AlertSource
    events: Sequence[Event | Refused]
    remote_address: str | None = None
    user_agent: str = ""


@dataclass
class Result:
    """What came of one event."""

    outcome: str = Outcome.IGNORED
    dedup_key: str = ""
    incident: Incident | None = None
    reason: str = ""
    errors: Sequence[FieldError] = ()


@dataclass
class _Pending:
    """One event on its way."""

    arrival: Arrival
    event: Event
    result: Result

    @property
    def key(self) -> Key:
        return self.arrival.source.pk, self.result.dedup_key


@dataclass
class _Round:
    """The next events of one action for each key."""

    groups: dict[Key, list[_Pending]] = field(default_factory=dict)

    def with_action(self, action: Action) -> list[list[_Pending]]:
        return [group for group in self.groups.values() if group[0].event.action == action]


def ingest(arrivals: Sequence[Arrival], *, now: datetime) -> list[list[Result]]:
    """Take what arrived and return what came of each event, in order, after the commit."""
    results = [[_first_result(event) for event in arrival.events] for arrival in arrivals]
    pending = [
        _Pending(arrival, event, result)
        for arrival, row in zip(arrivals, results, strict=True)
        for event, result in zip(arrival.events, row, strict=True)
        if isinstance(event, Event)
    ]
    with transaction.atomic():
        for one in _rounds(pending):
            _take(one, now)
        _keep_raw(arrivals, results, now)
    return results


def _first_result(event: Event | Refused) -> Result:
    if isinstance(event, Refused):
        return Result(Outcome.REFUSED, event.dedup_key, errors=event.errors)
    return Result(dedup_key=event.dedup_key or uuid.uuid4().hex)


def _rounds(pending: Iterable[_Pending]) -> list[_Round]:
    """Cut the events into rounds in which each key has one action; order within a key is kept."""
    rounds: list[_Round] = []
    turn: dict[Key, int] = {}  # the round a key's last event went into
    for one in pending:
        at = turn.get(one.key, 0)
        if at < len(rounds) and (group := rounds[at].groups.get(one.key)) and group[0].event.action != one.event.action:
            at += 1
        if at == len(rounds):
            rounds.append(_Round())
        rounds[at].groups.setdefault(one.key, []).append(one)
        turn[one.key] = at
    return rounds


def _take(one: _Round, now: datetime) -> None:
    opened = _lock_open(one.groups)
    triggers = one.with_action(Action.TRIGGER)
    losers = _open([group for group in triggers if group[0].key not in opened], now)
    if losers:  # somebody else opened these keys a moment ago: join theirs
        opened |= _lock_open({group[0].key: group for group in losers})
    _append([(opened[group[0].key], group) for group in triggers if group[0].key in opened], now)
    _acknowledge([(opened.get(group[0].key), group) for group in one.with_action(Action.ACKNOWLEDGE)], now)
    _resolve([(opened.get(group[0].key), group) for group in one.with_action(Action.RESOLVE)], now)


def _lock_open(groups: Mapping[Key, Sequence[_Pending]]) -> dict[Key, Incident]:
    """Return the open incidents of these keys, their rows locked in order of id."""
    by_source: dict[int, list[str]] = {}
    for source_pk, key in groups:
        by_source.setdefault(source_pk, []).append(key)
    wanted = Q()
    for source_pk, keys in by_source.items():
        wanted |= Q(alert_source=source_pk, dedup_key__in=keys)
    rows = (
        Incident.objects.select_for_update(of=("self",), no_key=True)
        .filter(wanted)
        .exclude(status=Status.RESOLVED)
        .order_by("pk")
    )
    sources = {group[0].arrival.source.pk: group[0].arrival.source for group in groups.values()}
    found = {}
    for incident in rows:
        incident.alert_source = sources[incident.alert_source_id]
        found[key_of(incident)] = incident
    return found


def _open(groups: Sequence[list[_Pending]], now: datetime) -> list[list[_Pending]]:
    """Open an incident for each group; return the groups that lost their key to another opener."""
    incidents = {group[0].key: _new_incident(group, now) for group in groups}
    actors = {group[0].arrival.source.pk: Actor.source(group[0].arrival.source) for group in groups}
    won = lifecycle.trigger(list(incidents.values()), by=actors, now=now) if groups else set()
    losers = []
    for group in groups:
        incident = incidents[group[0].key]
        if incident.uuid not in won:
            losers.append(group)
            continue
        for position, one in enumerate(group):
            quiet = not incident.urgency
            one.result.outcome = Outcome.UPDATED if position else Outcome.SUPPRESSED if quiet else Outcome.OPENED
            one.result.incident = incident
            one.result.reason = "info is recorded and pages nobody" if quiet and not position else ""
    return losers


def _new_incident(group: Sequence[_Pending], now: datetime) -> Incident:
    source, events = group[0].arrival.source, [one.event for one in group]
    last = events[-1]
    incident = Incident(
        uuid=uuid.uuid4(),
        alert_source=source,
        dedup_key=group[0].result.dedup_key,
        severity=_worst(events) or source.default_severity,
        escalation_policy=source.escalation_policy,
        team=source.team,
        opened_at=now,
        last_event_at=now,
        occurred_at=events[0].occurred_at,
        events=len(events),
    )
    for name, value in _values(last).items():
        setattr(incident, name, value)
    return incident


def _worst(events: Sequence[Event]) -> str:
    from_worst = ("critical", "error", "warning", "info")
    named = {event.severity for event in events if event.severity}
    return next((word for word in from_worst if word in named), "")


def _values(event: Event) -> dict[str, Any]:
    """Return what an incident takes over from its latest trigger."""
    return {
        "title": event.title,
        "description": event.description,
        "risk_score": event.risk_score,
        "class_name": event.class_name,
        "origin": event.source,
        "component": event.component,
        "group": event.group,
        "labels": event.labels,
        "links": event.links,
        "images": event.images,
        "details": {**event.details, **({"note": event.note} if event.note else {})},
    }


def _append(joined: Sequence[tuple[Incident, list[_Pending]]], now: datetime) -> None:
    appendings = []
    for incident, group in joined:
        last = group[-1].event
        severity = last.severity if len(group) == 1 else _worst([one.event for one in group])
        values = {name: value for name, value in _values(last).items() if value not in ("", None, {}, [])}
        actor = Actor.source(group[0].arrival.source)
        appendings.append(lifecycle.Appending(incident, actor, values, severity, len(group)))
        for one in group:
            one.result.outcome, one.result.incident = Outcome.UPDATED, incident
    if appendings:
        lifecycle.append(appendings, now=now)


def _acknowledge(asked: Sequence[tuple[Incident | None, list[_Pending]]], now: datetime) -> None:
    for source, incidents in _known(asked, Outcome.ACCEPTED).items():
        lifecycle.acknowledge(incidents, by=Actor.source(source), now=now)


def _resolve(asked: Sequence[tuple[Incident | None, list[_Pending]]], now: datetime) -> None:
    for source, incidents in _known(asked, Outcome.RESOLVED).items():
        lifecycle.resolve(incidents, by=Actor.source(source), now=now)


def _known(
    asked: Sequence[tuple[Incident | None, list[_Pending]]], outcome: Outcome
) -> dict[AlertSource, list[Incident]]:
    """Note the outcome of each event; return the incidents that are there, by source."""
    by_source: dict[AlertSource, list[Incident]] = {}
    for incident, group in asked:
        for position, one in enumerate(group):
            if incident is None or (position and outcome == Outcome.RESOLVED):
                one.result.outcome = Outcome.IGNORED
                one.result.reason = "no open incident has this dedup key"
            else:
                one.result.outcome, one.result.incident = outcome, incident
        if incident is not None:
            by_source.setdefault(group[0].arrival.source, []).append(incident)
    return by_source


def _keep_raw(arrivals: Sequence[Arrival], results: Sequence[Sequence[Result]], now: datetime) -> None:
    """Keep every event as it arrived, with what came of it; note on each source that it has spoken."""
    rows = [
        _raw(arrival, event, result, now)
        for arrival, row in zip(arrivals, results, strict=True)
        for event, result in zip(arrival.events, row, strict=True)
    ]
    insert_values(RawEvent, rows)
    AlertSource.objects.filter(pk__in={arrival.source.pk for arrival in arrivals}).update(last_event_at=now)


def _raw(arrival: Arrival, event: Event | Refused, result: Result, now: datetime) -> dict[str, Any]:
    taken = event if isinstance(event, Event) else None
    return {
        "uuid": uuid.uuid4(),
        "source_id": arrival.source.pk,
        "received_at": now,
        "remote_address": arrival.remote_address,
        "user_agent": arrival.user_agent[:200],
        "body": event.raw,
        "size": len(event.raw.encode()),
        "action": taken.action if taken else "",
        "dedup_key": result.dedup_key[:255],
        "title": taken.title if taken else "",
        "outcome": result.outcome,
        "reason": result.reason,
        "errors": [{"field": e.field, "code": e.code, "detail": e.detail} for e in result.errors],
        "incident_id": result.incident.pk if result.incident else None,
    }

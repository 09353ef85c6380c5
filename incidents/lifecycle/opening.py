"""A source says that something is wrong: open an incident, or add to the one that is open."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q

from config.inserting import insert
from incidents import broadcast, paging, runs, timeline
from incidents.lifecycle.batch import NOBODY_HAS_IT
from incidents.models import Incident, Severity, Status
from incidents.models.severity import louder
from incidents.timeline import Actor, Draft, Entry, Kind

Key = tuple[int, str]  # alert source pk, dedup key
MOST_COUNTS = 4


def key_of(incident: Incident) -> Key:
    """Return what at most one open incident may have."""
    return incident.alert_source_id, incident.dedup_key


@dataclass
class Appending:
    """Further triggers for an open incident: how many, and what the last of them says."""

    incident: Incident  # locked
    by: Actor
    values: Mapping[str, Any] = field(
        default_factory=dict
    )  # title, description, details, ... as the source has them now
    severity: str = ""  # if the source named one: up at once, down too, because it is the source's word
    events: int = 1


@transaction.atomic
def trigger(incidents: Sequence[Incident], *, by: Mapping[int, Actor], now: datetime, why: str = "") -> set[uuid.UUID]:
    """Open new, unsaved incidents; return the UUIDs of those that won their key.

    Of two openers of one (source, dedup key) the database lets one win; the loser's incident is not written and the
    caller joins the winner's instead. `by` names the actor for each source pk. Sorted by key, so that two batches that
    open the same keys cannot deadlock.
    """
    wanted = sorted(incidents, key=key_of)
    previous = _previous(wanted)
    for incident in wanted:
        incident.previous_id = previous.get(key_of(incident))
        incident.status, incident.entries = Status.PENDING, 1
        incident.urgency = incident.alert_source.urgency_of(incident.severity)
    insert(wanted, ignore_conflicts=True)
    pks = dict(Incident.objects.filter(uuid__in=[i.uuid for i in wanted]).values_list("uuid", "pk"))
    opened = [incident for incident in wanted if incident.uuid in pks]
    for incident in opened:
        incident.pk, incident.entries = pks[incident.uuid], 0
    entries = _write_opened(opened, by, now, why)
    runs.start(opened, now=now, new=True)
    broadcast.tell(entries, now=now)
    return set(pks)


def _write_opened(opened: Sequence[Incident], by: Mapping[int, Actor], now: datetime, why: str) -> list[Entry]:
    entries: list[Entry] = []
    for source_pk, actor in by.items():
        own = [incident for incident in opened if incident.alert_source_id == source_pk]
        drafts = [Draft(i, Kind.OPEN, _opening_facts(i, why)) for i in own]
        entries += timeline.numbered(drafts, by=actor, at=now)
    timeline.store(entries)
    return entries


def _opening_facts(incident: Incident, why: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"severity": incident.severity}
    if incident.previous_id:
        facts["previous"] = incident.previous_id
    if why:
        facts["why"] = why
    return facts


def _previous(incidents: Iterable[Incident]) -> dict[Key, int]:
    """Return the last resolved incident of each key: the new one links to it."""
    by_source: dict[int, list[str]] = {}
    for incident in incidents:
        by_source.setdefault(incident.alert_source_id, []).append(incident.dedup_key)
    if not by_source:
        return {}
    same = Q()
    for source_pk, keys in by_source.items():
        same |= Q(alert_source=source_pk, dedup_key__in=keys)
    resolved = Incident.objects.filter(same, status=Status.RESOLVED).values_list("alert_source_id", "dedup_key")
    return {(source, key): pk for source, key, pk in resolved.annotate(last=Max("pk")).order_by()}


APPENDED = (
    "title",
    "description",
    "severity",
    "urgency",
    "risk_score",
    "labels",
    "details",
    "links",
    "images",
    "class_name",
    "origin",
    "component",
    "group",
)


@transaction.atomic
def append(appendings: Sequence[Appending], *, now: datetime) -> None:
    """Add triggers to open incidents, whose rows the caller has locked: nothing is paged again (E14) but

    - a pending incident whose urgency rises begins a run at step 1 (E13),
    - an accepted one whose severity rises is paged anew if its source asks for that,
    - a snoozed one that becomes critical wakes up (I3).
    """
    anew: list[Incident] = []
    calmed: list[Incident] = []  # to info, which pages nobody
    changed: list[Incident] = []
    drafts: list[tuple[Actor, Draft]] = []
    for one in appendings:
        incident, before, was = one.incident, one.incident.severity, one.incident.urgency
        if _take_over(one, now):
            changed.append(incident)
        drafts.append((one.by, Draft(incident, Kind.UPSERT_STATE, {"events": one.events})))
        if incident.severity != before:
            drafts.append((one.by, Draft(incident, Kind.SEVERITY, {"from": before, "to": incident.severity})))
        if was and not incident.urgency:
            calmed.append(incident)
        if _pages_anew(incident, before, was):
            _make_pending(incident)
            anew.append(incident)
    entries = [entry for by, draft in drafts for entry in timeline.numbered([draft], by=by, at=now)]
    _save(changed)
    _count([one for one in appendings if one.incident not in changed], now)
    timeline.store(entries)
    broadcast.tell([entry for entry in entries if entry.kind == Kind.SEVERITY], now=now)
    paging.drop_all(anew, reason="its severity rose", now=now)
    runs.start(anew, now=now)
    paging.drop_all(calmed, reason="it calmed down to info", now=now)
    runs.halt(calmed)


def _take_over(one: Appending, now: datetime) -> bool:
    """Let the incident say what its source says now; return whether that changed anything but the count."""
    incident = one.incident
    news = {name: value for name, value in one.values.items() if getattr(incident, name) != value}
    if one.severity and one.severity != incident.severity:
        news |= {"severity": one.severity, "urgency": incident.alert_source.urgency_of(one.severity)}
    for name, value in news.items():
        setattr(incident, name, value)
    incident.events += one.events
    incident.last_event_at = incident.updated_at = now
    incident.firing = True
    incident.version += 1
    return bool(news)


def _pages_anew(incident: Incident, before: str, was: str) -> bool:
    rose = Severity(incident.severity).rank > Severity(before).rank
    if incident.snoozed:
        return rose and incident.severity == Severity.CRITICAL
    if incident.status == Status.ACCEPTED:
        return rose and incident.alert_source.page_again_on_rise and bool(incident.urgency)
    return louder(was, incident.urgency)


def _make_pending(incident: Incident) -> None:
    for name, value in {**NOBODY_HAS_IT, "snoozed_until": None}.items():
        setattr(incident, name, value)


def _count(appendings: Sequence[Appending], now: datetime) -> None:
    """Write those of which nothing changed but the count: the everyday case of a source that repeats itself."""
    by_count: dict[int, list[int]] = {}
    for one in appendings:
        by_count.setdefault(one.events, []).append(one.incident.pk)
    if len(by_count) > MOST_COUNTS:  # rather one larger statement than one for each count
        _save([one.incident for one in appendings])
        return
    for count, pks in by_count.items():
        Incident.objects.filter(pk__in=pks).update(
            events=F("events") + count,
            version=F("version") + 1,
            entries=F("entries") + 1,
            last_event_at=now,
            updated_at=now,
            firing=True,
        )


def _save(incidents: Sequence[Incident]) -> None:
    """Write many changed rows with different values by one statement: an upsert on the primary key."""
    names = [
        *APPENDED,
        *NOBODY_HAS_IT,
        "snoozed_until",
        "events",
        "last_event_at",
        "updated_at",
        "firing",
        "version",
        "entries",
    ]
    Incident.objects.bulk_create(incidents, update_conflicts=True, unique_fields=["pk"], update_fields=names)

"""The record of an incident: who did what, numbered without holes, never changed afterwards (I7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from django.db.models import F

from config.inserting import insert
from incidents.models import AlertSource, Incident, TimelineEntry
from oncall.models import User

Kind = TimelineEntry.Kind
Originator = TimelineEntry.Originator


@dataclass(frozen=True)
class Actor:
    """Who does something to an incident, and through which door."""

    originator: Originator
    name: str = ""
    user: User | None = None  # the person, if it is one: becomes the assignee when acknowledging
    via: str = ""  # console, api, link, email, command

    @classmethod
    def person(cls, user: User, via: str) -> Self:
        """A person who signed in, followed a signed link, or used a personal token."""
        return cls(Originator.PERSON, str(user), user, via)

    @classmethod
    def source(cls, source: AlertSource) -> Self:
        """An alert source that says so itself."""
        return cls(Originator.SOURCE, source.name, None, "event")

    @classmethod
    def token(cls, name: str) -> Self:
        """A service token: a machine that changes no assignee."""
        return cls(Originator.TOKEN, name, None, "api")


SYSTEM = Actor(Originator.SYSTEM)


@dataclass(frozen=True)
class Draft:
    """An entry about to be written; `facts` hold what its sentence is made from."""

    incident: Incident
    kind: Kind
    facts: Mapping[str, Any] = field(default_factory=dict)


def write(drafts: Sequence[Draft], *, by: Actor, at: datetime) -> list[TimelineEntry]:
    """Write entries for incidents whose rows the caller has locked and whose `entries` column it raises itself."""
    entries = drafts_to_entries(drafts, by=by, at=at)
    insert(entries)
    return entries


def drafts_to_entries(drafts: Sequence[Draft], *, by: Actor, at: datetime) -> list[TimelineEntry]:
    """Return unsaved entries; their numbers follow the incident's `entries` in memory, which is counted up here."""
    entries = []
    for draft in drafts:
        draft.incident.entries += 1
        entry = TimelineEntry(
            incident=draft.incident,
            number=draft.incident.entries,
            at=at,
            kind=draft.kind,
            originator=by.originator,
            user=by.user,
            actor=by.name[:150],
            via=by.via,
            facts=dict(draft.facts),
        )
        entries.append(entry)
    return entries


def add(incident: Incident, kind: Kind, facts: Mapping[str, Any], *, at: datetime, by: Actor = SYSTEM) -> TimelineEntry:
    """Write one entry that changes nothing else. The incident's row must be locked by the caller."""
    entry = write([Draft(incident, kind, facts)], by=by, at=at)[0]
    Incident.objects.filter(pk=incident.pk).update(entries=F("entries") + 1)
    return entry


def lock(pks: Sequence[int]) -> list[Incident]:
    """Return the incidents with their rows locked, in order of id so that two batches cannot deadlock (I7)."""
    rows = Incident.objects.select_for_update(of=("self",)).select_related("alert_source", "acknowledged_by")
    return list(rows.filter(pk__in=pks).order_by("pk"))

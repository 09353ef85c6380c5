"""The record of an incident: who did what, numbered without holes, never changed afterwards (I7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID, uuid4

from django.db.models import F

from config.inserting import insert_values
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


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it was written: what is told of it needs no row to be read again."""

    incident: Incident
    uuid: UUID
    number: int
    at: datetime
    kind: Kind
    originator: Originator
    user_id: int | None
    actor: str
    via: str
    facts: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """Return the columns of its row."""
        own = {name: getattr(self, name) for name in ("uuid", "number", "at", "kind", "originator", "user_id")}
        return {**own, "incident_id": self.incident.pk, "actor": self.actor, "via": self.via, "facts": dict(self.facts)}


def write(drafts: Sequence[Draft], *, by: Actor, at: datetime) -> list[Entry]:
    """Write entries for incidents whose rows the caller has locked and whose `entries` column it raises itself."""
    entries = numbered(drafts, by=by, at=at)
    store(entries)
    return entries


def numbered(drafts: Sequence[Draft], *, by: Actor, at: datetime) -> list[Entry]:
    """Return entries to be stored, numbered after the incident's `entries` in memory, which is counted up here."""
    user_id, actor = by.user.pk if by.user else None, by.name[:150]
    entries = []
    for draft in drafts:
        incident = draft.incident
        incident.entries += 1
        number, kind = incident.entries, draft.kind
        entries.append(Entry(incident, uuid4(), number, at, kind, by.originator, user_id, actor, by.via, draft.facts))
    return entries


def store(entries: Sequence[Entry]) -> None:
    """Write numbered entries by one statement."""
    insert_values(TimelineEntry, [entry.values() for entry in entries])


def add(incident: Incident, kind: Kind, facts: Mapping[str, Any], *, at: datetime, by: Actor = SYSTEM) -> Entry:
    """Write one entry that changes nothing else. The incident's row must be locked by the caller."""
    entry = write([Draft(incident, kind, facts)], by=by, at=at)[0]
    Incident.objects.filter(pk=incident.pk).update(entries=F("entries") + 1)
    return entry


def lock(pks: Sequence[int]) -> list[Incident]:
    """Return the incidents with their rows locked, in order of id so that two batches cannot deadlock (I7)."""
    rows = Incident.objects.select_for_update(of=("self",), no_key=True).select_related(
        "alert_source", "acknowledged_by"
    )
    return list(rows.filter(pk__in=pks).order_by("pk"))

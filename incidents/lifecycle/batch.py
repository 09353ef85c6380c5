"""Locked incidents on their way through one verb: the guarded UPDATE, the timeline entries, the news to connections."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.db.models import F

from config.problems import Conflict
from incidents import broadcast, timeline
from incidents.models import Incident, Run, Status
from incidents.timeline import Actor, Draft, Entry, Kind

OPEN = frozenset({Status.PENDING, Status.ACCEPTED})
NOBODY_HAS_IT: Mapping[str, Any] = {
    "status": Status.PENDING,
    "acknowledged_by": None,
    "acknowledged_at": None,
    "ack_timeout_at": None,
}
Facts = Mapping[str, Any] | Callable[[Incident], Mapping[str, Any]]


class IllegalTransition(Conflict):
    """The incident cannot do that where it stands. Its text says why and what to do; `code` is for machines."""

    def __init__(self, incident: Incident, action: str, why: str, code: str = "invalid_transition") -> None:
        super().__init__(code, why, status_now=incident.status)
        self.incident, self.action = incident, action


@dataclass
class Change:
    """What came of a verb for one incident."""

    incident: Incident
    changed: bool = False
    refusal: IllegalTransition | None = None


def single(changes: Sequence[Change]) -> Incident:
    """Return the one incident of a change. Raises its refusal."""
    if changes[0].refusal is not None:
        raise changes[0].refusal
    return changes[0].incident


@dataclass
class Batch:
    """What one verb holds in its hands. Make it with `lock`, inside a transaction."""

    action: str
    by: Actor
    now: datetime
    changes: dict[int, Change]  # by incident pk, in order of pk
    order: list[int]  # as the caller named them

    @classmethod
    def lock(cls, action: str, incidents: Sequence[Incident], *, by: Actor, now: datetime) -> "Batch":
        """Lock the rows, in order of id; what was deleted meanwhile is left out."""
        order = list(dict.fromkeys(incident.pk for incident in incidents))
        locked = {incident.pk: Change(incident) for incident in timeline.lock(order)}
        return cls(action, by, now, locked, [pk for pk in order if pk in locked])

    @property
    def incidents(self) -> list[Incident]:
        """The locked incidents, in order of id."""
        return [change.incident for change in self.changes.values()]

    def refuse(self, incident: Incident, why: str, code: str = "invalid_transition") -> None:
        """Answer this incident with a refusal."""
        self.changes[incident.pk].refusal = IllegalTransition(incident, self.action, why, code)

    def open_ones(self, past: str, statuses: Collection[str] = OPEN) -> list[Incident]:
        """Return those that are open; a resolved one is refused in words ("cannot be acknowledged")."""
        for incident in self.incidents:
            if incident.status == Status.RESOLVED:
                self.refuse(incident, f"A resolved incident cannot be {past}.")
        return [incident for incident in self.incidents if incident.status in statuses]

    def move(
        self,
        incidents: Sequence[Incident],
        kind: Kind,
        values: Mapping[str, Any],
        facts: Facts = MappingProxyType({}),
        *,
        even_resolved: bool = False,
    ) -> list[Entry]:
        """Set the same values on all of them by one guarded UPDATE, write one entry for each, tell the connections."""
        if not incidents:
            return []
        guarded = Incident.objects.filter(pk__in=[i.pk for i in incidents])
        if not even_resolved:
            guarded = guarded.exclude(status=Status.RESOLVED)
        moved = guarded.update(**values, version=F("version") + 1, entries=F("entries") + 1, updated_at=self.now)
        if moved != len(incidents):  # cannot be while the rows are locked: better nothing than half of it
            raise RuntimeError(f"{self.action}: {len(incidents) - moved} locked incidents changed under our hands")
        for incident in incidents:
            incident.version += 1
            incident.updated_at = self.now
            for name, value in values.items():
                setattr(incident, name, value)
            self.changes[incident.pk].changed = True
        drafts = [Draft(incident, kind, facts(incident) if callable(facts) else facts) for incident in incidents]
        entries = timeline.write(drafts, by=self.by, at=self.now)
        broadcast.tell(entries, now=self.now)
        return entries

    def raise_version(self, incident: Incident) -> None:
        """Say that the incident changed where no column of its own did."""
        incident.version += 1
        Incident.objects.filter(pk=incident.pk).update(version=incident.version, updated_at=self.now)
        self.changes[incident.pk].changed = True

    def done(self) -> list[Change]:
        """Return what came of it, in the order the caller named the incidents."""
        return [self.changes[pk] for pk in self.order]


def live_runs(incidents: Sequence[Incident]) -> dict[int, Run]:
    """Return the live runs of these incidents by incident pk, their rows locked."""
    runs = (
        Run.objects.select_for_update(no_key=True)
        .filter(incident__in=[i.pk for i in incidents])
        .exclude(state=Run.State.ENDED)
    )
    return {run.incident_id: run for run in runs.order_by("pk")}


def ack_timeout(run: Run | None, now: datetime) -> datetime | None:
    """Return when an acknowledgement made now times out by the run's policy (E4), or None."""
    minutes = run.snapshot.get("ack_timeout_minutes") if run else None
    return now + timedelta(minutes=minutes) if minutes else None

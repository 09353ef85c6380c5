"""Somebody answers: acknowledge, give it back, resolve, close."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from incidents import paging, runs, steps, timeline
from incidents.lifecycle.batch import NOBODY_HAS_IT, OPEN, Batch, Change, ack_timeout, live_runs
from incidents.models import Assignment, Execution, Incident, Status
from incidents.timeline import Actor, Kind
from oncall.models import User


@transaction.atomic
def acknowledge(incidents: Sequence[Incident], *, by: Actor, now: datetime) -> list[Change]:
    """Somebody has it: escalation halts, unsent pages of everyone are cancelled (E3). Again changes nothing.

    A person becomes the assignee; a source or a service token changes no assignee. A snooze stays (I3).
    """
    batch = Batch.lock("acknowledge", incidents, by=by, now=now)
    moving = [incident for incident in batch.open_ones("acknowledged") if incident.status == Status.PENDING]
    live = live_runs(moving)
    paging.drop_all(moving, reason=f"acknowledged by {by.name or 'Tocsin'}", now=now)
    if by.user is not None:
        _become_assignee(moving, by.user, now)
    for timeout in sorted({ack_timeout(live.get(i.pk), now) for i in moving}, key=str):
        same = [i for i in moving if ack_timeout(live.get(i.pk), now) == timeout]
        has_it = {
            "status": Status.ACCEPTED,
            "acknowledged_by": by.user,
            "acknowledged_at": now,
            "ack_timeout_at": timeout,
        }
        batch.move(same, Kind.ACKNOWLEDGE, has_it)
    runs.halt(moving)
    paging.inform(moving, live, Execution.Reason.ACCEPTED, but=by.user, now=now)
    return batch.done()


@transaction.atomic
def unacknowledge(incidents: Sequence[Incident], *, by: Actor, now: datetime) -> list[Change]:
    """Nobody has it any more: pending, and the present step executes anew. A pending one stays as it is."""
    batch = Batch.lock("unacknowledge", incidents, by=by, now=now)
    _give_back(batch, batch.open_ones("unacknowledged"))
    return batch.done()


@transaction.atomic
def time_out(incidents: Sequence[Incident], *, now: datetime) -> list[Change]:
    """The acknowledgement is too old: pending again, the present step anew, and the acknowledger is paged too (E4)."""
    batch = Batch.lock("unacknowledge", incidents, by=timeline.SYSTEM, now=now)
    due = [i for i in batch.incidents if i.status in OPEN and i.ack_timeout_at and i.ack_timeout_at <= now]
    _give_back(batch, due, why="nothing was heard since it was acknowledged", page_the_acknowledger=True)
    return batch.done()


@transaction.atomic
def resolve(
    incidents: Sequence[Incident], *, by: Actor, now: datetime, resolution: str = "", still_firing: bool = False
) -> list[Change]:
    """It is over, for good (E5): the run ends, unsent pages are cancelled. Resolving the resolved changes nothing (I5).

    `still_firing`: closed by a person while the source has not said that it is over.
    """
    batch = Batch.lock("close" if still_firing else "resolve", incidents, by=by, now=now)
    moving = [incident for incident in batch.incidents if incident.status in OPEN]
    live = live_runs(moving)
    paging.drop_all(moving, reason="the incident is resolved", now=now)
    over: dict[str, Any] = {"status": Status.RESOLVED, "closed_at": now, "closed_by": by.user}
    over |= {"snoozed_until": None, "ack_timeout_at": None}
    if not still_firing:
        over["firing"] = False
    facts = {"resolution": resolution} if resolution else {}
    batch.move(moving, Kind.CLOSE if still_firing else Kind.RESOLVE, over, facts)
    paging.inform(moving, live, Execution.Reason.RESOLVED, but=by.user, now=now)
    runs.end(moving, now=now)
    return batch.done()


def close(incidents: Sequence[Incident], *, by: Actor, now: datetime, resolution: str = "") -> list[Change]:
    """End it administratively: resolved, but `firing` stays as the source left it."""
    return resolve(incidents, by=by, now=now, resolution=resolution, still_firing=True)


def _give_back(batch: Batch, incidents: Sequence[Incident], why: str = "", page_the_acknowledger: bool = False) -> None:
    moving = [incident for incident in incidents if incident.status == Status.ACCEPTED]
    before = {incident.pk: incident.acknowledged_by for incident in moving}
    batch.move(moving, Kind.UNACKNOWLEDGE, NOBODY_HAS_IT, {"why": why} if why else {})
    live = live_runs(moving)
    for incident in moving:
        if not incident.snoozed and (run := live.get(incident.pk)):
            run.incident = incident
            steps.take_again(run, now=batch.now, also=before[incident.pk] if page_the_acknowledger else None)
    runs.start([incident for incident in moving if incident.pk not in live and not incident.snoozed], now=batch.now)


def _become_assignee(incidents: Sequence[Incident], user: User, now: datetime) -> None:
    Assignment.objects.filter(incident__in=[i.pk for i in incidents], team=None).exclude(user=user).delete()
    Assignment.objects.bulk_create(
        [Assignment(incident=i, user=user, assigned_by=user, assigned_at=now) for i in incidents], ignore_conflicts=True
    )

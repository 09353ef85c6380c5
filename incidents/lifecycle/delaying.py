"""Not now, or not me: snooze, end a snooze, escalate to the next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from incidents import paging, runs, steps, timeline
from incidents.lifecycle.batch import NOBODY_HAS_IT, Batch, Change, live_runs
from incidents.models import Execution, Incident, Run, Status
from incidents.sentences import join
from incidents.timeline import Actor, Kind

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=7)  # I3


@transaction.atomic
def snooze(incidents: Sequence[Incident], *, until: datetime, by: Actor, now: datetime) -> list[Change]:
    """Let run and pages rest until an instant, one minute to seven days away; a new snooze replaces the end (I3)."""
    batch = Batch.lock("snooze", incidents, by=by, now=now)
    moving = batch.open_ones("snoozed")
    if not SHORTEST <= until - now <= LONGEST:
        for incident in moving:
            batch.refuse(incident, "An incident can be snoozed for one minute to seven days.", "invalid_snooze")
        return batch.done()
    paging.drop_all(moving, reason=f"snoozed by {by.name or 'Tocsin'}", now=now)
    facts = {
        "until": f"{until:%Y-%m-%d %H:%M} UTC",
        "at": until.isoformat(),
        "minutes": round((until - now).total_seconds() / 60),
    }
    batch.move(moving, Kind.SNOOZE, {"snoozed_until": until, "ack_timeout_at": None}, facts)
    runs.halt(moving)
    return batch.done()


@transaction.atomic
def unsnooze(incidents: Sequence[Incident], *, by: Actor, now: datetime) -> list[Change]:
    """End the snooze early: pending, and a new run begins at step 1 for whoever is on call now (I3)."""
    batch = Batch.lock("unsnooze", incidents, by=by, now=now)
    _wake(batch, [i for i in batch.open_ones("unsnoozed") if i.snoozed], why=f"by {by.name}" if by.name else "")
    return batch.done()


@transaction.atomic
def wake_up(incidents: Sequence[Incident], *, now: datetime) -> list[Change]:
    """End the snoozes whose time is over; one that was prolonged meanwhile sleeps on."""
    batch = Batch.lock("unsnooze", incidents, by=timeline.SYSTEM, now=now)
    over = [i for i in batch.open_ones("unsnoozed") if i.snoozed_until and i.snoozed_until <= now]
    _wake(batch, over, why="its time is over")
    return batch.done()


@transaction.atomic
def escalate(incidents: Sequence[Incident], *, by: Actor, now: datetime, sent_for: int | None = None) -> list[Change]:
    """Take the next step now, from pending or accepted; the earlier people's unsent pages are cancelled (E6).

    `sent_for`: the execution an answer belongs to; if the run has moved on since, the answer counts no second time.
    """
    batch = Batch.lock("escalate", incidents, by=by, now=now)
    moving = batch.open_ones("escalated")
    live = live_runs(moving)
    for incident in moving:
        run = live.get(incident.pk)
        if run is None or steps.no_further_step(run):
            batch.refuse(incident, "There is no further step to escalate to.", "no_further_step")
        elif sent_for is not None and (later := _taken_since(run, sent_for)):
            batch.refuse(incident, f"Already escalated to {join(later)}.", "already_escalated")
        else:
            _escalate_one(batch, incident, run)
    return batch.done()


def _escalate_one(batch: Batch, incident: Incident, run: Run) -> None:
    paging.drop(incident, reason="escalated to the next step", now=batch.now)
    if incident.status == Status.ACCEPTED or incident.snoozed:
        facts = {"why": f"{batch.by.name} escalated it"}
        batch.move([incident], Kind.UNACKNOWLEDGE, {**NOBODY_HAS_IT, "snoozed_until": None}, facts)
    else:
        batch.raise_version(incident)
    run.incident, run.state = incident, Run.State.CLIMBING
    steps.climb(run, now=batch.now, by=batch.by, skip=batch.by.user)


def _taken_since(run: Run, sequence: int) -> list[str]:
    """Return the names of those paged by the steps taken after `sequence`."""
    later = run.executions.filter(sequence__gt=sequence, position__isnull=False).order_by("sequence")
    paging_ones = [execution for execution in later if execution.reason != Execution.Reason.ACCEPTED]
    return list(dict.fromkeys(str(page.user) for one in paging_ones for page in one.pages.select_related("user")))


def _wake(batch: Batch, incidents: Sequence[Incident], *, why: str) -> None:
    batch.move(incidents, Kind.UNSNOOZE, {**NOBODY_HAS_IT, "snoozed_until": None}, {"why": why} if why else {})
    runs.start(incidents, now=batch.now)

"""Give it to somebody: a person, a team, whoever is on call in a schedule, or another escalation policy (I1, I2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from incidents import paging, runs, steps
from incidents.lifecycle.answering import acknowledge
from incidents.lifecycle.batch import NOBODY_HAS_IT, Batch, Change, ack_timeout, live_runs
from incidents.models import Assignment, Incident, Status
from incidents.sentences import join
from incidents.timeline import Actor, Kind
from oncall import targets
from oncall.models import EscalationPolicy, Schedule, Team, User
from oncall.policy import Target


@dataclass(frozen=True)
class Assignee:
    """To whom: exactly one of the four."""

    user: User | None = None
    team: Team | None = None
    schedule: Schedule | None = None
    policy: EscalationPolicy | None = None


@transaction.atomic
def assign(incidents: Sequence[Incident], to: Assignee, *, by: Actor, now: datetime) -> list[Change]:
    """Hand incidents over: pending, others' unsent pages are cancelled, the new ones are paged from rule 1 (I1).

    To oneself it is an acknowledgement that pages nobody, also of what somebody else has; to a policy a new run at
    step 1, to those who have it already nothing.
    """
    if to.policy is not None:
        return _assign_policy(incidents, to.policy, by=by, now=now)
    if to.user is not None and by.user is not None and to.user.pk == by.user.pk:
        return _take_over(incidents, by.user, by=by, now=now)
    batch = Batch.lock("assign", incidents, by=by, now=now)
    moving = batch.open_ones("assigned")
    people, words = _people(to, now)
    if not people:
        for incident in moving:
            batch.refuse(incident, f"Nobody can be assigned: {words}.", "nobody_to_assign")
        return batch.done()
    moving = [incident for incident in moving if not _has_it_already(incident, to, people)]
    _hand_over(batch, moving, to, people, words)
    return batch.done()


def _take_over(incidents: Sequence[Incident], user: User, *, by: Actor, now: datetime) -> list[Change]:
    """Acknowledge what nobody has, and become the holder of what somebody else has."""
    changes = {change.incident.pk: change for change in acknowledge(incidents, by=by, now=now)}
    batch = Batch.lock("assign", [i.incident for i in changes.values() if not i.changed], by=by, now=now)
    held = [i for i in batch.incidents if i.status == Status.ACCEPTED and i.acknowledged_by_id != user.pk]
    before = {incident.pk: str(incident.acknowledged_by or "a machine") for incident in held}
    Assignment.objects.filter(incident__in=[i.pk for i in held]).delete()
    Assignment.objects.bulk_create([Assignment(incident=i, user=user, assigned_by=user, assigned_at=now) for i in held])
    live = live_runs(held)
    for incident in held:
        timeout = ack_timeout(live.get(incident.pk), now)
        values = {"acknowledged_by": user, "acknowledged_at": now, "ack_timeout_at": timeout}
        facts = {"to": str(user), "people": [user.username], "taken_from": before[incident.pk]}
        batch.move([incident], Kind.ASSIGN, values, facts)
    return [batch.changes[pk] if pk in before else change for pk, change in changes.items()]


@transaction.atomic
def unassign(
    incidents: Sequence[Incident], *, by: Actor, now: datetime, user: User | None = None, team: Team | None = None
) -> list[Change]:
    """Take it from everyone, or from the one named: pending, and the present step executes anew (I2)."""
    batch = Batch.lock("unassign", incidents, by=by, now=now)
    taken = Assignment.objects.filter(incident__in=[i.pk for i in batch.open_ones("unassigned")])
    taken = taken.filter(user=user) if user else taken.filter(team=team) if team else taken
    names: dict[int, list[str]] = {}
    for assignment in taken.select_related("user", "team"):
        names.setdefault(assignment.incident_id, []).append(str(assignment))
    moving = [incident for incident in batch.incidents if incident.pk in names]
    taken.delete()
    batch.move(moving, Kind.UNASSIGN, NOBODY_HAS_IT, lambda i: {"from": join(names[i.pk])})
    live = live_runs(moving)
    for incident in moving:
        if not incident.snoozed and (run := live.get(incident.pk)):
            run.incident = incident
            steps.take_again(run, now=now)
    runs.start([incident for incident in moving if incident.pk not in live and not incident.snoozed], now=now)
    return batch.done()


def _people(to: Assignee, now: datetime) -> tuple[list[User], str]:
    """Return who gets it now and the words for it, or nobody and why."""
    if to.user is not None:
        return ([to.user], str(to.user)) if to.user.is_active else ([], f"{to.user} is deactivated")
    if to.schedule is not None:
        kind, uuid = "schedule", str(to.schedule.uuid)
    else:
        kind, uuid = "team", str(to.team.uuid) if to.team else ""
    found = targets.resolve([Target(kind, uuid)], now)[0]
    return list(found.users), found.reason or found.target


def _has_it_already(incident: Incident, to: Assignee, people: Sequence[User]) -> bool:
    present = list(Assignment.objects.filter(incident=incident))
    if to.team is not None:
        return [a.team_id for a in present] == [to.team.pk]
    return [a.user_id for a in present] == [person.pk for person in people]


def _hand_over(batch: Batch, moving: Sequence[Incident], to: Assignee, people: Sequence[User], words: str) -> None:
    now, by = batch.now, batch.by
    paging.drop_all(moving, reason=f"assigned to {words}", now=now)
    Assignment.objects.filter(incident__in=[i.pk for i in moving]).delete()
    holders = [{"team": to.team}] if to.team is not None else [{"user": person} for person in people]
    Assignment.objects.bulk_create(
        [Assignment(incident=i, assigned_by=by.user, assigned_at=now, **one) for i in moving for one in holders]
    )
    facts = {"to": join([str(p) for p in people]) if to.team is None else words, "people": [p.username for p in people]}
    if to.schedule is not None:
        facts["through"] = to.schedule.name
    batch.move(moving, Kind.ASSIGN, {**NOBODY_HAS_IT, "snoozed_until": None}, facts)
    live = live_runs(moving)
    without = [incident for incident in moving if incident.pk not in live]
    for incident in moving:
        if run := live.get(incident.pk):
            run.incident = incident
            steps.page_assignee(run, people, words=words, now=now)
    steps.start_for(without, people, words=words, now=now)


def _assign_policy(
    incidents: Sequence[Incident], policy: EscalationPolicy, *, by: Actor, now: datetime
) -> list[Change]:
    batch = Batch.lock("assign", incidents, by=by, now=now)
    moving = batch.open_ones("assigned")
    paging.drop_all(moving, reason=f"handed to the policy {policy}", now=now)
    Assignment.objects.filter(incident__in=[i.pk for i in moving]).delete()
    values = {**NOBODY_HAS_IT, "snoozed_until": None, "escalation_policy": policy}
    batch.move(moving, Kind.ASSIGN, values, {"to": f"the policy {policy}"})
    runs.start([i for i in moving if i.status == Status.PENDING], now=now)
    return batch.done()

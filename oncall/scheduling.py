"""Schedules are made and changed here: by a whole document, and by overrides. Nothing here changes the past."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Q

from config.problems import Conflict, NotFound
from oncall import document, overrides, references, shifts
from oncall.definition import Definition
from oncall.faults import Faults
from oncall.generations import Generation, Plan, plan
from oncall.models import EscalationPolicy, Layer, Override, Participant, Schedule, User
from oncall.rotation import LATEST
from oncall.wanted import Wanted, read

# Called in the transaction of every change of who is on call, with the schedule and the instant of the change.
changed: list[Callable[[Schedule, datetime], None]] = []


@transaction.atomic
def save(schedule: Schedule | None, given: Mapping[str, Any], *, by: User | None, now: datetime) -> Schedule:
    """Make a schedule (None) or change one, from the document of `document.py` with `name` and `team` (name or id).

    A changed schedule keeps what the document does not speak of; overrides that it leaves out of its list end or go.
    A new one is taken as it is, with its past. Raises Invalid with every fault.
    """
    if schedule is None:
        return _make(read(given, None, by), by=by, now=now)
    schedule = lock(schedule)
    wanted = read({**_layers_document(schedule, now), **given}, schedule, by)
    steps = plan(_standing(schedule, now), wanted.definition.layers, now)
    facts = (wanted.name, wanted.team, wanted.definition.time_zone)
    renamed = facts != (schedule.name, schedule.team, schedule.time_zone)
    covered = wanted.overrides is not None and overrides.reconcile(schedule, wanted.overrides, by=by, now=now)
    _carry_out(schedule, steps)
    if renamed or covered or not steps.empty:
        schedule.name, schedule.team, schedule.time_zone = facts
        schedule.save()
    if covered or not steps.empty:
        announce(schedule, now)
    return schedule


def foresee(
    schedule: Schedule | None, given: Mapping[str, Any], *, by: User | None, now: datetime
) -> tuple[shifts.Known, shifts.Known]:
    """Return the schedule from now on as it is, and as `save` would leave it. Stores nothing. Raises Invalid.

    Before a new one (None) there is nothing, with nobody on call.
    """
    kept = {} if schedule is None else _layers_document(schedule, now)
    wanted = read({**kept, **given}, schedule, by)
    standing = [] if schedule is None else _standing(schedule, now)
    layers = plan(standing, wanted.definition.layers, now).applied(standing)
    before = shifts.Known(Definition(()), {}) if schedule is None else shifts.known(schedule, now, LATEST)
    covers = before.definition.overrides if wanted.overrides is None else wanted.definition.overrides
    people = {**before.people, **wanted.people}
    gone = tuple(span for spans in shifts.inactive(people, now, LATEST).values() for span in spans)
    return before, shifts.Known(Definition(layers, covers, gone, wanted.definition.time_zone), people)


def delete(schedule: Schedule) -> None:
    """Delete a schedule. Raises Conflict with the names of the escalation policies that use it."""
    users = EscalationPolicy.objects.filter(steps__targets__schedule=schedule).distinct()
    if names := [policy.name for policy in users]:
        detail = f"{schedule} is a target of {', '.join(names)}. Take it out there first."
        raise Conflict("in_use", detail, used_by=names)
    schedule.delete()


@transaction.atomic
def add_override(
    schedule: Schedule,
    *,
    start: datetime,
    end: datetime,
    user: User | None,
    replaces: User | None = None,
    by: User | None,
    now: datetime,
) -> Override:
    """Put `user` (None: nobody) on call for [start, end); with `replaces` only where that person would be.

    A start in the past becomes now. Raises Invalid, PermissionDenied (R15: a member themselves, a manager anyone).
    """
    lock(schedule)
    row = overrides.add(schedule, start=start, end=end, user=user, replaces=replaces, by=by, now=now)
    announce(schedule, now)
    return row


def add_override_document(schedule: Schedule, given: Mapping[str, Any], *, by: User | None, now: datetime) -> Override:
    """Add the override of a document {"start", "end", "user", "replaces"}; people by username or id. Raises Invalid."""
    faults = Faults()
    one = document.read_override(faults, given, "")
    if one is None:
        raise references.as_problem(faults.found)
    people = references.people(word for word in (one.user, one.replaces) if word is not None)
    for name, word in (("user", one.user), ("replaces", one.replaces)):
        if word is not None and word not in people:
            faults.add(name, references.no_such("user", word), "unknown")
    if faults.found:
        raise references.as_problem(faults.found)
    user = None if one.user is None else people[one.user]
    replaces = None if one.replaces is None else people[one.replaces]
    return add_override(schedule, start=one.start, end=one.end, user=user, replaces=replaces, by=by, now=now)


@transaction.atomic
def end_override(override: Override, *, by: User | None, now: datetime) -> None:
    """End an override that has begun: what lies below is restored at once (R14). Raises Conflict, PermissionDenied."""
    schedule = lock(override.schedule)
    override.refresh_from_db()
    overrides.end(override, by=by, now=now)
    announce(schedule, now)


@transaction.atomic
def delete_override(override: Override, *, by: User | None, now: datetime) -> None:
    """Delete an override that has not begun (R14). Raises Conflict if it has, PermissionDenied."""
    schedule = lock(override.schedule)
    override.refresh_from_db()
    overrides.delete(override, by=by, now=now)
    announce(schedule, now)


def as_document(schedule: Schedule, at: datetime) -> dict[str, Any]:
    """Return the document that `save` takes: what is in force at `at` and what comes later, people by username."""
    return as_documents([schedule], at)[schedule.pk]


def as_documents(schedules: Iterable[Schedule], at: datetime) -> dict[int, dict[str, Any]]:
    """Return each schedule's document by pk, in a number of queries that does not grow with them.

    Fetch them with `select_related("team")`.
    """
    rows = {schedule.pk: schedule for schedule in schedules}
    documents = {}
    for pk, known in shifts.load(rows.values(), at, LATEST).items():
        names = {key: person.username for key, person in known.people.items()}
        layers = sorted(known.definition.layers, key=lambda layer: (layer.position, layer.begins))
        written = document.write(replace(known.definition, layers=tuple(layers)), names)
        team = rows[pk].team
        documents[pk] = {"name": rows[pk].name, "team": team and team.name, **written}
    return documents


def lock(schedule: Schedule) -> Schedule:
    """Return the schedule's row, locked until the transaction ends. Raises NotFound if it has gone."""
    row = Schedule.objects.select_for_update().filter(pk=schedule.pk).first()
    if row is None:
        raise NotFound("This schedule has been deleted.")
    return row


def announce(schedule: Schedule, now: datetime) -> None:
    """Tell who listens that who is on call may have changed."""
    for listener in changed:
        listener(schedule, now)


def _make(wanted: Wanted, *, by: User | None, now: datetime) -> Schedule:
    """Store a new schedule as it was written, its past included."""
    zone = wanted.definition.time_zone
    schedule = Schedule.objects.create(name=wanted.name, team=wanted.team, time_zone=zone)
    _carry_out(schedule, Plan(added=[(None, layer) for layer in wanted.definition.layers]))
    for row in wanted.overrides or ():
        row.schedule, row.uuid, row.created_by = schedule, uuid4(), by
        row.save()
    announce(schedule, now)
    return schedule


def _layers_document(schedule: Schedule, at: datetime) -> dict[str, Any]:
    """Return what a document that speaks of less leaves unchanged."""
    kept = as_document(schedule, at)
    del kept["overrides"]
    return kept


def _standing(schedule: Schedule, now: datetime) -> list[Generation]:
    """Return the generations that are in force or to come, in the order in which `as_document` writes them."""
    rows = Layer.objects.filter(Q(effective_until=None) | Q(effective_until__gt=now), schedule=schedule)
    found = [Generation(row.pk, row.line, shifts.value(row)) for row in rows.prefetch_related("participants")]
    return sorted(found, key=lambda one: (one.layer.position, one.layer.begins))


def _carry_out(schedule: Schedule, steps: Plan) -> None:
    for key, at in steps.ended.items():
        Layer.objects.filter(pk=key).update(effective_until=at)
    Layer.objects.filter(pk__in=steps.removed).delete()
    for line, layer in steps.added:
        rotation = layer.rotation
        row = Layer.objects.create(
            schedule=schedule,
            line=line or uuid4(),
            position=layer.position,
            name=layer.name,
            time_zone=rotation.zone.key,
            unit=rotation.unit,
            length=rotation.length,
            anchor=document.write_anchor(rotation.anchor),
            effective_from=layer.effective_from,
            effective_until=layer.effective_until,
            restrictions=document.write_windows(layer.windows),
        )
        Participant.objects.bulk_create(
            Participant(layer=row, position=place, user_id=user and int(user)) for place, user in enumerate(layer.users)
        )

"""Escalation policies are made, changed, copied for a run and read out in sentences here."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError, QuerySet

from config.problems import Conflict, NotFound
from oncall import contacts, references
from oncall import policy as values
from oncall.faults import Faults, Faulty
from oncall.models import EscalationPolicy, Schedule, Step, StepTarget, Team, User
from oncall.policy import Policy, Target
from oncall.targets import Found, resolve

STEPS = ("steps__targets__user", "steps__targets__schedule", "steps__targets__team")  # to prefetch
MOST_NAMED = 50
Row = User | Schedule | Team


@dataclass(frozen=True)
class Sentence:
    """One line of a policy read out: "After 5 min: Bob Berg and Carol Cho". `warning`: why it reaches nobody now."""

    number: int | None  # of the step; None for what follows the last
    text: str
    warning: str = ""


@transaction.atomic
def save(row: EscalationPolicy | None, given: Mapping[str, Any], *, by: User | None, now: datetime) -> EscalationPolicy:
    """Make a policy (None) or change one, from the document that `as_document` writes; targets by name or id.

    A changed one keeps what the document does not speak of. Climbs under way go on by their copy (E1). Raises Invalid
    with every fault.
    """
    if row is not None:
        row = EscalationPolicy.objects.select_for_update().filter(pk=row.pk).first()
        if row is None:
            raise NotFound("This escalation policy has been deleted.")
        given = {**as_document(row), **given}
    wanted, team = _read(given, row, by)
    row = row or EscalationPolicy()
    row.name, row.team, row.repeat = wanted.name, team, wanted.repeat
    row.start_delay_minutes, row.ack_timeout_minutes = wanted.start_delay_minutes, wanted.ack_timeout_minutes
    row.low_urgency = wanted.low_urgency
    row.save()
    if snapshot(row).steps != wanted.steps:
        _store_steps(row, wanted)
    return row


def delete(row: EscalationPolicy) -> None:
    """Delete a policy. Raises Conflict with what uses it."""
    try:
        row.delete()
    except ProtectedError as exc:
        names = sorted(f"{used._meta.verbose_name} {used}" for used in exc.protected_objects)[:MOST_NAMED]
        more = len(exc.protected_objects) - 3
        shown = ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
        detail = f"{row} is used by {shown}. Give them another policy first."
        raise Conflict("in_use", detail, used_by=names) from exc


def snapshot(row: EscalationPolicy) -> Policy:
    """Return the policy as the value that a run keeps. Prefetch STEPS when there are many."""
    return Policy(
        name=row.name,
        steps=tuple(
            values.Step(tuple(_target(one) for one in step.targets.all()), step.delay_minutes, step.strategy)
            for step in row.steps.all()
        ),
        repeat=row.repeat,
        start_delay_minutes=row.start_delay_minutes,
        ack_timeout_minutes=row.ack_timeout_minutes,
        low_urgency=row.low_urgency,
    )


def as_document(row: EscalationPolicy) -> dict[str, Any]:
    """Return the document that `save` takes, targets by username or name. Prefetch STEPS when there are many."""
    steps = [
        {
            "targets": [{kind: _name(thing)} for kind, thing in map(_thing, step.targets.all())],
            "delay_minutes": step.delay_minutes,
            "strategy": step.strategy,
        }
        for step in row.steps.all()
    ]
    written = {**snapshot(row).to_json(), "steps": steps}
    return {"name": row.name, "team": row.team and row.team.name, **written}


def as_sentences(row: EscalationPolicy, now: datetime) -> list[Sentence]:
    """Return the policy read out, a line a step, with whom each would reach now; the last says what follows."""
    return read_out([row], now)[row.pk]


def read_out(rows: Iterable[EscalationPolicy], now: datetime) -> dict[int, list[Sentence]]:
    """Return each policy's sentences by pk. Prefetch STEPS, and the queries do not grow with them."""
    copies = {row.pk: snapshot(row) for row in rows}
    targets = [target for policy in copies.values() for step in policy.steps for target in step.targets]
    found = resolve(targets, now)
    able = contacts.able(user for one in found for user in one.users)
    left = iter(found)
    return {pk: _sentences(policy, left, able) for pk, policy in copies.items()}


def _sentences(policy: Policy, found: Iterator[Found], able: Collection[int]) -> list[Sentence]:
    lines = []
    before = policy.start_delay_minutes
    for number, step in enumerate(policy.steps, start=1):
        reached = [(target, next(found)) for target in step.targets]
        text = f"{_when(number, before)}: {_whom(reached, step.strategy)}"
        lines.append(Sentence(number, text, _warning(reached, able)))
        before = step.delay_minutes
    lines.append(Sentence(None, f"{_again(policy, before)} If nobody can be reached: the administrators."))
    return lines


def _read(given: Mapping[str, Any], row: EscalationPolicy | None, by: User | None) -> tuple[Policy, Team | None]:
    """Return what the document says, its targets by uuid, or raise Invalid with everything that is wrong."""
    faults = Faults()
    sent = Policy(name="", steps=())
    try:
        sent = values.read(dict(given), also=("team",))
    except Faulty as exc:
        faults.found += exc.faults
    team = references.team(faults, given.get("team"), by)
    others = EscalationPolicy.objects.filter(name=sent.name)
    if sent.name and (others if row is None else others.exclude(pk=row.pk)).exists():
        faults.add("name", f"Another escalation policy is called {sent.name!r}. Choose another name.", "unique")
    targets = _uuids(faults, sent, by)
    if faults.found:
        raise references.as_problem(faults.found)
    steps = tuple(
        values.Step(tuple(targets[one] for one in step.targets), step.delay_minutes, step.strategy)
        for step in sent.steps
    )
    return Policy(**{**vars(sent), "steps": steps}), team


def _uuids(faults: Faults, sent: Policy, by: User | None) -> dict[Target, Target]:
    """Return each target as it was sent -> the same by its uuid; one that names nothing is a fault."""
    words: dict[str, set[str]] = {kind: set() for kind in values.KINDS}
    for step in sent.steps:
        for target in step.targets:
            words[target.kind].add(target.id)
    rows: dict[str, Mapping[str, Row]] = {
        "user": references.people(words["user"]),
        "schedule": references.schedules(words["schedule"], by),
        "team": references.teams(words["team"], by),
    }
    found = {}
    for place, step in enumerate(sent.steps):
        for nth, target in enumerate(step.targets):
            row = rows[target.kind].get(target.id)
            if row is None:
                faults.add(
                    f"steps.{place}.targets.{nth}.{target.kind}", references.no_such(target.kind, target.id), "unknown"
                )
            else:
                found[target] = Target(target.kind, str(row.uuid))
    return found


def _store_steps(row: EscalationPolicy, wanted: Policy) -> None:
    ids = {target.id for step in wanted.steps for target in step.targets}
    things: Sequence[QuerySet[Any]] = (User.objects.all(), Schedule.objects.all(), Team.objects.all())
    pks = {str(thing.uuid): thing.pk for rows in things for thing in rows.filter(uuid__in=ids)}
    row.steps.all().delete()
    for position, step in enumerate(wanted.steps):
        stored = Step.objects.create(
            policy=row, position=position, delay_minutes=step.delay_minutes, strategy=step.strategy
        )
        StepTarget.objects.bulk_create(
            StepTarget(step=stored, position=nth, **{f"{target.kind}_id": pks[target.id]})
            for nth, target in enumerate(step.targets)
        )


def _thing(row: StepTarget) -> tuple[str, Row]:
    if row.user is not None:
        return "user", row.user
    if row.schedule is not None:
        return "schedule", row.schedule
    if row.team is not None:
        return "team", row.team
    raise ValueError(f"step target {row.pk} has no target")  # a constraint forbids it


def _target(row: StepTarget) -> Target:
    kind, thing = _thing(row)
    return Target(kind, str(thing.uuid))


def _name(thing: Row) -> str:
    return thing.username if isinstance(thing, User) else thing.name


def _when(number: int, minutes: int) -> str:
    if not minutes:
        return "At once" if number == 1 else "At the same time"
    return f"After {minutes} min" + (" more" if number > 2 else "")


def _whom(reached: Iterable[tuple[Target, Found]], strategy: str) -> str:
    words = [_words(target, found) for target, found in reached]
    listed = f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
    return f"one of these, in turn: {listed}" if strategy == "round_robin" else listed


def _words(target: Target, found: Found) -> str:
    if target.kind == "user":
        return found.target
    names = ", ".join(str(user) for user in found.users) or "nobody"
    led = "whoever is on call in" if target.kind == "schedule" else "everyone on call in"
    return f"{led} {found.target} (now {names})"


def _warning(reached: Iterable[tuple[Target, Found]], able: Collection[int]) -> str:
    found = [one for _, one in reached]
    if any(user.pk in able for one in found for user in one.users):
        return ""
    mute = dict.fromkeys(f"{user} has no verified contact method" for one in found for user in one.users)
    return "; ".join([*(one.reason for one in found if one.reason), *mute])


def _again(policy: Policy, last_delay: int) -> str:
    after = f"After {last_delay} min more" if last_delay else "Then"
    if policy.repeat is None:
        return f"{after} it begins again, until somebody answers."
    if policy.repeat == 0:
        return f"{after} it ends, and the administrators are told."
    times = "once" if policy.repeat == 1 else f"{policy.repeat} times"
    return f"{after} it begins again, {times}."

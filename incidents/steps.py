"""The climb: a run takes its policy's steps one by one until somebody answers (E2, E6, E7, E9, E10, E13, I1).

Every function here works inside the caller's transaction, on incidents and runs whose rows it has locked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from config.engine import wake
from incidents import broadcast, fallback, paging, runs, timeline
from incidents.models import Execution, Incident, Page, Run
from incidents.sentences import join, span
from incidents.timeline import SYSTEM, Actor, Kind
from oncall import policy, targets
from oncall.models import EscalationPolicy, User
from oncall.policy import Policy
from oncall.targets import Found

LATE = timedelta(seconds=60)  # a step taken this long after it was due says so
Reason = Execution.Reason
# An outcome that stayed unknown through every retry is no proof that anybody was told: a page too many does less harm.
NOT_REACHED = (Page.State.FAILED, Page.State.UNKNOWN)


def advance(run: Run, incident: Incident, *, now: datetime) -> None:
    """Do what a due run has to do next."""
    run.incident = incident
    if run.state == Run.State.EXHAUSTED:
        fallback.remind(run, now)
    else:
        climb(run, now=now)


def climb(run: Run, *, now: datetime, by: Actor = SYSTEM, skip: User | None = None) -> bool:
    """Take the next step that reaches somebody; pass over those that reach nobody, at once (E7).

    Returns whether anybody is paged. `skip`: steps whose only person is this one are passed over (E6).
    """
    copy = Policy.from_json(run.snapshot)
    if not copy.steps:
        return fallback.tell_catch_all(run, "The alert source has no escalation policy", now)
    reason = Reason.DUE if by is SYSTEM else Reason.ESCALATED
    due_at = run.due_at or now
    while run.position < len(copy.steps):
        step = copy.steps[run.position]
        found = targets.resolve(step.targets, now)
        if _take(run, step, found, reason=reason, due_at=due_at, now=now, by=by, skip=skip):
            _wait(run, copy, now)
            return True
        run.position += 1
    return _finish_pass(run, copy, now=now, by=by, skip=skip)


def take_again(run: Run, *, now: datetime, also: User | None = None) -> None:
    """Execute the present step anew, and page `also` with it (E4, I2); the timer begins again."""
    if not run.incident.urgency:  # info pages nobody
        return
    copy = Policy.from_json(run.snapshot)
    run.state = Run.State.CLIMBING
    run.position = present(run, copy)
    step = copy.steps[run.position] if copy.steps else None
    if step is None:
        climb(run, now=now)
        return
    found = targets.resolve(step.targets, now)
    if also is not None:
        found.append(Found(str(also), (also,)))
    if _take(run, step, found, reason=Reason.AGAIN, due_at=now, now=now, by=SYSTEM):
        _wait(run, copy, now)
    else:
        climb(run, now=now)


def page_assignee(run: Run, people: Sequence[User], *, words: str, now: datetime) -> None:
    """Page those an incident was assigned to from their first rule; the present step's wait begins again (I1)."""
    copy = Policy.from_json(run.snapshot)
    urgency = run.incident.urgency or "low"  # an info incident pages nobody by itself; a person asked for this one
    ways = paging.ways_by_rules(people, urgency)
    execution = paging.record(
        run,
        Reason.ASSIGNED,
        position=None,
        due_at=now,
        now=now,
        targets=[{"target": words, "people": [p.username for p in people]}],
    )
    paging.page(run.incident, execution, people, ways, now=now)
    reachable = [person for person in people if ways.get(person.pk)]
    climbing = bool(run.incident.urgency)
    wait = copy.wait(present(run, copy)) if copy.steps else timedelta(0)
    run.state = Run.State.CLIMBING if climbing else Run.State.HALTED
    run.due_at = (now + wait if reachable else now) if climbing else None
    run.save(update_fields=["state", "due_at"])
    wake(runs.JOB)


def start_for(incidents: Sequence[Incident], people: Sequence[User], *, words: str, now: datetime) -> None:
    """Begin a run that pages these people first: for incidents that had none when they were assigned."""
    copies = runs.snapshots({incident.escalation_policy_id for incident in incidents}) if incidents else {}
    for incident in incidents:
        run = runs.begin(incident, copies, now)
        run.save()
        page_assignee(run, people, words=words, now=now)


def present(run: Run, copy: Policy) -> int:
    """Return the position of the step that was taken last; 0 when none was."""
    taken = run.executions.exclude(position=None).order_by("-sequence").first()
    position = taken.position if taken and taken.position is not None else 0
    return min(position, max(len(copy.steps) - 1, 0))


def no_further_step(run: Run) -> bool:
    """Say whether the run is at the very end: nothing is left to escalate to (E6)."""
    copy = Policy.from_json(run.snapshot)
    if run.state == Run.State.EXHAUSTED or not copy.steps:
        return True
    return run.position >= len(copy.steps) and policy.after(copy, run.position - 1, run.loop) is None


def _take(
    run: Run,
    step: policy.Step,
    found: Sequence[Found],
    *,
    reason: Reason,
    due_at: datetime,
    now: datetime,
    by: Actor,
    skip: User | None = None,
) -> bool:
    """Execute one step: record it, page its people. False, and a word in the timeline, if it reaches nobody."""
    people = _in_turn(run, step, list(dict.fromkeys(user for one in found for user in one.users)))
    if skip is not None and people == [skip]:
        return False
    ways = paging.ways_by_rules(people, run.incident.urgency)
    reached = [person for person in people if ways.get(person.pk)]
    name = f"Step {run.position + 1}" + (f", pass {run.loop + 1}" if run.loop else "")
    facts = {
        "step": name,
        "targets": join([one.target for one in found]),
        "people": [str(person) for person in reached],
        "why": _why(found, people, reached),
        "late": span(now - due_at) if now - due_at > LATE else "",
        "by_hand": by is not SYSTEM,
    }
    searching = run.state == Run.State.SEARCHING and not reached
    if not searching:  # a search that goes on finding nobody says so once, not each minute
        execution = paging.record(
            run, reason, position=run.position, due_at=due_at, now=now, targets=[_target(one) for one in found]
        )
        entry = timeline.add(run.incident, Kind.ESCALATE, {**facts, "sequence": execution.sequence}, at=now, by=by)
        if reached:
            paging.page(run.incident, execution, reached, ways, now=now)
            broadcast.tell([entry], now=now)
    return bool(reached)


def _in_turn(run: Run, step: policy.Step, people: list[User]) -> list[User]:
    """Return everyone, or for a round robin the reachable one who was paged longest ago for this step (E10)."""
    if step.strategy != "round_robin" or len(people) < 2:
        return people
    # The lock makes two incidents at once page two people.
    EscalationPolicy.objects.select_for_update(no_key=True).filter(pk=run.policy_id or 0).first()
    ways = paging.ways_by_rules(people, run.incident.urgency)
    paged = Page.objects.filter(
        execution__run__policy=run.policy_id, execution__position=run.position, user__in=[p.pk for p in people]
    )
    last = dict(paged.order_by("pk").values_list("user_id", "pk"))
    reachable = [person for person in people if ways.get(person.pk)]
    return sorted(reachable, key=lambda person: last.get(person.pk, 0))[:1]


def _why(found: Sequence[Found], people: Sequence[User], reached: Sequence[User]) -> str:
    reasons = [one.reason for one in found if one.reason]
    reasons += [f"{p} has no working contact method for this urgency" for p in people if p not in reached]
    return "; ".join(reasons)


def _target(found: Found) -> dict[str, object]:
    return {"target": found.target, "people": [user.username for user in found.users], "reason": found.reason}


def _wait(run: Run, copy: Policy, now: datetime) -> None:
    """The next step is due when this one's time is over, counted from when it was really taken (E2)."""
    rests = run.incident.urgency == "low" and copy.low_urgency == "first_step"  # E13
    run.state = Run.State.HALTED if rests else Run.State.CLIMBING
    run.due_at = None if rests else now + copy.wait(run.position)
    run.position += 1
    run.save(update_fields=["state", "due_at", "position", "loop"])
    wake(runs.JOB)  # a delay of 0 is due at once


def _finish_pass(run: Run, copy: Policy, *, now: datetime, by: Actor, skip: User | None) -> bool:
    """The pass is over: begin the next, or say that nobody answered, or that nobody could be reached."""
    if not _pass_reached_anybody(run):
        return fallback.search_on(run, now)
    following = policy.after(copy, run.position - 1, run.loop)
    if following is None:
        return fallback.exhaust(run, now)
    began = run.executions.filter(loop=run.loop).order_by("sequence").values_list("at", flat=True).first()
    run.position, run.loop = following.position, following.loop
    if (
        by is SYSTEM and began is not None and now - began < policy.SHORTEST_PASS
    ):  # empty steps must not make a pass go round like a top
        run.state, run.due_at = Run.State.CLIMBING, began + policy.SHORTEST_PASS
        run.save(update_fields=["position", "loop", "state", "due_at"])
        return True
    run.save(update_fields=["position", "loop"])
    return climb(run, now=now, by=by, skip=skip)


def _pass_reached_anybody(run: Run) -> bool:
    pages = Page.objects.filter(execution__run=run, execution__loop=run.loop, execution__position__isnull=False)
    return pages.exclude(state__in=NOT_REACHED).exists()

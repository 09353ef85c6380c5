"""When the policy reaches nobody, or nobody answers: the catch-all, the hourly reminder, the red band (E7, E12).

Every function here works inside the caller's transaction, on incidents and runs whose rows it has locked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from incidents import broadcast, paging, timeline
from incidents.models import Execution, Incident, Page, Run
from incidents.sentences import join
from incidents.timeline import Kind
from oncall import targets
from oncall.models import Team, User

SEARCH_AGAIN = timedelta(minutes=1)
REMIND_AFTER = timedelta(hours=1)
UNREACHED = "Nobody in the escalation policy could be reached"
Reason = Execution.Reason


def search_on(run: Run, now: datetime) -> bool:
    """Nobody was reached in a whole pass: say so loudly once, and try the steps again each minute (E7)."""
    run.state, run.position, run.due_at = Run.State.SEARCHING, 0, now + SEARCH_AGAIN
    run.save(update_fields=["state", "position", "due_at"])
    if _said_already(run, now):
        return False
    why = UNREACHED
    told = _page_them(run, Reason.CATCH_ALL, now)
    mark_untold(run.incident, why, told=told, now=now)
    return False


def _said_already(run: Run, now: datetime) -> bool:
    """Whether the catch-all heard of this within the hour, and nobody has been reached since."""
    last = run.executions.filter(reason__in=[Reason.CATCH_ALL, Reason.REMINDER]).order_by("-sequence").first()
    if last is None:
        return run.incident.told is False and run.incident.told_reason.startswith(UNREACHED)
    reached = Page.objects.filter(execution__run=run, execution__sequence__gt=last.sequence, state=Page.State.SENT)
    return now - last.at < REMIND_AFTER and not reached.exists()


def tell_catch_all(run: Run, why: str, now: datetime) -> bool:
    """An incident without a policy goes to the catch-all at once, and is brought up again each hour."""
    told = _page_them(run, Reason.CATCH_ALL, now)
    run.state, run.due_at = Run.State.EXHAUSTED, now + REMIND_AFTER
    run.save(update_fields=["state", "due_at"])
    if told:
        facts = {"step": why, "targets": "the administrators", "people": told}
        timeline.add(run.incident, Kind.ESCALATE, facts, at=now)
    else:
        mark_untold(run.incident, why, told=told, now=now)
    return bool(told)


def exhaust(run: Run, now: datetime) -> bool:
    """All passes are done and nobody answered: the catch-all is paged, and reminded each hour (E12)."""
    run.state, run.due_at = Run.State.EXHAUSTED, now + REMIND_AFTER
    run.save(update_fields=["state", "due_at"])
    told = _page_them(run, Reason.CATCH_ALL, now)
    timeline.add(run.incident, Kind.EXHAUST, {"told": _words(told)}, at=now)
    return False


def remind(run: Run, now: datetime) -> None:
    """Bring an incident that nobody answers up again (E12)."""
    run.due_at = now + REMIND_AFTER
    run.save(update_fields=["due_at"])
    told = _page_them(run, Reason.REMINDER, now)
    timeline.add(run.incident, Kind.REMIND, {"people": told or ["nobody: no administrator can be reached"]}, at=now)


def _page_them(run: Run, reason: Reason, now: datetime) -> list[str]:
    """Page every administrator by every verified method (a reminder: the policy's owners first); return their names."""
    people = _owners(run) if reason == Reason.REMINDER else []
    ways = paging.every_way(people)
    if not any(ways.get(person.pk) for person in people):
        people = targets.admins()
        ways = paging.every_way(people)
    reached = [person for person in people if ways.get(person.pk)]
    if reached:
        found = [{"target": "the catch-all", "people": [p.username for p in reached], "reason": ""}]
        execution = paging.record(run, reason, position=None, due_at=now, now=now, targets=found)
        paging.page(run.incident, execution, reached, ways, now=now)
    return [str(person) for person in reached]


def _owners(run: Run) -> list[User]:
    """Return who owns the run's policy: its team's managers, or nobody."""
    team = Team.objects.filter(policies=run.policy_id).first() if run.policy_id else None
    if team is None:
        return []
    return list(User.objects.filter(memberships__team=team, memberships__manager=True, is_active=True))


def _words(told: Sequence[str]) -> str:
    return f"The catch-all was told: {join(list(told))}." if told else "No administrator can be reached either."


def mark_untold(incident: Incident, why: str, *, told: Sequence[str], now: datetime) -> None:
    """Turn the incident red: nobody was told, and why. Every page that shows it says so."""
    words = _words(told)
    incident.told, incident.told_reason = False, f"{why}. {words}"[:500]
    incident.version += 1
    Incident.objects.filter(pk=incident.pk).update(
        told=False, told_reason=incident.told_reason, version=incident.version, updated_at=now
    )
    entry = timeline.add(incident, Kind.UNTOLD, {"why": why, "told": words}, at=now)
    broadcast.tell([entry], now=now)

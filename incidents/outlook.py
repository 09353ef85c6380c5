"""What happens next to an incident, with names and an instant: who is told when, unless somebody acts first.

The targets of the coming step are resolved for the instant at which it is due, so a handoff in between is seen.
"""

from dataclasses import dataclass
from datetime import datetime

from incidents.models import Incident, Run, Status
from incidents.sentences import join
from oncall import policy, targets
from oncall.policy import Policy, Step


@dataclass(frozen=True)
class Outlook:
    """A sentence in parts: `lead` **who** at `at` `tail`. `bad`: it reaches nobody."""

    lead: str = ""
    who: str = ""
    at: datetime | None = None
    tail: str = ""
    bad: bool = False


def outlook(incident: Incident, run: Run | None, now: datetime) -> Outlook | None:
    """Return what comes next, or None when nothing will. `run` is the live one."""
    if incident.status == Status.RESOLVED:
        return None
    if incident.snoozed_until is not None:
        return Outlook("Snoozed: whoever is on call then is paged", at=incident.snoozed_until)
    if incident.status == Status.ACCEPTED:
        return _accepted(incident)
    if not incident.urgency:
        return Outlook("Recorded only: information pages nobody.")
    if run is None:
        return Outlook("Nothing more happens by itself.", bad=True)
    if run.due_at is None:
        return Outlook("No further step: low urgency tells the first step only.")
    return _climbing(run, run.due_at, now)


def _accepted(incident: Incident) -> Outlook:
    holder = str(incident.acknowledged_by) if incident.acknowledged_by else "somebody"
    if incident.ack_timeout_at:
        return Outlook(f"{holder} has it. It pages again", at=incident.ack_timeout_at, tail="unless there is a note.")
    return Outlook(f"Escalation rests: {holder} has it.")


def _climbing(run: Run, due_at: datetime, now: datetime) -> Outlook:
    copy = Policy.from_json(run.snapshot)
    answer = "unless somebody answers."
    if run.state == Run.State.SEARCHING:
        return Outlook("Nobody could be reached. The steps are tried again", at=due_at, bad=True)
    if run.state == Run.State.EXHAUSTED:
        return Outlook("All steps are done.", "The administrators", due_at, f"are reminded {answer}")
    if not copy.steps:
        return Outlook("No escalation policy:", "the administrators", due_at, f"are told {answer}")
    position, pass_words = run.position, f"step {run.position + 1} of {len(copy.steps)}"
    if position >= len(copy.steps):
        following = policy.after(copy, position - 1, run.loop)
        if following is None:
            return Outlook("All steps are done.", "The administrators", due_at, f"are told {answer}")
        position, pass_words = following.position, "the steps begin again"
    return _step(copy.steps[position], pass_words, due_at, max(due_at, now))


def _step(step: Step, words: str, due_at: datetime, at: datetime) -> Outlook:
    found = targets.resolve(step.targets, at)
    people = list(dict.fromkeys(str(user) for one in found for user in one.users))
    if not people:
        why = "; ".join(one.reason for one in found if one.reason)
        return Outlook(f"Next, {words}:", f"nobody ({why})", due_at, "It is passed over.", bad=True)
    if step.strategy == "round_robin" and len(people) > 1:
        return Outlook("Next:", f"one of {join(people)} in turn", due_at, f"({words}) unless somebody answers.")
    return Outlook("Next:", join(people), due_at, f"({words}) unless somebody answers.")

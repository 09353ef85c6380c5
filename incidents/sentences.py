"""What happened and what happens next, in sentences for people. Pure over rows that are already loaded."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from incidents.models import Incident, Run, Status, TimelineEntry
from incidents.timeline import Entry
from oncall.policy import Policy

Kind = TimelineEntry.Kind
Facts = Mapping[str, Any]


def span(length: timedelta) -> str:
    """Return a rough length of time: "45 s", "4 min", "2 h 5 min", "3 d"."""
    seconds = int(abs(length).total_seconds())
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} d"


def join(words: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def next_step(incident: Incident, run: Run | None, now: datetime) -> str:
    """Say what happens next, and when, unless somebody acts; "" when nothing will."""
    if incident.status == Status.RESOLVED:
        return ""
    if incident.snoozed_until is not None:
        return f"Snoozed: pages again in {span(incident.snoozed_until - now)}."
    if incident.status == Status.ACCEPTED:
        if incident.ack_timeout_at:
            return f"Pages again in {span(incident.ack_timeout_at - now)} unless there is a note or it is resolved."
        return "Escalation rests: somebody has it."
    if run is None or run.due_at is None:
        rests = run is not None and incident.urgency == "low"
        return "No further step: low urgency tells the first step only." if rests else ""
    wait = "now" if run.due_at <= now else f"in {span(run.due_at - now)}"
    if run.state == Run.State.SEARCHING:
        return f"Nobody could be reached: the steps are tried again {wait}."
    if run.state == Run.State.EXHAUSTED:
        return f"All steps are done: the catch-all is reminded {wait} unless somebody answers."
    policy = Policy.from_json(run.snapshot)
    if run.position >= len(policy.steps):
        return f"The steps begin again {wait} unless somebody answers."
    return f"Step {run.position + 1} of {len(policy.steps)} {wait} unless somebody answers."


def sentence(entry: TimelineEntry | Entry) -> str:
    """Say one timeline entry as a sentence."""
    who = entry.actor or "Tocsin"
    say = SENTENCES.get(Kind(entry.kind))
    return say(who, entry.facts) if say else f"{who}: {Kind(entry.kind).label}"


def _opened(who: str, facts: Facts) -> str:
    text = f"Opened by {who}"
    if facts.get("previous"):
        text += f"; the same thing was #{facts['previous']} before"
    return f"{text}. {facts['why']}" if facts.get("why") else f"{text}."


def _updated(who: str, facts: Facts) -> str:
    count = facts.get("events", 1)
    return f"{who} sent {'another event' if count == 1 else f'{count} more events'}."


def _acknowledged(who: str, facts: Facts) -> str:
    if facts.get("joined"):
        return f"{who} joined: {facts['joined']} already had it."
    return f"Acknowledged by {who}. Escalation rests."


def _unacknowledged(who: str, facts: Facts) -> str:
    return f"No longer acknowledged: {facts.get('why') or f'{who} gave it back'}."


def _assigned(who: str, facts: Facts) -> str:
    if facts.get("taken_from"):
        return f"{who} took it over from {facts['taken_from']}."
    through = f" (on call in {facts['through']})" if facts.get("through") else ""
    return f"{who} assigned it to {facts.get('to', 'somebody')}{through}."


def _snoozed(who: str, facts: Facts) -> str:
    return f"Snoozed by {who} until {facts.get('until', 'later')}."


def _unsnoozed(_: str, facts: Facts) -> str:
    return f"The snooze ended: {facts['why']}." if facts.get("why") else "The snooze ended."


def _step(who: str, facts: Facts) -> str:
    name = facts.get("step", "A step")
    late = f", {facts['late']} late" if facts.get("late") else ""
    by = f" at the word of {who}" if facts.get("by_hand") else ""
    people = facts.get("people") or []
    if people:
        return f"{name}{by}{late}: {facts.get('targets')} → {join(people)}."
    return f"{name}{by}{late}: reached nobody ({facts.get('why') or 'no targets'}); passed over."


def _notified(_: str, facts: Facts) -> str:
    by = f"{facts.get('kind', 'message')} to {facts.get('user', 'somebody')}"
    return f"{by}: {_came_of(facts)}"


def _delivered(_: str, facts: Facts) -> str:
    return f"{facts.get('connector', 'A connector')} told “{facts.get('event', '')}”: {_came_of(facts)}"


def _came_of(facts: Facts) -> str:
    words = {
        "sent": "sent",
        "failed": "failed",
        "unknown": "no answer came: it may or may not have arrived",
        "cancelled": "not sent",
    }
    text = words.get(str(facts.get("outcome")), str(facts.get("outcome")))
    if facts.get("seconds") is not None and facts.get("outcome") == "sent":
        text += f" in {facts['seconds']:.1f} s"
    if facts.get("tries", 1) > 1:
        text += f" after {facts['tries']} tries"
    return f"{text} ({facts['detail']})." if facts.get("detail") and facts.get("outcome") != "sent" else f"{text}."


SENTENCES: dict[Kind, Callable[[str, Facts], str]] = {
    Kind.OPEN: _opened,
    Kind.UPSERT_STATE: _updated,
    Kind.SEVERITY: lambda who, facts: f"{who} changed the severity from {facts.get('from')} to {facts.get('to')}.",
    Kind.ACKNOWLEDGE: _acknowledged,
    Kind.UNACKNOWLEDGE: _unacknowledged,
    Kind.ASSIGN: _assigned,
    Kind.UNASSIGN: lambda who, facts: f"{who} took it from {facts.get('from', 'its assignees')}.",
    Kind.SNOOZE: _snoozed,
    Kind.UNSNOOZE: _unsnoozed,
    Kind.ESCALATE: _step,
    Kind.EXHAUST: lambda who, facts: f"All steps are done and nobody answered. {facts.get('told', '')}".strip(),
    Kind.REMIND: lambda who, facts: f"Still nobody has answered: reminded {join(list(facts.get('people', [])))}.",
    Kind.UNTOLD: lambda who, facts: (
        f"NOBODY WAS TOLD: {facts.get('why', 'nobody could be reached')}. {facts.get('told', '')}"
    ),
    Kind.NOTIFY: _notified,
    Kind.DELIVER: _delivered,
    Kind.NOTE: lambda who, facts: f"{who}: {facts.get('text', '')}",
    Kind.EDIT: lambda who, facts: f"{who} changed {join(list(facts.get('fields', [])))}.",
    Kind.RESOLVE: lambda who, facts: f"Resolved by {who}. {facts.get('resolution', '')}".strip(),
    Kind.CLOSE: lambda who, facts: f"Closed by {who}. {facts.get('resolution', '')}".strip(),
    Kind.MERGE: lambda who, facts: f"{who} merged it.",
}

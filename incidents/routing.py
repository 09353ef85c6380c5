"""Pure: does a connection want to be told of this, and by which key, severity word and runbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RANKS = {"info": 0, "warning": 1, "error": 2, "critical": 3}
# The four words that other products put in the place of ours.
ALIASES = {"high": "error", "medium": "warning", "low": "info"}
EVENT_WORDS = (
    "opened",
    "accepted",
    "unaccepted",
    "escalated",
    "assigned",
    "noted",
    "severity_changed",
    "snoozed",
    "nobody_told",
    "resolved",
)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What of an incident a filter may look at."""

    severity: str
    class_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    risk_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a connection wants; an empty value is no restriction."""

    events: Sequence[str] = ()
    classes: Sequence[str] = ()
    labels: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    severities: Sequence[str] = ()
    min_severity: str = ""
    min_risk_score: float | None = None


def our_severity(word: str) -> str:
    """Return our word for a severity: high is error, medium warning, low info; anything unknown as it came."""
    word = word.strip().lower()
    return ALIASES.get(word, word)


def admits(wanted: Filter, event: str, facts: Facts) -> bool:
    """Say whether this event of this incident passes the filter: all restrictions must hold."""
    return (
        (not wanted.events or event in wanted.events)
        and (not wanted.classes or any(class_matches(pattern, facts.class_name) for pattern in wanted.classes))
        and (not wanted.severities or facts.severity in {our_severity(word) for word in wanted.severities})
        and (not wanted.min_severity or RANKS[facts.severity] >= RANKS[our_severity(wanted.min_severity)])
        and (wanted.min_risk_score is None or (facts.risk_score or 0) >= wanted.min_risk_score)
        and all(label_matches(facts.labels.get(key), allowed) for key, allowed in wanted.labels.items())
    )


def class_matches(pattern: str, class_name: str) -> bool:
    """Match a class exactly, or by prefix when the pattern ends in `*`: `auth.*` matches `auth.failed`, not `authx`."""
    if pattern.endswith("*"):
        return class_name.startswith(pattern[:-1])
    return pattern == class_name


def label_matches(value: str | None, allowed: str | Sequence[str]) -> bool:
    """Match a label against one value or several alternatives."""
    return value is not None and (value == allowed if isinstance(allowed, str) else value in allowed)


def route(rules: Sequence[Mapping[str, Any]], class_name: str) -> dict[str, Any]:
    """Return what the first rule that matches the class says (a routing key, a channel, a project), or {}."""
    for rule in rules:
        patterns = rule.get("events") or []
        if not patterns or any(class_matches(pattern, class_name) for pattern in patterns):
            return {key: value for key, value in rule.items() if key != "events"}
    return {}


def runbook(links: Mapping[str, str], class_name: str) -> str:
    """Return the runbook of a class: its own, else the first pattern that matches, else ""."""
    return links.get(class_name) or next((url for key, url in links.items() if class_matches(key, class_name)), "")


def target_severity(mapping: Mapping[str, str], severity: str) -> str:
    """Return the target's word for one of our four; without a mapping, ours."""
    ours = {our_severity(word): said for word, said in mapping.items()}
    return ours.get(severity, severity)

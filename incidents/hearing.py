"""What a connection hears, as a sentence."""

from collections.abc import Sequence

from incidents.models import Connection, Severity
from incidents.routing import EVENT_WORDS
from incidents.sentences import join

WORDS = {
    "opened": "opened",
    "accepted": "accepted",
    "unaccepted": "given back",
    "escalated": "escalated",
    "assigned": "assigned",
    "noted": "noted",
    "severity_changed": "severity changed",
    "snoozed": "snoozed",
    "nobody_told": "nobody was told",
    "resolved": "resolved",
}


def sentence(connection: Connection) -> str:
    """Say what a connection, loaded with its connector and source, hears and when.

    "Ops webhook hears opened, accepted and resolved of all sources, error and worse."
    """
    source = connection.alert_source.name if connection.alert_source else "all sources"
    heard = events(connection.events)
    restrictions = "".join(f", {one}" for one in _restrictions(connection))
    if connection.mode == Connection.Mode.MANUAL:
        button = connection.name or connection.connector.name
        return (
            f"The button “{button}” on incidents of {source} tells {connection.connector}; "
            f"from then on it hears {heard}{restrictions}."
        )
    return f"{connection.connector} hears {heard} of {source}{restrictions}."


def events(words: Sequence[str]) -> str:
    """Return event words for people; none or all of them are "everything"."""
    if not words or set(words) >= set(EVENT_WORDS):
        return "everything"
    return join([WORDS.get(word, word) for word in words])


def _restrictions(connection: Connection) -> list[str]:
    found = []
    if connection.severities and len(connection.severities) < len(Severity.values):
        found.append(f"only {join(list(connection.severities))}")
    if connection.min_severity:
        worst = connection.min_severity == Severity.CRITICAL
        found.append("only critical" if worst else f"{connection.min_severity} and worse")
    if connection.min_risk_score is not None:
        found.append(f"risk score {connection.min_risk_score:g} and above")
    if connection.classes:
        found.append(f"class {' or '.join(connection.classes)}")
    if connection.labels:
        found.append(f"with {join([_label(key, value) for key, value in connection.labels.items()])}")
    return found


def _label(key: str, value: str | Sequence[str]) -> str:
    return f"{key}={value if isinstance(value, str) else ' or '.join(value)}"

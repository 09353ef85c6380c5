"""The words that tools use for how bad it is, and what they mean here."""

from collections.abc import Mapping

_WORDS = {
    "critical": "critical, crit, emergency, emerg, fatal, disaster, p1, sev0, blocker, page, down, availability",
    "error": "error, err, high, major, p2, sev1, severe, alert, unreachable, urgent",
    "warning": (
        "warning, warn, minor, medium, moderate, average, p3, p4, sev2, sev3, degraded, trouble, unknown, no data"
    ),
    "info": "info, informational, information, notice, low, ok, p5, sev4, none, debug, not classified, unclassified",
}
SEVERITIES = tuple(_WORDS)  # worst first
_MEANINGS = {word: severity for severity, words in _WORDS.items() for word in words.split(", ")}


def meaning(word: str, own: Mapping[str, str]) -> str:
    """Return our word for a tool's, or "" if it is not known. `own` is the source's map, in lower case, and wins."""
    word = word.strip().lower()
    return own.get(word) or _MEANINGS.get(word.replace("sev-", "sev"), "")


def of_risk(score: float) -> str:
    """Return the severity of a risk score of 0 to 100: from 90 critical, from 70 error, from 40 warning, else info."""
    if score >= 90:
        return "critical"
    if score >= 70:
        return "error"
    return "warning" if score >= 40 else "info"

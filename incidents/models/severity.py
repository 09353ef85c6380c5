"""Severity, and what follows from it."""

from django.db import models

from oncall.models import Urgency


class Severity(models.TextChoices):
    """How bad it is, worst first."""

    CRITICAL = "critical", "critical"
    ERROR = "error", "error"
    WARNING = "warning", "warning"
    INFO = "info", "info"

    @property
    def rank(self) -> int:
        """3 for critical down to 0 for info: compare these, never the words."""
        return RANKS[self]

    @property
    def urgency(self) -> str:
        """The urgency this severity has unless its source says otherwise; "" pages nobody."""
        return URGENCIES[self]


RANKS = {Severity.CRITICAL: 3, Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}
URGENCIES: dict[Severity, str] = {
    Severity.CRITICAL: Urgency.HIGH,
    Severity.ERROR: Urgency.HIGH,
    Severity.WARNING: Urgency.LOW,
    Severity.INFO: "",
}
LOUDNESS = {"": 0, Urgency.LOW: 1, Urgency.HIGH: 2}


def louder(before: str, after: str) -> bool:
    """Say whether the urgency rose: from low to high, or from nothing to either."""
    return LOUDNESS[after] > LOUDNESS[before]

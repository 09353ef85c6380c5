"""How a connector fares: its attempts of the last day by the hour, and the last thing that went wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q
from django.db.models.functions import TruncHour

from destinations.base import Outcome
from destinations.models import Attempt, Connector

HOURS = 24


@dataclass(frozen=True)
class Hour:
    """One hour's attempts, and when it begins."""

    at: datetime
    sent: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Health:
    """A day of a connector: 24 hours, the oldest first, the present one last."""

    hours: tuple[Hour, ...]
    last_error: Attempt | None = None

    @property
    def sent(self) -> int:
        """How many attempts arrived."""
        return sum(hour.sent for hour in self.hours)

    @property
    def failed(self) -> int:
        """How many did not."""
        return sum(hour.failed for hour in self.hours)

    @property
    def tried(self) -> int:
        """How many attempts there were."""
        return self.sent + self.failed

    @property
    def percent(self) -> int | None:
        """How many of a hundred arrived, rounded down so that one failure shows; None if nothing was sent."""
        return None if not self.tried else self.sent * 100 // self.tried


def last_day(connectors: Iterable[Connector], now: datetime) -> dict[int, Health]:
    """Return each connector's health by its primary key, in two queries however many there are."""
    pks = [connector.pk for connector in connectors]
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    first = this_hour - timedelta(hours=HOURS - 1)
    rows = (
        Attempt.objects.filter(connector__in=pks, at__gte=first)
        .order_by()
        .annotate(hour=TruncHour("at", tzinfo=now.tzinfo))
        .values("connector", "hour")
        .annotate(
            sent=Count("pk", filter=Q(outcome=Outcome.SENT)),
            failed=Count("pk", filter=~Q(outcome=Outcome.SENT)),
            last_error=Max("pk", filter=~Q(outcome=Outcome.SENT)),
        )
    )
    counted = {(row["connector"], row["hour"]): row for row in rows}
    latest: dict[int, int] = {}
    for (pk, _), row in counted.items():
        latest[pk] = max(latest.get(pk, 0), row["last_error"] or 0)
    errors = Attempt.objects.in_bulk([pk for pk in latest.values() if pk])
    begins = [first + timedelta(hours=place) for place in range(HOURS)]
    return {
        pk: Health(tuple(_hour(counted.get((pk, at)), at) for at in begins), errors.get(latest.get(pk, 0)))
        for pk in pks
    }


def _hour(row: Mapping[str, Any] | None, at: datetime) -> Hour:
    return Hour(at) if row is None else Hour(at, row["sent"], row["failed"])

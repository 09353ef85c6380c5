"""The platform watches itself: the tick of the engine, the age of the oldest due row, the clocks."""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.module_loading import import_string

from config.models import Tick

TICK_LATE = timedelta(seconds=30)  # the job ticks each second
DUE_LATE = timedelta(seconds=60)
CLOCKS_APART = timedelta(seconds=5)  # between a process and the database
DUE = "incidents.gauges.due"  # (now) -> {name: Waiting}; the floors above are only named here
PROCESS = f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class Waiting:
    """Rows that are due and not taken yet."""

    rows: int
    oldest_at: datetime | None  # since when the oldest waits; None without rows

    def age(self, now: datetime) -> timedelta:
        """Return for how long the oldest waits."""
        return max(now - self.oldest_at, timedelta(0)) if self.oldest_at else timedelta(0)


@dataclass(frozen=True)
class State:
    """How the installation is at an instant. `tick_age` is None before the engine's first tick."""

    tick_age: timedelta | None
    clock_difference: timedelta
    due: dict[str, Waiting]
    now: datetime

    @property
    def oldest_due(self) -> timedelta:
        """For how long the oldest due row waits."""
        return max((waiting.age(self.now) for waiting in self.due.values()), default=timedelta(0))

    def reasons(self) -> list[str]:
        """Return what is wrong, each with its remedy; empty when all is well."""
        found = []
        if self.tick_age is None:
            found.append("The engine has not ticked yet: start `manage.py up`, or Celery's workers and beat.")
        elif self.tick_age > TICK_LATE:
            age = self.tick_age.total_seconds()
            found.append(f"The engine has not ticked for {age:.0f} s: nobody is paged. Start it, and read its log.")
        for name, waiting in self.due.items():
            waits = waiting.age(self.now)
            if waits > DUE_LATE:
                found.append(
                    f"{name}: {waiting.rows} due, the oldest for {waits.total_seconds():.0f} s. Read the engine's log."
                )
        if abs(self.clock_difference) > CLOCKS_APART:
            seconds = self.clock_difference.total_seconds()
            found.append(f"The engine's clock is {seconds:+.1f} s from the database's. Set both by NTP.")
        return found


def beat(now: datetime, limit: int) -> int:
    """Note that the engine works, and how far its clock is from the database's."""
    mine = {"at": now, "process": PROCESS, "clock_difference_seconds": (now - _database_clock(now)).total_seconds()}
    if not Tick.objects.filter(pk=1).update(**mine):
        Tick.objects.bulk_create([Tick(pk=1, **mine)], ignore_conflicts=True)
    return 0


def _database_clock(now: datetime) -> datetime:
    if connection.vendor != "postgresql":
        return now  # SQLite has no clock but this machine's
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (found,) = cursor.fetchone()
    instant: datetime = found
    return instant.astimezone(UTC)


def state(now: datetime) -> State:
    """Return how things are. Raises DatabaseError if the database does not answer."""
    tick = Tick.objects.filter(pk=1).first()
    return State(
        tick_age=max(now - tick.at, timedelta(0)) if tick else None,
        clock_difference=timedelta(seconds=tick.clock_difference_seconds) if tick else timedelta(0),
        due=import_string(DUE)(now),
        now=now,
    )


def lag(now: datetime) -> str:
    """Return what the console's banner says: "" when all is well."""
    return " ".join(state(now).reasons())


def healthz(request: HttpRequest) -> HttpResponse:
    """200: this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the engine works and nothing due is left lying; else 503 with the reasons."""
    try:
        found = state(timezone.now())
    except DatabaseError:
        return _ready({}, ["The database does not answer."])
    facts = {
        "tick_age_seconds": _seconds(found.tick_age),
        "oldest_due_seconds": _seconds(found.oldest_due),
        "clock_difference_seconds": _seconds(found.clock_difference),
        "due": {name: waiting.rows for name, waiting in found.due.items()},
    }
    return _ready(facts, found.reasons())


def _ready(facts: dict[str, Any], reasons: list[str]) -> JsonResponse:
    return JsonResponse({"ready": not reasons, "reasons": reasons, **facts}, status=503 if reasons else 200)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 3)

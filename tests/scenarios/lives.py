"""The process that forks lives, ordered line by line on stdin (tests/scenarios/mortal.py). Django is loaded.

A step is a statement that writes to the database, or a piece written to a socket: to be killed anywhere between two of
them leaves the same traces as to be killed just before the second.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from celery.signals import worker_ready
from django.conf import settings
from django.db.backends.signals import connection_created
from django.utils.module_loading import import_string

from config import celery, loop
from destinations.models import Delivery
from incidents.models import Run

PIECES = frozenset({"http.client.send", "smtplib.send"})  # CPython's audit events before each piece is written
WRITING = ("INSERT", "UPDATE", "DELETE")
WORKER = ("worker", "--pool=solo", "--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel=ERROR")
Tell = Callable[[datetime], None]


class Fuse:
    """Counts steps; the process is killed before the one of this number. 0: it only counts."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.steps = 0
        self.counter = count(1)  # no two threads get the same number
        self.lit = True

    def lay(self) -> None:
        """Stand before every step of this process from here on."""
        sys.addaudithook(self._written)
        connection_created.connect(self._wrap)

    def _wrap(self, connection: Any, **_: object) -> None:
        if self._executed not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._executed)

    def _executed(self, execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if sql.startswith(WRITING):
            self._burn()
        return execute(sql, *args)

    def _written(self, event: str, _: tuple[Any, ...]) -> None:
        if event in PIECES:
            self._burn()

    def _burn(self) -> None:
        if self.lit:
            self.steps = next(self.counter)
            if self.steps == self.number:
                os.kill(os.getpid(), signal.SIGKILL)


def night(order: dict[str, Any], fuse: Fuse, tell: Tell) -> None:
    """Do the jobs that run each second, at one due instant after the other."""
    now: datetime | None = datetime.fromisoformat(order["now"])
    end = datetime.fromisoformat(order["end"])
    for job in celery.JOBS:
        if job.first and order["restart"]:
            import_string(job.first)(now)
    while now is not None:
        tell(now)
        _work(now)
        fuse.lit = False
        now = _next_due(now, end)
        fuse.lit = True


def _work(now: datetime) -> None:
    jobs = [import_string(job.path) for job in celery.JOBS if job.period_seconds == 1]
    for _ in range(30):
        if not sum(job(now, celery.LIMIT) for job in jobs):
            return


def _next_due(now: datetime, end: datetime) -> datetime | None:
    deliveries = Delivery.objects.order_by("pk")
    waits = [
        *Run.objects.filter(due_at__gt=now, due_at__lte=end).values_list("due_at", flat=True),
        *deliveries.filter(due_at__gt=now, due_at__lte=end, state="queued").values_list("due_at", flat=True),
        *deliveries.filter(lease_until__gt=now, state="sending").values_list("lease_until", flat=True),
    ]
    return min((one for one in waits if one), default=None)


def engine(order: dict[str, Any], fuse: Fuse, tell: Tell) -> None:
    """Be the embedded engine."""
    _end_after(order["seconds"])
    loop.main()


def worker(order: dict[str, Any], fuse: Fuse, tell: Tell) -> None:
    """Be a Celery worker, whose sending leases are short: nothing frees those of the dead before they run out."""
    settings.SEND_LEASE = timedelta(seconds=2)

    def ready(**_: object) -> None:
        _end_after(order["seconds"])

    worker_ready.connect(ready)
    celery.app.worker_main(list(WORKER))


def _end_after(seconds: float) -> None:
    end = threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGTERM])
    end.daemon = True
    end.start()


DOING = {"night": night, "engine": engine, "worker": worker}


def live(order: dict[str, Any], pipe: int) -> None:
    """Live one life; this process is its own."""
    fuse = Fuse(order["fuse"])
    fuse.lay()

    def tell(now: datetime) -> None:
        os.write(pipe, json.dumps({"now": now.isoformat(), "steps": fuse.steps}).encode() + b"\n")

    tell(datetime.fromisoformat(order["now"]) if "now" in order else datetime.now(UTC))
    try:
        DOING[order["do"]](order, fuse, tell)
    finally:
        os.write(pipe, json.dumps({"steps": fuse.steps}).encode() + b"\n")


def raise_one(order: dict[str, Any]) -> dict[str, Any]:
    """Fork a life, wait for its end, and tell how it went: {"now", "steps", "code"}."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            live(order, writer)
            code = 0
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else 0
        except Exception:  # noqa: BLE001 - nothing of this fork may go on as if it were its parent
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writer)
    told: dict[str, Any] = {}
    with os.fdopen(reader) as lines:
        for line in lines:
            told |= json.loads(line)
    return {**told, "code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}


def main() -> None:
    """Live as often as is ordered, until stdin ends."""
    celery.app.loader.import_default_modules()
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # Celery's worker greets on stdout
        for line in sys.stdin:
            print(json.dumps(raise_one(json.loads(line))), file=answers, flush=True)

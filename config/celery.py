"""The Celery app, and the ONE table of every job. Celery is the alarm clock and the muscle, never the memory.

A job is a function `run_due(now, limit) -> int` that does what is due and returns how much that was. Run two of
everything: each job claims its rows, so doubled clocks and workers are harmless.
"""

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

from celery import Celery
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from kombu import Connection, pools

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

LIMIT = 500  # rows a job takes in one go; what is left is due at once again


@dataclass(frozen=True)
class Job:
    """One line of the table. `path` is also the name of its task."""

    name: str
    path: str
    period_seconds: int
    about: str
    resident: str = ""  # in the embedded engine, a class that works all the time: loop.Worker
    first: str = ""  # what the embedded engine does once before it starts: (now) -> how many


JOBS = (
    Job("Escalation", "incidents.escalation.run_due", 1, "Takes the escalation steps that are due"),
    Job("Incident timers", "incidents.timers.run_due", 1, "Ends snoozes and acknowledgements whose time is over"),
    Job(
        "Deliveries",
        "destinations.delivery.run_due",
        1,
        "Sends the messages that are due",
        resident="destinations.delivery.Sender",
        first="destinations.delivery.free_dead_leases",
    ),
    Job("Tick", "config.health.beat", 1, "Notes that the engine is alive"),
    Job("Watch", "incidents.watch.run_due", 60, "Tells admins of connectors that switched themselves off"),
    Job("Heartbeat", "destinations.heartbeat.run_due", 60, "Calls TOCSIN_HEARTBEAT_URL while the engine is well"),
    Job("Pruning of raw events", "incidents.pruning.run_due", 3600, "Deletes raw events after TOCSIN_RAW_EVENT_DAYS"),
    Job("Pruning of deliveries", "destinations.pruning.run_due", 3600, "Deletes deliveries after TOCSIN_DELIVERY_DAYS"),
    Job("Pruning of answers", "config.idempotency.prune", 3600, "Deletes stored idempotent answers that have expired"),
)

app = Celery("tocsin")
app.config_from_object("django.conf:settings", namespace="CELERY")


def run(path: str) -> int:
    """Run a job now and return how much it did."""
    done: int = import_string(path)(timezone.now(), LIMIT)
    return done


def _task(path: str) -> None:
    @app.task(name=path)
    def job() -> None:
        run(path)


for _job in JOBS:
    _task(_job.path)


@cache
def _broker(url: str, patience_seconds: float) -> Connection:
    limits = {"socket_connect_timeout": patience_seconds, "socket_timeout": patience_seconds, "max_retries": 0}
    options: dict[str, Any] = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, **limits}
    return app.connection_for_write(url, connect_timeout=patience_seconds, transport_options=options)


def send(path: str, patience_seconds: float) -> None:
    """Ask the workers to run a job, trying once. Raises what the broker's library raises."""
    connection = _broker(settings.CELERY_BROKER_URL, patience_seconds)
    with pools.producers[connection].acquire(block=True, timeout=patience_seconds) as producer:
        app.send_task(path, producer=producer, retry=False, ignore_result=True, expires=60)

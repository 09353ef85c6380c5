"""The periods of the jobs: kept in django-celery-beat's tables, seen and changed in the console, read in both modes."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from celery.beat import ScheduleEntry
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from config.celery import JOBS, Job, app

logger = logging.getLogger(__name__)

CLOCK_SLACK_SECONDS = 1.0


def seed(jobs: Iterable[Job] = JOBS) -> int:
    """Write each job of the table that is not there yet; return how many. What an admin changed stays as it is."""
    return sum(_seed_one(job.name, job.path, job.period_seconds, job.about) for job in jobs)


def _seed_one(name: str, path: str, period_seconds: int, about: str) -> bool:
    present = PeriodicTask.objects.filter(name=name).first()
    if present is not None:
        if present.task != path:  # the function was renamed; the period is still the admin's
            present.task = path
            present.save()
        return False
    period = {"every": period_seconds, "period": IntervalSchedule.SECONDS}
    interval = IntervalSchedule.objects.filter(**period).first() or IntervalSchedule.objects.create(**period)
    PeriodicTask.objects.create(
        name=name,
        task=path,
        interval=interval,
        description=about,
        expire_seconds=max(10, period_seconds),  # ticks that nobody took must not pile up in the broker
    )
    return True


class LocalScheduler(DatabaseScheduler):
    """Beat without a broker: the same tables, but a job that is due is started here.

    `tick()` starts at most one job and returns how many seconds to wait before it is called again.
    """

    producer = None  # type: ignore[assignment]  # there is no broker

    def __init__(self, start: Callable[[str], None]) -> None:
        self.start = start  # called with the path of the job
        self.lead = _lead()
        super().__init__(app, max_interval=1)  # type: ignore[no-untyped-call]
        self._finalize.cancel()  # whoever keeps the clock calls sync() at the end, not the interpreter

    def setup_schedule(self) -> None:
        """Add nothing of Celery's own."""

    def apply_async(self, entry: ScheduleEntry, *_: object, **__: object) -> None:
        """Start the job instead of sending a message."""
        self.start(str(entry.task))

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Do one round. After the wall clock was set back every job is due, instead of in an hour."""
        lead, self.lead = self.lead, _lead()
        if self.lead < lead - CLOCK_SLACK_SECONDS and self._heap is not None:
            logger.warning("the clock went back by %.0f s; every job is started now", lead - self.lead)
            for entry in self.schedule.values():
                entry.last_run_at = entry.default_now()
                self.start(str(entry.task))
            self._heap = None  # type: ignore[assignment]  # made anew by the next line
        return float(super().tick(*args, **kwargs))


def _lead() -> float:
    """Return how far the wall clock is ahead of the steady one, in seconds: it changes only when a clock is set."""
    return time.time() - time.monotonic()

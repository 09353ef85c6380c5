"""The embedded engine, with jobs of this module: woken at once, kept by the clock, hurt by nothing."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask, PeriodicTasks
from pytest_django import Settings

from config import schedule
from config.celery import Job
from config.engine import wake
from config.loop import Engine
from tests import servers

HERE = "tests.config.test_loop."
ran: "queue.Queue[tuple[str, float]]" = queue.Queue()
gate = threading.Event()


def quick(now: datetime, limit: int) -> int:
    ran.put(("quick", time.monotonic()))
    return 0


def slow(now: datetime, limit: int) -> int:
    ran.put(("slow", time.monotonic()))
    gate.wait(10)
    ran.put(("slow done", time.monotonic()))
    return 0


def broken(now: datetime, limit: int) -> int:
    ran.put(("broken", time.monotonic()))
    raise ValueError("this one never works")


def asks_the_database(now: datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    ran.put(("asked", time.monotonic()))
    return 0


class Standing:
    """A resident worker."""

    def wake(self) -> None:
        ran.put(("standing woken", time.monotonic()))

    def stop(self, timeout: float) -> bool:
        ran.put(("standing stopped", time.monotonic()))
        return True


def job(name: str, period_seconds: int = 3600, **more: str) -> Job:
    return Job(name, HERE + name, period_seconds, "", **more)


def then(wanted: str, seconds: float = 5) -> float:
    """Return the instant (monotonic) of the next run of this name, dropping others on the way."""
    until = time.monotonic() + seconds
    while True:
        name, at = ran.get(timeout=max(0.001, until - time.monotonic()))
        if name == wanted:
            return at


def drained() -> list[str]:
    names = []
    while not ran.empty():
        names.append(ran.get()[0])
    return names


@contextmanager
def running(*jobs: Job) -> Iterator[Engine]:
    schedule.seed(jobs)
    engine = Engine(jobs)
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        yield engine
    finally:
        gate.set()
        engine.stop()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _fresh(settings: Settings, tmp_path: Path, sqlite_database: str) -> None:
    drained()
    gate.clear()
    settings.DATA_DIR = tmp_path
    settings.ENGINE_SOCKET = tmp_path / "engine.sock"


def test_a_job_runs_at_start_and_within_100_ms_of_a_wake() -> None:
    with running(job("quick")):
        then("quick")
        delays = []
        for _ in range(20):
            began = time.monotonic()
            wake(HERE + "quick")
            delays.append(then("quick") - began)
    assert sorted(delays)[10] < 0.1


def test_a_slow_job_holds_up_no_other_and_never_runs_beside_itself() -> None:
    with running(job("slow"), job("quick")) as engine:
        then("slow")
        for _ in range(5):
            engine.start(HERE + "slow")
        engine.start(HERE + "quick")
        then("quick")
        gate.set()
        then("slow done")
        then("slow done")
    assert "slow" not in drained()


def test_a_broken_job_is_told_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with running(job("broken"), job("quick")) as engine, caplog.at_level(logging.ERROR):
        then("broken")
        for _ in range(3):
            engine.start(HERE + "broken")
            then("broken")
        engine.start(HERE + "quick")
        then("quick")
    assert caplog.text.count("failed, it is tried again") == 1
    assert "this one never works" in caplog.text


def test_the_clock_starts_what_the_tables_say() -> None:
    with running(job("quick", period_seconds=1)):
        first = then("quick")
        for _ in range(2):
            second = then("quick")
    assert second - first < 4


def test_what_an_admin_switched_off_is_not_started_by_the_clock() -> None:
    jobs = job("quick", period_seconds=1), job("asks_the_database", period_seconds=1)
    schedule.seed(jobs)
    PeriodicTask.objects.filter(name="quick").update(enabled=False)
    PeriodicTasks.update_changed()
    with running(*jobs):
        then("quick")  # at start, whatever became due while nobody worked
        drained()
        then("asked")
        then("asked")
        assert "quick" not in drained()


def test_a_clock_that_is_set_back_an_hour_does_not_stop_the_jobs() -> None:
    schedule.seed([job("quick", period_seconds=60)])
    started: list[str] = []
    scheduler = schedule.LocalScheduler(started.append)
    scheduler.tick()
    assert started == []
    scheduler.lead += 3600
    scheduler.tick()
    assert started == [HERE + "quick"]


def test_a_resident_is_woken_and_stopped() -> None:
    with running(job("quick", resident=HERE + "Standing", first=HERE + "noted_first")):
        then("first")
        then("standing woken")
        wake(HERE + "quick")
        then("standing woken")
    assert drained()[-1] == "standing stopped"


def noted_first(now: datetime) -> int:
    ran.put(("first", time.monotonic()))
    return 0


def test_told_to_stop_it_finishes_what_is_under_way_and_starts_nothing() -> None:
    with running(job("slow"), job("quick")) as engine:
        then("slow")
        engine.start(HERE + "slow")
        engine.stop()
        engine.stop()  # SIGTERM comes from the parent and to the whole group
        threading.Timer(0.2, gate.set).start()
        then("slow done")
    assert "slow" not in drained()


def test_a_second_engine_waits_and_takes_over(caplog: pytest.LogCaptureFixture) -> None:
    with running(job("quick")) as first:
        then("quick")
        with running(job("asks_the_database")):
            wait_for(lambda: "waits to take over" in caplog.text)
            first.stop()
            then("asked")
            wake(HERE + "asks_the_database")
            then("asked")


def test_an_unknown_name_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with running(job("quick")):
        then("quick")
        wake("nothing.at.all", "nothing.at.all")
        wake("nothing.at.all", HERE + "quick")
        then("quick")
    assert caplog.text.count("nothing.at.all") == 1


@pytest.mark.postgres
def test_a_lost_database_is_waited_for(postgres_database: str) -> None:
    with running(job("asks_the_database")) as engine:
        then("asked")
        with psycopg.connect(servers.libpq(postgres_database), autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        engine.start(HERE + "asks_the_database")
        then("asked")


def wait_for(done: Callable[[], Any], seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        threading.Event().wait(0.01)

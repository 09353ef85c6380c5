"""Waking: after the commit, once, quickly, and never with an exception."""

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from django.db import transaction
from pytest_django import Settings

from config.engine import address, wake
from tests import servers

JOB, OTHER = "destinations.delivery.run_due", "incidents.escalation.run_due"


class Engine:
    """Listens where the embedded engine would."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with address(path) as name:
            self.socket.bind(name)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(200).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["short", "long/" * 40])
def engine(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Iterator[Engine]:
    folder = tmp_path / request.param
    folder.mkdir(parents=True)
    settings.ENGINE_SOCKET = folder / "engine.sock"
    listener = Engine(settings.ENGINE_SOCKET)
    yield listener
    listener.socket.close()


@pytest.mark.django_db(transaction=True)
def test_the_engine_is_told_after_the_commit_and_once_a_job(engine: Engine) -> None:
    with transaction.atomic():
        wake(JOB)
        with transaction.atomic():
            wake(JOB, OTHER)
        assert engine.heard() == []
    assert engine.heard() == [JOB, OTHER]


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_wakes_nobody_but_a_later_wake_still_does(engine: Engine) -> None:
    with transaction.atomic():
        with transaction.atomic():
            wake(JOB)
            transaction.set_rollback(True)
        wake(JOB)
    assert engine.heard() == [JOB]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_is_told_at_once(engine: Engine) -> None:
    wake(JOB)
    assert engine.heard() == [JOB]


@pytest.mark.django_db(transaction=True)
def test_a_full_queue_and_a_missing_engine_hold_up_nobody(
    engine: Engine, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    for _ in range(2000):
        wake(JOB)
    assert not caplog.records
    settings.ENGINE_SOCKET = tmp_path / "nothing" / "engine.sock"
    with caplog.at_level(logging.WARNING):
        wake(JOB)
    assert "engine not woken" in caplog.text
    assert time.monotonic() - began < 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["refuses", "is silent"])
def test_a_dead_broker_costs_the_committer_at_most_its_patience(kind: str, settings: Settings) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if kind == "is silent":
            silent.listen()
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        wake(JOB)
        began = time.monotonic()
        with transaction.atomic():
            wake(JOB)
        assert time.monotonic() - began < 0.15


@pytest.mark.django_db(transaction=True)
def test_with_a_broker_a_task_is_sent(redis_url: str, settings: Settings) -> None:
    settings.CELERY_BROKER_URL = redis_url
    with transaction.atomic():
        wake(JOB)
    message = servers.take_redis(redis_url, settings.CELERY_TASK_DEFAULT_QUEUE)
    assert JOB in message
    Thread(target=wake, args=(JOB,)).start()
    assert JOB in servers.take_redis(redis_url, settings.CELERY_TASK_DEFAULT_QUEUE)

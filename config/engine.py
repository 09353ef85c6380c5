"""Waking the engine: after the commit that made something due, not at the next scan.

A wake-up is a hint and never a promise: the due row is the truth, the scan each second finds it anyway. So it is
tried once for at most 100 ms, its failure is only logged, and nothing here raises.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from config import celery

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.1
LONGEST_ADDRESS = 100  # bytes; the kernel's limit for a Unix socket's path is 107


def wake(*jobs: str) -> None:
    """Run these jobs (dotted paths, such as "destinations.delivery.run_due") as soon as the transaction is committed.

    Outside a transaction: now. Each job is woken once a transaction, however often it is named; never after a rollback.
    """
    connection = transaction.get_connection()
    for job in jobs:
        call = _Wake(job)
        if not any(waiting[1] == call for waiting in connection.run_on_commit):
            transaction.on_commit(call, robust=True)


@dataclass(frozen=True)
class _Wake:
    """A wake-up that waits for the commit; equal to another one of the same job."""

    job: str

    def __call__(self) -> None:
        if not settings.CELERY_BROKER_URL:
            _tell_engine(self.job)
            return
        message = threading.Thread(target=_tell_workers, args=(self.job,), name="wake", daemon=True)
        message.start()
        message.join(PATIENCE_SECONDS)  # a broker that hangs must not hold up who committed


def _tell_engine(job: str) -> None:
    try:
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
            address(settings.ENGINE_SOCKET) as path,
        ):
            sender.sendto(job.encode(), path)
    except BlockingIOError:
        pass  # its queue is full: it is awake
    except OSError as exc:
        logger.warning("engine not woken job=%s reason=%s; it looks by itself each second", job, exc.strerror)


def _tell_workers(job: str) -> None:
    try:
        celery.send(job, PATIENCE_SECONDS)
    except Exception as exc:  # noqa: BLE001 - every broker library has its own; a wake-up must break nothing
        logger.warning("workers not woken job=%s reason=%s; beat sends it within a second", job, type(exc).__name__)


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Yield a name for a Unix socket at `path` that the kernel takes, however deep the folder is.

    The long way is cut short through the open folder (Linux), so that the socket stays where only its owner may go.
    """
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)

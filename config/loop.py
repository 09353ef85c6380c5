"""The embedded engine: every job in a thread of its own, started by the clock or by a wake-up."""

import contextlib
import fcntl
import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.utils import timezone
from django.utils.module_loading import import_string

from config import celery, schedule
from config.engine import address

logger = logging.getLogger(__name__)

GRACE_SECONDS = 22.0  # for what is under way when the engine is told to stop; the whole tree has 25
IDLE_SECONDS = 5.0  # then a job's thread gives its database connection back
SCAN_SECONDS = 1.0  # between two looks at the clock when the database does not answer


class Lane:
    """One job in a thread of its own: never beside itself, and asked again while it runs, it runs once more."""

    def __init__(self, path: str, stopping: threading.Event) -> None:
        self.path = path
        self.stopping = stopping
        self.asked = threading.Event()
        self.failing = ""  # the last failure in words: the same one is not told each second
        self.thread = threading.Thread(target=self._work, name=path, daemon=True)

    def ask(self) -> None:
        """Run the job as soon as it does not run."""
        self.asked.set()

    def _work(self) -> None:
        while not self.stopping.is_set():
            if not self.asked.wait(IDLE_SECONDS):
                connections.close_all()
                self.asked.wait()
            self.asked.clear()
            if not self.stopping.is_set():
                self._run()
        connections.close_all()

    def _run(self) -> None:
        close_old_connections()  # one that broke is replaced
        try:
            done = celery.run(self.path)
        except (OperationalError, InterfaceError) as exc:
            self._failed(f"the database does not answer ({_first_line(exc)})", None)
        except Exception as exc:  # noqa: BLE001 - one job's fault must stop no other, nor its own next run
            self._failed(f"{type(exc).__name__}: {_first_line(exc)}", exc)
        else:
            if self.failing:
                logger.info("job=%s works again", self.path)
            self.failing = ""
            if done >= celery.LIMIT:  # there may be more
                self.ask()

    def _failed(self, words: str, exc: Exception | None) -> None:
        if words != self.failing:
            logger.error("job=%s failed, it is tried again when it is next due: %s", self.path, words, exc_info=exc)
        self.failing = words


class Worker(Protocol):
    """What a resident job is made of."""

    def wake(self) -> None:
        """Begin to work, the first time; look at once."""

    def stop(self, timeout: float) -> bool:
        """Take nothing new and finish what is in hand within so many seconds; say whether that was done."""
        ...


class Resident:
    """A job that works all the time in threads of its own; being asked wakes it."""

    def __init__(self, job: celery.Job) -> None:
        self.path = job.path
        self.worker: Worker = import_string(job.resident)()

    def ask(self) -> None:
        """Let it look at once."""
        self.worker.wake()


def _first_line(exc: Exception) -> str:
    return str(exc).strip().split("\n")[0]


class Engine:
    """Listens on settings.ENGINE_SOCKET, keeps the clock, and stops on SIGTERM or SIGINT within GRACE_SECONDS."""

    def __init__(self, jobs: Sequence[celery.Job] = celery.JOBS) -> None:
        self.jobs = jobs
        self.stopping = threading.Event()
        self.lanes = {job.path: Lane(job.path, self.stopping) for job in jobs if not job.resident}
        self.residents: dict[str, Resident] = {}
        self.unknown: set[str] = set()
        self.stop_reader, self.stop_writer = socket.socketpair()

    def start(self, path: str) -> None:
        """Ask for a job by its path; a name that no job has is told once."""
        job = self.lanes.get(path) or self.residents.get(path)
        if job is not None:
            job.ask()
        elif path not in self.unknown and len(self.unknown) < 100:
            self.unknown.add(path)
            logger.warning("job=%s is not known: nothing is run for it", path)

    def stop(self, *_: int | FrameType | None) -> None:
        """Stop claiming; `run` returns when what is under way is done. For signal handlers, too; harmless twice."""
        with contextlib.suppress(OSError):  # no lock is taken: the handler may have interrupted its holder
            self.stop_writer.send(b"stop")

    def run(self) -> None:
        """Work until told to stop."""
        with self._alone() as mine:
            if mine:
                with _listen(settings.ENGINE_SOCKET) as listener:
                    self._work(listener)

    def _work(self, listener: socket.socket) -> None:
        self._begin()
        clock = threading.Thread(target=self._keep_clock, name="clock", daemon=True)
        clock.start()
        logger.info("engine started pid=%s", os.getpid())
        self._listen_until_stopped(listener)
        self._finish(clock)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Wait until no other engine works on this data folder; False if told to stop before that."""
        with (settings.DATA_DIR / "engine.lock").open("w") as lock:
            mine = _locked(lock)
            if not mine:
                logger.warning("another engine works on %s; this one waits to take over", settings.DATA_DIR)
            while not mine and not self._stopped(0.5):
                mine = _locked(lock)
            yield mine

    def _begin(self) -> None:
        """Wait for the database, free what dead processes held, start every job: much may be due."""
        firsts = [import_string(job.first) for job in self.jobs if job.first]
        while firsts and not self._stopped(0):
            try:
                close_old_connections()
                firsts[0](timezone.now())
                firsts.pop(0)
            except (OperationalError, InterfaceError) as exc:
                logger.error("the database does not answer (%s); the engine waits for it", _first_line(exc))
                self._stopped(SCAN_SECONDS)
        connections.close_all()
        if self.stopping.is_set():
            return
        self.residents = {job.path: Resident(job) for job in self.jobs if job.resident}
        for lane in self.lanes.values():
            lane.thread.start()
        for path in (*self.lanes, *self.residents):
            self.start(path)

    def _listen_until_stopped(self, listener: socket.socket) -> None:
        while not self._stopped(None, listener):
            with contextlib.suppress(OSError):
                self.start(listener.recv(500).decode(errors="replace"))

    def _stopped(self, patience_seconds: float | None, *others: socket.socket) -> bool:
        """Wait until told to stop, or for one of the others to have news; say whether it is the former."""
        ready, _, _ = select.select([self.stop_reader, *others], [], [], patience_seconds)
        if self.stop_reader in ready:
            self.stopping.set()
        return self.stopping.is_set()

    def _keep_clock(self) -> None:
        scheduler: schedule.LocalScheduler | None = None
        while not self.stopping.is_set():
            try:
                if scheduler is None:
                    scheduler = schedule.LocalScheduler(self.start)
                delay = scheduler.tick()
            except (OperationalError, InterfaceError):
                delay = self._scan_without_schedule()
            except Exception:
                logger.exception("the schedule cannot be read; every job is tried each second")
                delay = self._scan_without_schedule()
            self.stopping.wait(delay)
        if scheduler is not None:
            scheduler.sync()  # type: ignore[no-untyped-call]  # notes when each job last ran
        connections.close_all()

    def _scan_without_schedule(self) -> float:
        close_old_connections()
        for job in self.jobs:
            if job.period_seconds <= SCAN_SECONDS:
                self.start(job.path)
        return SCAN_SECONDS

    def _finish(self, clock: threading.Thread) -> None:
        until = time.monotonic() + GRACE_SECONDS
        for resident in self.residents.values():
            resident.worker.stop(until - time.monotonic())
        for thread in [clock, *(lane.thread for lane in self.lanes.values())]:
            for lane in self.lanes.values():
                lane.ask()  # so that a thread that waits looks at `stopping`
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        busy = [lane.path for lane in self.lanes.values() if lane.thread.is_alive()]
        if busy:
            logger.warning("engine stopped; still under way and left to be retried: %s", ", ".join(busy))
        else:
            logger.info("engine stopped")


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _listen(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)  # of an engine that was killed: the lock says that it is gone
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        with address(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def main() -> None:
    """Run the engine in this process until SIGTERM or SIGINT."""
    engine = Engine()
    signal.signal(signal.SIGTERM, engine.stop)
    signal.signal(signal.SIGINT, engine.stop)
    engine.run()

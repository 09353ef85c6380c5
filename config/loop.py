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
from pathlib import Path
from types import FrameType
from typing import IO, Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connections

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


def _first_line(exc: Exception) -> str:
    return str(exc).strip().split("\n")[0]


class Engine:
    """Listens on settings.ENGINE_SOCKET, keeps the clock, and stops on SIGTERM or SIGINT within GRACE_SECONDS."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.lanes = {job.path: Lane(job.path, self.stopping) for job in celery.JOBS}
        self.unknown: set[str] = set()
        self.stop_reader, self.stop_writer = socket.socketpair()

    def start(self, path: str) -> None:
        """Ask for a job by its path; a name that no job has is told once."""
        lane = self.lanes.get(path)
        if lane is not None:
            lane.ask()
        elif path not in self.unknown and len(self.unknown) < 100:
            self.unknown.add(path)
            logger.warning("job=%s is not known: nothing is run for it", path)

    def stop(self, *_: int | FrameType | None) -> None:
        """Stop claiming; `run` returns when what is under way is done. For signal handlers, too; harmless twice."""
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.stop_writer.send(b"stop")

    def run(self) -> None:
        """Work until told to stop."""
        with self._alone(), _listen(settings.ENGINE_SOCKET) as listener:
            if self.stopping.is_set():
                return
            for lane in self.lanes.values():
                lane.thread.start()
                lane.ask()  # whatever became due while nobody worked
            clock = threading.Thread(target=self._keep_clock, name="clock", daemon=True)
            clock.start()
            logger.info("engine started pid=%s", os.getpid())
            self._listen_until_stopped(listener)
            self._finish(clock)

    def _listen_until_stopped(self, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            ready, _, _ = select.select([listener, self.stop_reader], [], [])
            if listener in ready:
                with contextlib.suppress(OSError):
                    self.start(listener.recv(500).decode(errors="replace"))

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
        connections.close_all()

    def _scan_without_schedule(self) -> float:
        close_old_connections()
        for job in celery.JOBS:
            if job.period_seconds <= SCAN_SECONDS:
                self.start(job.path)
        return SCAN_SECONDS

    def _finish(self, clock: threading.Thread) -> None:
        until = time.monotonic() + GRACE_SECONDS
        for thread in [clock, *(lane.thread for lane in self.lanes.values())]:
            for lane in self.lanes.values():
                lane.ask()  # so that a thread that waits looks at `stopping`
            thread.join(max(0.0, until - time.monotonic()))
        busy = [lane.path for lane in self.lanes.values() if lane.thread.is_alive()]
        if busy:
            logger.warning("engine stopped; still under way and left to be retried: %s", ", ".join(busy))
        else:
            logger.info("engine stopped")

    @contextlib.contextmanager
    def _alone(self) -> Any:
        """Wait until no other engine works on this data folder."""
        with (settings.DATA_DIR / "engine.lock").open("w") as lock:
            told = False
            while not self.stopping.is_set() and not _locked(lock):
                if not told:
                    logger.warning("another engine works on %s; this one waits to take over", settings.DATA_DIR)
                told = True
                self.stopping.wait(0.5)
            yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _listen(path: Path) -> Any:
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

"""Hands that send, and the loop that keeps them busy: claim, hand over, record, claim again.

The hands never touch the database; whoever runs the loop claims and records. So one database connection serves any
number of sends, and results that come in together are written together.
"""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections
from django.utils import timezone

from destinations.base import Outcome, Result
from destinations.delivery.claiming import Slots, Task, claim
from destinations.delivery.handing import hand_over
from destinations.delivery.settling import AWAY, Finished, record
from destinations.models import Delivery

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
SCAN_SECONDS = 1.0  # the net under every wake-up
SLOW_SECONDS = 2.0  # a connector that takes longer shares half of the hands with all others that do
CLAIM_WINDOW = timedelta(seconds=12)  # how long one blocking run takes new rows for connectors
PAGE_WINDOW = timedelta(seconds=30)  # and how long pages: with the last send it stays below a task's soft time limit


class Hands:
    """Threads that hand messages over: some for pages alone, as many for everything else."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.pages = ThreadPoolExecutor(settings.SEND_THREADS, "page")
        self.others = ThreadPoolExecutor(settings.SEND_THREADS, "message")
        self.done: queue.SimpleQueue[Finished | None] = queue.SimpleQueue()  # None: somebody wants attention
        self.pages_by_kind: Counter[str] = Counter()
        self.others_by_kind: Counter[str] = Counter()
        self.by_connector: Counter[int] = Counter()
        self.slow: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.pages.shutdown(wait=False)
        self.others.shutdown(wait=False)

    @property
    def in_hand(self) -> int:
        """How many messages are being handed over."""
        return self.pages_by_kind.total() + self.busy_others

    @property
    def busy_others(self) -> int:
        """How many of them are no pages."""
        return self.others_by_kind.total() + self.by_connector.total()

    def slots(self, limit: int = 1000, *, others: bool = True) -> Slots:
        """Return how much more can be taken, at most `limit` rows."""
        return Slots(
            pages=settings.SEND_THREADS - self.pages_by_kind.total(),
            others=settings.SEND_THREADS - self.busy_others if others else 0,
            most=limit,
            pages_by_kind=self.pages_by_kind,
            others_by_kind=self.others_by_kind,
            slow=frozenset(self.slow),
            for_slow=max(1, settings.SEND_THREADS // 2) - sum(self.by_connector[pk] for pk in self.slow),
        )

    def take(self, tasks: Sequence[Task]) -> None:
        """Begin to hand these over."""
        for task in tasks:
            self._count(task.row, 1)
            pool = self.pages if task.row.priority == Delivery.Priority.PAGE else self.others
            pool.submit(self._work, task)

    def wait(self, seconds: float) -> list[Finished]:
        """Return what has been handed over since the last call; wait for the first, or a call for attention."""
        finished: list[Finished] = []
        try:
            one = self.done.get(timeout=seconds)
            while True:
                if one is not None:
                    finished.append(one)
                one = self.done.get_nowait()
        except queue.Empty:
            pass
        for one in finished:
            self._count(one.row, -1)
            self._note_pace(one)
        return finished

    def _note_pace(self, one: Finished) -> None:
        if one.row.connector_id is not None and one.row.priority != Delivery.Priority.PAGE:
            remember = self.slow.add if one.result.seconds > SLOW_SECONDS else self.slow.discard
            remember(one.row.connector_id)

    def _count(self, row: Delivery, change: int) -> None:
        if row.priority == Delivery.Priority.PAGE:
            self.pages_by_kind[row.kind] += change
        elif row.connector_id is None:
            self.others_by_kind[row.kind] += change
        else:
            self.by_connector[row.connector_id] += change

    def _work(self, task: Task) -> None:
        at, row = self.clock(), task.row
        if row.connector is not None and not row.connector.enabled:  # only a page gets here: it cannot wait
            reason = f"The connector {row.connector.name} is switched off. {row.connector.off_reason}".strip()
            result = Result(outcome=Outcome.REJECTED, error_code="switched_off", detail=reason)
        else:
            result = hand_over(row.kind, task.target, task.message)
        self.done.put(Finished(row=row, at=at, result=result))


def run_due(now: datetime, limit: int = 100, *, window: timedelta = PAGE_WINDOW) -> int:
    """Send what is due, at most `limit` rows, and return how many that were once each has its result.

    While slow targets are waited for, pages that become due meanwhile are sent as well, for as long
    as `window`; what is due after that stays for the next run.
    """
    clock, taken = _clock_from(now), 0
    with Hands(clock) as hands:
        while True:
            age = clock() - now
            room = taken < limit and age < window
            tasks = claim(hands.slots(limit - taken, others=age < CLAIM_WINDOW), clock()) if room else []
            taken += len(tasks)
            hands.take(tasks)
            if not hands.in_hand:
                return taken
            finished = hands.wait(SCAN_SECONDS)
            if finished:
                record(finished, clock())


def _clock_from(now: datetime) -> Clock:
    """Return a clock that goes on from `now` in whole seconds, so that one moved by hand stays where it was put."""
    began = time.monotonic()
    return lambda: now + timedelta(seconds=int(time.monotonic() - began))


class Sender:
    """Sends what is due for as long as the process lives: begins with the first `wake`, ends with `stop`."""

    def __init__(self, clock: Clock = timezone.now) -> None:
        self.clock = clock
        self.hands = Hands(clock)
        self.stopping = threading.Event()
        self.starting = threading.Lock()
        self.thread: threading.Thread | None = None
        self.unwritten: list[Finished] = []
        self.failing = False

    def wake(self) -> None:
        """Something may be due: look at once. Cheap, from any thread."""
        with self.starting:
            if self.thread is None and not self.stopping.is_set():
                self.thread = threading.Thread(target=self._work, name="sender", daemon=True)
                self.thread.start()
        self.hands.done.put(None)

    def stop(self, timeout: float) -> bool:
        """Take nothing new, wait `timeout` seconds for what is in hand; return whether all of it was written down."""
        self.stopping.set()
        self.hands.done.put(None)
        if self.thread is None:
            return True
        self.thread.join(max(0.0, timeout))
        return not self.thread.is_alive()

    def _work(self) -> None:
        with self.hands:
            while not (self.stopping.is_set() and not self.hands.in_hand and not self.unwritten):
                self.unwritten += self.hands.wait(SCAN_SECONDS)
                try:
                    self._turn()
                except (DatabaseError, InterfaceError) as exc:
                    self._lost_database(exc)
                except Exception:
                    logger.exception("deliveries could not be claimed or recorded; tried again within a second")
                    self.stopping.wait(SCAN_SECONDS)
        connections.close_all()

    def _turn(self) -> None:
        away = self._write_down()
        while not self.stopping.is_set():
            tasks = claim(self.hands.slots(), self.clock())
            self.hands.take(tasks)
            if not tasks:
                break
        if away is not None:
            raise away
        self.failing = False

    def _write_down(self) -> Exception | None:
        """Record what is unwritten, and return why it has to wait; whatever happens, claims go on after it."""
        results, self.unwritten = self.unwritten, []
        try:
            if results:
                record(results, self.clock())
        except AWAY as exc:
            self.unwritten = results
            return exc
        except Exception:
            logger.exception("results could not be written; their leases run out and they are sent again")
        return None

    def _lost_database(self, exc: Exception) -> None:
        if not self.failing:
            logger.error("the database does not answer (%s); results are kept and written later", type(exc).__name__)
        self.failing = True
        connection.close()
        self.stopping.wait(SCAN_SECONDS / 2)

"""One writer for all request threads: events in flight are folded into one transaction and committed together.

A request thread hands over what it brought and waits for the commit; at most `WAITING` may wait. A sync to disk costs
the same for one event as for a thousand, so under load each commit carries everything that came during the one before.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from incidents import keys
from incidents.ingest import Arrival, Result, ingest
from incidents.limits import Bucket
from incidents.models import AlertSource
from incidents.sources.base import Event, FieldError, Refused, Unreadable

logger = logging.getLogger(__name__)
WAITING = 64  # parcels that may wait; one more is told to come again
FOLD_AT_MOST = 64  # parcels in one transaction
TRIES = 3  # a deadlock or a lost connection is tried again


class NotTaken(Exception):
    """Nothing of the parcel was taken. The door says it in the words of its protocol."""

    def __init__(self, detail: str, retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class UnknownKey(NotTaken):
    """No alert source has this key, or it was rotated away."""


class SwitchedOff(NotTaken):
    """The source is there and switched off."""


class OverLimit(NotTaken):
    """More events a minute than the source may send."""


class Busy(NotTaken):
    """Too much waits already, or the database cannot be reached: the sender should come again."""


class NotReadable(NotTaken):
    """The payload could not be read. It is kept with the raw events."""


@dataclass(frozen=True)
class Parcel:
    """What a request brought: the key it came with, how its payload is read once the source is known, who sent it."""

    key: str
    read: Callable[[AlertSource], Sequence[Event | Refused]]  # may raise Unreadable
    body: bytes = b""  # kept if it cannot be read
    remote_address: str | None = None
    user_agent: str = ""


@dataclass
class Handed:
    """A parcel on its way, and the answer its sender waits for."""

    parcel: Parcel
    future: "Future[list[Result]]" = field(default_factory=Future)
    counted: bool = False  # against its source's limit: once, however often it is tried


class Writer:
    """Takes parcels from any thread, commits them in groups. One for each web process."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Handed | None] = queue.Queue(maxsize=WAITING)  # None: stop
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._buckets: dict[int, Bucket] = {}

    def take(self, parcel: Parcel, *, timeout: timedelta = timedelta(seconds=25)) -> list[Result]:
        """Hand a parcel over and return what came of its events, after the commit. Raises NotTaken.

        A time-out says that the outcome is not known: the sender should come again, its dedup keys make that harmless.
        """
        self._ensure_started()
        handed = Handed(parcel)
        try:
            self._queue.put(handed, timeout=5)
            return handed.future.result(timeout.total_seconds())
        except (queue.Full, TimeoutError) as exc:
            raise Busy("Too many events are waiting. Send this again.", timedelta(seconds=5)) from exc

    def _ensure_started(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._write_on, name="event-writer", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end the thread and its database connection; the next parcel starts another."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            self._queue.put(None)
            thread.join()

    def _write_on(self) -> None:
        try:
            while gathered := self._gather():
                self.write(gathered)
        finally:
            connection.close()

    def _gather(self) -> list[Handed]:
        """Wait for a parcel, then take all that wait with it; nothing when it is time to stop."""
        gathered: list[Handed] = []
        one = self._queue.get()
        while one is not None:
            gathered.append(one)
            if len(gathered) == FOLD_AT_MOST:
                return gathered
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                return gathered
        if gathered:
            self._queue.put(None)  # stop after these
        return gathered

    def write(self, gathered: Sequence[Handed]) -> None:
        """Commit these parcels together; if that fails, each on its own, so that no parcel spoils another's."""
        now = timezone.now()
        try:
            self._write_together(gathered, now)
        except Exception as exc:  # whatever it is, every sender must get an answer
            left = [one for one in gathered if not one.future.done()]
            if len(left) > 1:
                logger.warning("writing %s parcels one by one after %s", len(left), type(exc).__name__)
                for one in left:
                    self.write([one])
            elif left:
                logger.exception("a parcel could not be written")
                refusal = Busy("The event could not be stored. Send it again.", timedelta(seconds=5))
                left[0].future.set_exception(refusal)

    def _write_together(self, gathered: Sequence[Handed], now: datetime) -> None:
        for attempt in range(TRIES):
            try:
                close_old_connections()
                arrivals = self._open_parcels(gathered, now)
                results = ingest([arrival for arrival, _ in arrivals], now=now)
                break
            except (OperationalError, InterfaceError):
                connection.close()
                if attempt + 1 == TRIES:
                    raise
        for (_, future), result in zip(arrivals, results, strict=True):
            _answer(future, result)

    def _open_parcels(self, gathered: Sequence[Handed], now: datetime) -> list[tuple[Arrival, "Future[list[Result]]"]]:
        sources = keys.sources_of({one.parcel.key for one in gathered}, now)
        opened = []
        for one in gathered:
            if one.future.done():
                continue
            try:
                opened.append((self._open(one, sources.get(one.parcel.key), now), one.future))
            except NotTaken as refusal:
                one.future.set_exception(refusal)
        return opened

    def _open(self, handed: Handed, source: AlertSource | None, now: datetime) -> Arrival:
        parcel = handed.parcel
        if source is None:
            raise UnknownKey("No alert source has this key. Copy it again from the source's page, or rotate it there.")
        if not source.enabled:
            raise SwitchedOff(f"The alert source {source.name} is switched off. Switch it on in the console.")
        try:
            events = parcel.read(source)
        except Unreadable as exc:
            self._count(handed, source, 1, now)
            _keep_unreadable(parcel, source, str(exc), now)
            raise NotReadable(str(exc)) from exc
        self._count(handed, source, len(events), now)
        return Arrival(source, events, parcel.remote_address, parcel.user_agent)

    def _count(self, handed: Handed, source: AlertSource, events: int, now: datetime) -> None:
        if not source.rate_limit or handed.counted:
            return
        handed.counted = True
        bucket = self._buckets.setdefault(source.pk, Bucket(float(source.rate_limit), now))
        wait = bucket.take(events, source.rate_limit, now)
        if wait is not None:
            raise OverLimit(
                f"{source.name} may send {source.rate_limit} events a minute. Wait, then send this again.", wait
            )


def _answer(future: "Future[list[Result]]", result: list[Result]) -> None:
    if not future.done():
        future.set_result(result)


def _keep_unreadable(parcel: Parcel, source: AlertSource, why: str, now: datetime) -> None:
    refused = Refused(
        errors=(FieldError("", "unreadable", why),), raw=parcel.body[:65_536].decode("utf-8", "backslashreplace")
    )
    try:
        ingest([Arrival(source, [refused], parcel.remote_address, parcel.user_agent)], now=now)
    except DatabaseError:
        logger.exception("an unreadable payload of source %s could not be kept", source.pk)


writer = Writer()

"""A time limit for a whole exchange: libraries limit each read, so a peer that drips bytes could hold them for ever."""

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self


class Deadline:
    """Cuts every guarded connection when the time is over. Use it as a context manager."""

    def __init__(self, span: timedelta) -> None:
        self.ends = time.monotonic() + span.total_seconds()
        self.over = False
        self._lock = threading.Lock()
        self._guarded: list[socket.socket] = []
        self._timer = threading.Timer(span.total_seconds(), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            for twin in self._guarded:
                twin.close()
            self._guarded = []

    @property
    def seconds_left(self) -> float:
        """How long there still is. Raises TimeoutError when it is over."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("no time left")
        return left

    def connect(self, addresses: Sequence[str], port: int) -> socket.socket:
        """Return a guarded connection to the first address that answers. Raises OSError, TimeoutError."""
        failure: OSError = OSError("no address")
        for address in addresses:
            try:
                connection = socket.create_connection((address, port), timeout=self.seconds_left)
            except OSError as exc:
                failure = exc
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small messages leave at once
                return self._guard(connection)
        raise failure

    def _guard(self, connection: socket.socket) -> socket.socket:
        twin = connection.dup()  # the same connection, also once TLS is wrapped around the other
        with self._lock:
            self._guarded.append(twin)
            if self.over:
                self._shut(twin)
        return connection

    def _cut(self) -> None:
        with self._lock:
            self.over = True
            for twin in self._guarded:
                self._shut(twin)

    @staticmethod
    def _shut(twin: socket.socket) -> None:
        with contextlib.suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)

"""HTTP servers that note when the first byte of each request came, and then take their time."""

import re
import socket
import socketserver
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

TOKEN = re.compile(rb"bench-[a-z]+-\d+")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Sink(socketserver.ThreadingTCPServer):
    """Remembers for each token (`bench-word-number` anywhere in a request) when it was first heard of."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, delay_seconds: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Reader)
        self.delay_seconds = delay_seconds
        self.heard: dict[str, float] = {}  # token: time.perf_counter() at its first byte
        self.requests = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def note(self, data: bytes, at: float) -> None:
        with self._lock:
            self.requests += 1
            for token in set(TOKEN.findall(data)):
                self.heard.setdefault(token.decode(), at)

    def wait_for(self, tokens: Collection[str], seconds: float) -> set[str]:
        """Wait until all these were heard; return those that were not in time."""
        until = time.monotonic() + seconds
        while (missing := set(tokens) - self.heard.keys()) and time.monotonic() < until:
            time.sleep(0.05)
        return missing


class _Reader(socketserver.BaseRequestHandler):
    server: Sink
    request: socket.socket

    def handle(self) -> None:
        while data := self.request.recv(65_536):
            at = time.perf_counter()
            self.server.note(self._whole(data), at)
            time.sleep(self.server.delay_seconds)
            self.request.sendall(ANSWER)

    def _whole(self, data: bytes) -> bytes:
        while b"\r\n\r\n" not in data:
            data += self.request.recv(65_536)
        head = data.partition(b"\r\n\r\n")[0]
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        while len(data) < len(head) + 4 + length:
            data += self.request.recv(65_536)
        return data


@contextmanager
def listening(delay_seconds: float = 0.0) -> Iterator[Sink]:
    """Serve on loopback while the block runs."""
    with Sink(delay_seconds) as sink:
        threading.Thread(target=sink.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield sink
        finally:
            sink.shutdown()

"""The lightest client that keeps many connections busy: one thread, raw sockets, requests made beforehand."""

import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

END = b"\r\n\r\n"


@dataclass
class Load:
    """What a run measured."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)  # seconds from the request to its whole answer

    def rate(self, status: int = 202) -> float:
        """Answers of one status a second."""
        return self.statuses[status] / self.seconds


def request(path: str, key: str, body: bytes) -> bytes:
    """Return the bytes of a POST of JSON with a source's key."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection:
    """One kept-alive connection with one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.answer = b""

    def send(self, data: bytes) -> None:
        self.answer = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(data)

    def receive(self) -> int | None:
        """Read what is there; return the status once the answer is whole. Raises ConnectionError if it was closed."""
        piece = self.socket.recv(262_144)
        if not piece:
            raise ConnectionError("the server closed a connection under way")
        self.answer += piece
        head, found, body = self.answer.partition(END)
        if not found:
            return None
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        return int(head[9:12]) if len(body) >= length else None


def drive(port: int, requests: Iterator[bytes], concurrency: int, seconds: float) -> Load:
    """Keep `concurrency` connections busy for `seconds`, each with one request at a time, and count the answers."""
    load, poll = Load(), select.epoll()
    connections = [_Connection(port) for _ in range(concurrency)]
    by_file = {one.socket.fileno(): one for one in connections}
    for one in connections:
        poll.register(one.socket, select.EPOLLIN)
    began = time.perf_counter()
    until = began + seconds
    for one in connections:
        one.send(next(requests))
    under_way = concurrency
    while under_way:
        for file, _ in poll.poll(30):
            one = by_file[file]
            status = one.receive()
            if status is None:
                continue
            now = time.perf_counter()
            load.statuses[status] += 1
            load.waits.append(now - one.sent_at)
            if now < until:
                one.send(next(requests))
            else:
                under_way -= 1
    load.seconds = time.perf_counter() - began
    for one in connections:
        one.socket.close()
    return load


def paced(count: int, per_second: float, send: Callable[[int], None]) -> None:
    """Call `send` with 0, 1, 2... at an even pace; a slow call delays no later one by more than itself."""
    began = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, began + number / per_second - time.perf_counter()))
        send(number)


def percentile(values: list[float], percent: float) -> float:
    """Return the value below which so many percent lie; the largest for 100."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

"""Small real servers on loopback that record what reaches them: HTTP, HTTPS and SMTP. Loaded with `-p tests.sinks`."""

import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pytest_django.fixtures import Settings


@dataclass(frozen=True)
class Reply:
    """What the HTTP sink answers. `fault`: reset (breaks off), drip (a byte now and then), endless (a body)."""

    status: int = 200
    body: bytes | str | dict[str, Any] = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    hold: threading.Event | None = None  # answers only once this is set


@dataclass(frozen=True)
class Received:
    """One request, its header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float  # time.monotonic()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class HttpSink:
    """Answers what `script` says, one reply a request, then `default` for ever."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.default = Reply()
        self.requests: list[Received] = []
        self.replies: deque[Reply] = deque()
        self.by_path: dict[str, Reply] = {}
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.server = _Server(self, tls)
        self.scheme = "https" if tls else "http"
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def script(self, *replies: Reply | int) -> None:
        """Answer these next, in order; a number is a status."""
        self.replies.extend(Reply(status=one) if isinstance(one, int) else one for one in replies)

    def take(self, received: Received) -> Reply:
        with self.changed:
            self.requests.append(received)
            self.changed.notify_all()
            if received.path in self.by_path:
                return self.by_path[received.path]
            return self.replies.popleft() if self.replies else self.default

    def wait_for(self, count: int, seconds: float = 10, *, path: str = "") -> list[Received]:
        """Return the requests, or those to one path, once there are so many."""
        found: list[Received] = []

        def enough() -> bool:
            found[:] = [one for one in self.requests if not path or one.path == path]
            return len(found) >= count

        with self.changed:
            if not self.changed.wait_for(enough, seconds):
                raise AssertionError(f"{len(found)} of {count} requests arrived in {seconds} s")
        return found

    def stop(self) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sink: HttpSink, tls: ssl.SSLContext | None) -> None:
        self.sink = sink
        self.tls = tls
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls:
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                return
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client went away: that is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        sink = self.server.sink
        reply = sink.take(Received(self.command, self.path, headers, body, time.monotonic()))
        while reply.hold is not None and not reply.hold.wait(0.05) and not sink.stopping.is_set():
            pass
        if reply.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        if reply.fault == "drip":
            self._drip()
            return
        self._reply(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815

    def _reply(self, reply: Reply) -> None:
        content = json.dumps(reply.body) if isinstance(reply.body, dict) else reply.body
        written = content.encode() if isinstance(content, str) else content
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.fault != "endless":
            self.send_header("Content-Length", str(len(written)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(written)
        while reply.fault == "endless" and not self.server.sink.stopping.is_set():
            self.wfile.write(b"x" * 8192)

    def _drip(self) -> None:
        for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100_000:
            if self.server.sink.stopping.wait(0.02):
                return
            self.wfile.write(bytes([letter]))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""


@dataclass(frozen=True)
class Letter:
    """One mail that was taken."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        found = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        part = self.parsed.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def html(self) -> str:
        part = self.parsed.get_body(("html",))
        assert part is not None
        return str(part.get_content())


class SmtpSink:
    """Takes every mail, unless `answers` has a reply for a stage: rcpt, data. `hold` delays the answer to DATA."""

    def __init__(self, **options: Any) -> None:
        self.letters: list[Letter] = []
        self.answers: dict[str, deque[str]] = {"mail": deque(), "rcpt": deque(), "data": deque()}
        self.hold: threading.Event | None = None
        self.changed = threading.Condition()
        authenticator = _Login() if options.pop("login", False) else None
        self.controller = Controller(
            self, hostname="127.0.0.1", port=_free_port(), authenticator=authenticator, **options
        )
        self.controller.start()
        self.port = self.controller.port

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def refuse(self, stage: str, *answers: str) -> None:
        """Answer these next at "rcpt" or "data", such as "550 5.1.1 nobody of that name"."""
        self.answers[stage].extend(answers)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: list[str]) -> str:  # noqa: N802
        if self.answers["rcpt"]:
            return self.answers["rcpt"].popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: list[str]) -> str:  # noqa: N802
        if self.answers["mail"]:
            return self.answers["mail"].popleft()
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers["data"]:
            return self.answers["data"].popleft()
        content = envelope.original_content or b""
        with self.changed:
            self.letters.append(Letter(envelope.mail_from or "", list(envelope.rcpt_tos), content))
            self.changed.notify_all()
        if self.hold is not None:
            await server.loop.run_in_executor(None, self.hold.wait, 30)
        return "250 2.0.0 queued"

    def wait_for(self, count: int, seconds: float = 10) -> list[Letter]:
        """Return the mails once there are so many."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.letters) >= count, seconds):
                raise AssertionError(f"{len(self.letters)} of {count} mails arrived in {seconds} s")
            return list(self.letters)

    def stop(self) -> None:
        if self.hold is not None:
            self.hold.set()
        self.controller.stop()


class _Login:
    """Believes "tocsin" with "let-me-in"."""

    def __call__(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (b"tocsin", b"let-me-in")
        return AuthResult(success=right, handled=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def http_sink() -> Iterator[HttpSink]:
    """An HTTP server that records requests and answers 200 unless told otherwise."""
    sink = HttpSink()
    yield sink
    sink.stop()


@pytest.fixture
def smtp_sink(settings: Settings) -> Iterator[SmtpSink]:
    """A mail server that records mails; EMAIL_URL names it."""
    sink = SmtpSink()
    settings.EMAIL_URL = sink.url
    yield sink
    sink.stop()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts until TOCSIN_CA_BUNDLE names it."""
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate as a PEM file."""
    path: Path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """TLS of a server called localhost (and 127.0.0.1)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def https_sink(server_tls: ssl.SSLContext) -> Iterator[HttpSink]:
    """The HTTP sink over TLS."""
    sink = HttpSink(server_tls)
    yield sink
    sink.stop()

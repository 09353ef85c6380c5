"""The outbound heartbeat: called while all is well, silent when it is not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pytest_django import Settings

from config import health
from destinations import heartbeat
from tests.conftest import Clock

pytestmark = pytest.mark.django_db


class Watchdog(HTTPServer):
    calls: list[str]


class Answers(BaseHTTPRequestHandler):
    server: Watchdog

    def do_GET(self) -> None:
        self.server.calls.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def watchdog(settings: Settings) -> Iterator[Watchdog]:
    server = Watchdog(("127.0.0.1", 0), Answers)
    server.calls = []
    settings.HEARTBEAT_URL = f"http://127.0.0.1:{server.server_port}/ping/key"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_it_calls_while_the_engine_is_well(watchdog: Watchdog, clock: Clock) -> None:
    health.beat(clock.now, 1)
    assert heartbeat.run_due(clock.advance(seconds=20), 1) == 1
    assert watchdog.calls == ["/ping/key"]


def test_it_is_silent_when_the_engine_lags(watchdog: Watchdog, clock: Clock) -> None:
    health.beat(clock.now, 1)
    assert heartbeat.run_due(clock.advance(minutes=2), 1) == 0
    assert watchdog.calls == []


def test_without_an_address_nothing_happens(clock: Clock) -> None:
    assert heartbeat.run_due(clock.now, 1) == 0


def test_a_refusal_of_the_other_side_is_only_logged(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HEARTBEAT_URL = "http://127.0.0.1:1/very-secret"
    health.beat(clock.now, 1)
    assert heartbeat.run_due(clock.now, 1) == 1
    assert "heartbeat not taken" in caplog.text
    assert "very-secret" not in caplog.text

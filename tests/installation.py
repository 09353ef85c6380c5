"""A whole installation in processes of its own, driven from outside: environment in, HTTP in and out."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "test-installation-admin-token"
PASSWORD = "test-installation-password"
START_SECONDS = 90
STOP_SECONDS = 30


class Refusal(AssertionError):
    """The installation answered with an error where none was wanted."""


@dataclass(frozen=True)
class Source:
    """An alert source and the key that opens it."""

    id: str
    name: str
    key: str


@dataclass(frozen=True)
class Installation:
    """A running `manage.py up`, and its REST as its admin."""

    port: int
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: object) -> Any:
        return self.call("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        return self.call("PATCH", path, body)

    def call(self, method: str, path: str, body: object = None, token: str = TOKEN) -> Any:
        """Return what is answered as JSON. Raises Refusal with the answer's text on 4xx and 5xx."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as exc:
            raise Refusal(f"{method} {path}: {exc.code} {exc.read().decode(errors='replace')[:2000]}") from exc
        return json.loads(text) if text else None

    def send(self, source: Source, event: object) -> list[dict[str, Any]]:
        """Send native events by a source's key; return what came of each."""
        results: list[dict[str, Any]] = self.call("POST", "/api/v1/events", event, token=source.key)["results"]
        return results

    def add_source(self, name: str, **fields: object) -> Source:
        made = self.post("/api/v1/alert-sources/", {"name": name, "kind": "events", **fields})
        return Source(made["id"], name, made["key"])

    def add_person(self, username: str, kind: str, address: str) -> None:
        """Make a user with one contact method that an admin vouches for; the default rules come with it."""
        person = {"username": username, "name": username.title(), "email": f"{username}@example.org"}
        self.post("/api/v1/users/", person | {"roles": ["responder"]})
        method = self.post("/api/v1/contact-methods/", {"user": username, "kind": kind, "address": address})
        self.post(f"/api/v1/contact-methods/{method['id']}/verify/", {"vouch": True})

    def add_policy(self, name: str, username: str) -> None:
        step = {"targets": [{"user": username}], "delay_minutes": 30}
        self.post("/api/v1/escalation-policies/", {"name": name, "repeat": 0, "steps": [step]})

    def add_webhook(self, name: str, url: str, source: Source, events: list[str]) -> str:
        """Make a webhook connector and bind it to a source; return its id."""
        made = self.post("/api/v1/connectors/", {"name": name, "kind": "webhook", "config": {"url": url}})
        self.post("/api/v1/connections/", {"connector": name, "alert_source": source.name, "events": events})
        return str(made["id"])

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


@contextmanager
def running(env: Mapping[str, str], log: Path) -> Iterator[Installation]:
    """Start `manage.py up` in this environment (PORT and TOCSIN_DATA_DIR are needed), wait until it is ready, end it.

    Raises RuntimeError with the end of its log if it does not become ready.
    """
    full = {"TOCSIN_ADMIN_TOKEN": TOKEN, "TOCSIN_ADMIN_PASSWORD": PASSWORD, "TOCSIN_ALLOW_PRIVATE_ADDRESSES": "true"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env={**os.environ, **full, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    made = Installation(int(env["PORT"]), log, process)
    try:
        _wait_until_ready(made)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait_until_ready(made: Installation) -> None:
    deadline = time.monotonic() + START_SECONDS
    reason = ""
    while time.monotonic() < deadline and made.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{made.url}/readyz", timeout=5):
                return
        except OSError as exc:  # not listening yet, or 503: the engine has not ticked
            reason = str(exc)
            time.sleep(0.1)
    raise RuntimeError(f"the installation does not become ready ({reason}):\n{made.tail()}")

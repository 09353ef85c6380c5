"""Real processes of an installation: started in a session of their own, watched, and ended for certain."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 90.0  # for a start on a busy machine


class Tree:
    """A command and all its children."""

    def __init__(self, env: dict[str, str], *words: str) -> None:
        self.port = env.get("PORT", "")
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive():
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    @property
    def text(self) -> str:
        """Everything it has printed."""
        return "\n".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def alive(self) -> list[int]:
        """Return the processes of its session that still run."""
        return [pid for pid, session, state, _ in processes() if session == self.process.pid and state != "Z"]

    def pid_of(self, *words: str) -> int | None:
        """Return the youngest of its processes whose command line holds all these words."""
        own = self.alive()
        found = [pid for pid, _, _, command in processes() if pid in own and all(word in command for word in words)]
        return max(found, default=None)

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a GET; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> dict[str, Any]:
        """Wait for /readyz to answer 200 and return what it says."""
        self.until(lambda: self.get("/readyz")[0] == 200)
        facts: dict[str, Any] = json.loads(self.get("/readyz")[1])
        return facts

    def until(self, done: Callable[[], Any]) -> Any:
        """Wait for something to be true and return it."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while not (found := done()):
            assert self.process.poll() is None, self.text
            assert time.monotonic() < limit, self.text
            threading.Event().wait(0.05)
        return found

    def end(self, number: int = signal.SIGTERM, *, group: bool = False) -> float:
        """Send a signal to it or to the whole group; return how many seconds passed until nothing of it ran."""
        began = time.monotonic()
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.wait(PATIENCE_SECONDS)
        while self.alive():
            assert time.monotonic() - began < PATIENCE_SECONDS
            threading.Event().wait(0.02)
        self.reader.join(5)
        return time.monotonic() - began


def processes() -> list[tuple[int, int, str, str]]:
    """Return (pid, session, state, command line) of every process (proc(5))."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, *numbers = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        found.append((int(folder.name), int(numbers[2]), state, command))
    return found

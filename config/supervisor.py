"""The process tree: web and engine under one parent that restarts what dies and ends both when it is told to stop.

Started by `manage.py up` in its own place as `python -m config.supervisor JSON`. It loads neither Django nor the
settings: a parent that only waits should cost no memory.
"""

import ctypes
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

logger = logging.getLogger("config.supervisor")

GRACE_SECONDS = 24.0  # from the signal to stop until whatever is left is killed
STEADY_SECONDS = 10.0  # a part that lived this long is restarted at once when it dies
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # before a part that keeps dying is tried again
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def follow_parent() -> None:
    """Let the kernel (Linux) send this process SIGTERM when its parent is gone: a killed one leaves no orphan."""
    if hasattr(_libc, "prctl"):
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Part:
    """One child of the tree."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0  # monotonic
    again_at: float = 0.0  # monotonic: when it is started (again)
    deaths: int = 0  # in a row, without having been steady
    parent: int = field(default_factory=os.getpid)

    def start(self) -> None:
        """Start it, tied to this process's life."""
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            preexec_fn=self._tie,  # noqa: PLW1509 - there are no threads here
        )

    def _tie(self) -> None:
        follow_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent tells the parts
        if os.getppid() != self.parent:  # it died before the tie was made
            os._exit(1)

    def check(self, now: float) -> None:
        """Start it if its time has come; if it died, say so and set the time."""
        if self.process is None:
            if now >= self.again_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        self.process = None
        self.deaths = 1 if now - self.began > STEADY_SECONDS else self.deaths + 1
        pause = PAUSES_SECONDS[min(self.deaths, len(PAUSES_SECONDS)) - 1]
        self.again_at = now + pause
        logger.error("%s ended with %s; it is started again in %.1f s", self.name, code, pause)


class Supervisor:
    """Keeps its parts running until SIGTERM or SIGINT."""

    def __init__(self, parts: list[Part], ready: tuple[str, int], banner: str) -> None:
        self.parts = parts
        self.ready = ready
        self.banner = banner
        self.stopping = False

    def stop(self, *_: int | FrameType | None) -> None:
        """End the tree; whatever ends from now on stays ended."""
        self.stopping = True

    def run(self) -> int:
        """Run until stopped; return the exit code: 0 when every part ended by itself."""
        news, writer = socket.socketpair()
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # so that a death is news
        told = False
        while not self.stopping:
            for part in self.parts:
                part.check(time.monotonic())
            if not told and self._answers():
                told = True
                print(self.banner, flush=True)
            if select.select([news], [], [], 0.5 if told else 0.05)[0]:
                news.recv(1000)
        return self._end()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(
                self.ready, 0.5
            ) as probe:  # the port is open before the application is loaded
                probe.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return b" 200 " in probe.recv(100)
        except OSError:
            return False

    def _end(self) -> int:
        alive = [part.process for part in self.parts if part.process and part.process.poll() is None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + GRACE_SECONDS
        for process in alive:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("process %s does not end by itself and is killed; its work is found again", process.pid)
                process.kill()
                process.wait()
        print("Tocsin has stopped.", flush=True)
        return 0


def main(plan: dict[str, Any]) -> int:
    """Run the parts of a plan: {"parts": {name: command}, "ready": [host, port], "banner": text}."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    parts = [Part(name, command) for name, command in plan["parts"].items()]
    host, port = plan["ready"]
    return Supervisor(parts, (host, port), plan["banner"]).run()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))

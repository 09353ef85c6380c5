"""Lives of the engine that end by SIGKILL at a chosen step. A process of its own loads Django once and forks each."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = "import django; django.setup(); from tests.scenarios import lives; lives.main()"


@dataclass(frozen=True)
class Life:
    """How a life went."""

    killed: bool
    steps: int  # how many it took, as far as it told
    now: datetime  # where its clock stood


class Mortal:
    """Orders lives. `fuse` is the number of the step before which the life is killed; 0: it ends by itself."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**env, "DJANGO_SETTINGS_MODULE": "config.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Mortal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=30)

    def night(self, now: datetime, end: datetime, *, fuse: int = 0, restart: bool = False) -> Life:
        """Do what is due from `now` to `end` by a clock that jumps from one due instant to the next.

        `restart`: begin as the embedded engine does, by freeing the leases of dead processes.
        """
        return self._order(do="night", now=now.isoformat(), end=end.isoformat(), fuse=fuse, restart=restart)

    def engine(self, seconds: float, *, fuse: int = 0) -> Life:
        """Run the embedded engine itself, by the real clock, and stop it after so long."""
        return self._order(do="engine", seconds=seconds, fuse=fuse)

    def worker(self, seconds: float, *, fuse: int = 0) -> Life:
        """Run a Celery worker itself, and stop it so long after it was ready. Its sending leases last two seconds."""
        return self._order(do="worker", seconds=seconds, fuse=fuse)

    def _order(self, **words: object) -> Life:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        assert told["code"] in {0, -signal.SIGKILL}, told
        return Life(told["code"] < 0, told["steps"], datetime.fromisoformat(told["now"]))

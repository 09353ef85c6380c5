"""The web server: granian, WSGI, with threads enough for the events that may wait for the one writer."""

import os
import signal
import sys

from django.conf import settings

from config.supervisor import follow_parent

SERVED = "TOCSIN_SERVED"  # marks the processes that `command` starts
REQUEST_GRACE_SECONDS = 20  # for requests under way when it is told to stop


def command() -> list[str]:
    """Return the command line that serves this installation on settings.HOST and settings.PORT."""
    options = {
        "--interface": "wsgi",
        "--host": settings.HOST,
        "--port": settings.PORT,
        "--workers": settings.WEB_WORKERS,
        "--blocking-threads": settings.WEB_THREADS,  # started when needed; an idle one ends, and its connection with it
        "--workers-kill-timeout": REQUEST_GRACE_SECONDS,
        "--log-level": "error",
    }
    words = [str(word) for pair in options.items() for word in pair]
    return [sys.executable, "-m", "granian", *words, "--no-ws", "--respawn-failed-workers", "config.wsgi:application"]


def environment() -> dict[str, str]:
    """Return the environment to serve in: on PostgreSQL, the threads share a few connections."""
    return {"TOCSIN_DATABASE_POOL": "16", "DJANGO_SETTINGS_MODULE": "config.settings", **os.environ, SERVED: "1"}


def begin_worker() -> None:
    """Make a worker of this server die with its parent, and at once when told to stop while it still loads.

    Until it has loaded it has its parent's signal handler, which would swallow the signal.
    """
    if SERVED in os.environ:
        follow_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

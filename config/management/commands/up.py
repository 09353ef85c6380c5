"""`manage.py up`: everything in one process tree, with nothing else installed."""

import json
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, call_command
from django.db import connections

from config import preparation, web

BROKER = ("CELERY_BROKER_URL", "CELERY_BROKER_URL_FILE")


class Command(BaseCommand):
    """Prepares the database, then becomes the parent of web server and engine."""

    help = "Run Tocsin on this machine: web server and engine in one process tree. Ctrl-C stops it."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, prepare, say how to come in, start."""
        preparation.claim_folder()
        preparation.check_port(settings.HOST, settings.PORT)
        call_command("prepare", stdout=self.stdout)
        connections.close_all()
        plan = {
            "parts": {"web": web.command(), "engine": [sys.executable, sys.argv[0], "engine"]},
            "ready": [settings.HOST if settings.HOST not in {"0.0.0.0", "::"} else "127.0.0.1", settings.PORT],  # noqa: S104
            "banner": f"Tocsin is ready: open {settings.PUBLIC_URL}/ (Ctrl-C stops it)",
        }
        self.stdout.flush()
        environment = {name: value for name, value in web.environment().items() if name not in BROKER}
        command = [sys.executable, "-m", "config.supervisor", json.dumps(plan)]
        os.execve(sys.executable, command, {**environment, "PYTHONPATH": str(settings.BASE_DIR)})  # noqa: S606

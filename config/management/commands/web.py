"""`manage.py web`: the web server alone, for production beside Celery's workers and beat."""

import os
import sys
from typing import Any

from django.core.management import BaseCommand

from config import web


class Command(BaseCommand):
    """Becomes the web server: the process keeps its number and gets its signals."""

    help = "Run the web server alone. `manage.py up` runs it together with the engine."

    def handle(self, *args: Any, **options: Any) -> None:
        """Replace this process."""
        sys.stdout.flush()
        os.execve(sys.executable, web.command(), web.environment())  # noqa: S606

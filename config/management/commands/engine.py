"""`manage.py engine`: the embedded engine alone. `manage.py up` starts and minds it."""

from typing import Any

from django.core.management import BaseCommand

from config import loop


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT."""

    help = "Run the embedded engine: escalation, deliveries and every other job. `manage.py up` does this for you."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop."""
        loop.main()

"""`manage.py connector test NAME`: one real message to a connector, and its real answer."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from destinations import connectors
from destinations.base import Outcome
from destinations.models import Connector

SEVERITIES = ("critical", "error", "warning", "info")


class Command(BaseCommand):
    """Exit code 0 if the target took it, 1 if not."""

    help = "Send a test message through a connector and print what the target answered."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the verb and a name."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        test = verbs.add_parser("test", help="send one [Test message]")
        test.add_argument("name", help="the connector's name")
        test.add_argument("--severity", choices=SEVERITIES, default="info")
        test.add_argument("--resolve", action="store_true", help="resolve it at the other side afterwards")

    def handle(self, *args: Any, **options: Any) -> None:
        """Send and tell. Raises CommandError if there is no such connector, or it did not take the message."""
        connector = Connector.objects.filter(name=options["name"]).first()
        if connector is None:
            known = ", ".join(Connector.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(f"There is no connector called {options['name']!r}. There are: {known}.")
        result = connectors.try_out(
            connector, severity=options["severity"], resolve=options["resolve"], now=timezone.now()
        )
        status = f" {result.status}" if result.status else ""
        self.stdout.write(f"{connector.name}: {result.outcome}{status} in {result.seconds:.2f} s")
        for text in (result.detail, result.answer):
            if text:
                self.stdout.write(f"  {text}")
        if result.outcome is not Outcome.SENT:
            raise CommandError("The target did not take it. Mend what it says above, then test again.")

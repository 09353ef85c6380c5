"""`manage.py demo`: a believable team with three months behind it, to look around in. `--remove` takes it away."""

from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config import preparation
from config.problems import Problem
from incidents.demo import filling, removal

HELP = """\
Put in a believable team (8 people, 2 schedules, 3 escalation policies, 4 alert
sources, 3 alert destinations) with three months of incidents, to look around in.

Nothing of it is sent and nobody is woken: its past is written as settled, its
open incidents are at rest, its people have addresses at example.com and no
password, and its destinations are switched off. What you yourself do with it is
real: escalate one of its incidents, and a mail to example.com is tried.

All names end in "(demo)" or ".demo". A second run adds only what is missing.
"""


class Command(BaseCommand):
    """Prints how far it is. Harmless while Tocsin runs."""

    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Keep the lines of the help as they are."""
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Take --remove."""
        parser.add_argument("--remove", action="store_true", help="take exactly that away again, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Put it in or take it out. Raises CommandError with what to do."""
        preparation.check_database()
        if preparation.missing_migrations():
            raise CommandError("The database has no tables yet, or old ones. Run manage.py prepare first.")
        if options["remove"]:
            self._remove()
        else:
            self._fill()

    def _fill(self) -> None:
        try:
            added = filling.fill(timezone.now(), self._progress)
        except Problem as exc:
            raise CommandError(f"{exc}\nThe demo needs that name. Rename yours, then run demo again.") from exc
        if added:
            self.stdout.write("The demo is in. Take it away again with: manage.py demo --remove")
        else:
            self.stdout.write("The demo was in already; nothing was added.")

    def _progress(self, done: int, of: int) -> None:
        self.stdout.write(f"{done:>4} of {of} incidents")
        self.stdout.flush()

    def _remove(self) -> None:
        removed, kept = removal.remove()
        self.stdout.write(f"The demo is gone: {removed} rows." if removed else "There was nothing to remove.")
        if kept:
            self.stdout.write("This stays, because things of your own refer to it:")
            for one in kept:
                self.stdout.write(f"  {one}")
            self.stdout.write("Let go of it there, then run demo --remove again.")

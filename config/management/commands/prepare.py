"""`manage.py prepare`: tables, jobs, roles and the first admin. Run it before the processes of a new version start."""

from typing import Any

from django.core.management import BaseCommand, call_command

from config import preparation


class Command(BaseCommand):
    """Can be run again at any time, by several machines at once; changes nothing that stands already."""

    help = "Bring the database up to date and make what a first start needs."
    requires_system_checks: list[str] = []  # they may look at tables that are not there yet

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say what was done."""
        preparation.check_database()
        count = preparation.migrate()
        if count:
            self.stdout.write(f"The database is up to date ({count} migrations).")
        call_command("firststart", stdout=self.stdout)

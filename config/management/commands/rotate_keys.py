"""`manage.py rotate_keys`: every stored secret under the newest of TOCSIN_FIELD_KEYS, so that the older ones may go."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from config import preparation, rekeying


class Command(BaseCommand):
    """Can be run again at any time."""

    help = "Encrypt every stored secret anew under the first key of TOCSIN_FIELD_KEYS. Then the others may be dropped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and say how many. Raises CommandError with what to do."""
        preparation.check_database()
        try:
            count = rekeying.rekey()
        except ImproperlyConfigured as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"{count} secrets are encrypted under the first key now; the other keys can be dropped.")

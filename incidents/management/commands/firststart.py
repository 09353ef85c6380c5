"""`manage.py firststart`: the first admin, the roles, the first alert source. `manage.py prepare` runs it."""

import json
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from config.problems import Problem
from incidents import setup as incidents_setup
from oncall import setup as oncall_setup


class Command(BaseCommand):
    """Harmless at any time; what exists is not touched, but the preset token is set again."""

    help = "Make what a fresh installation needs, and say how to come in."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, and print what is shown only once."""
        try:
            password = oncall_setup.first_admin(settings.ADMIN_PASSWORD, settings.ADMIN_TOKEN)
        except Problem as exc:
            raise CommandError("TOCSIN_ADMIN_TOKEN must be 20 or more printable characters. Choose another.") from exc
        key = incidents_setup.first_sources()
        self.stdout.write(f"Address:  {settings.PUBLIC_URL}/")
        self.stdout.write(f"Sign in:  {oncall_setup.FIRST_ADMIN}, {_password_in_words(password)}")
        if key is not None:
            self.stdout.write(f"A first incident (the key is shown this once):\n  {curl(settings.PUBLIC_URL, key)}")


def _password_in_words(made: str | None) -> str:
    if made is not None:
        return f"password {made} (shown this once)"
    if settings.ADMIN_PASSWORD:
        return "with the password of the first start (TOCSIN_ADMIN_PASSWORD was given)"
    return "with the password of the first start (lost it? manage.py changepassword admin)"


def curl(public_url: str, key: str) -> str:
    """Return a line for the shell that raises an incident."""
    event = json.dumps({"title": "My first incident", "severity": "critical", "dedup_key": "first"})
    return (
        f"curl -sS {public_url}/api/v1/events -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{event}'"
    )

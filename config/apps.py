"""What has to be loaded before the first request."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from config.celery import app


class ConsoleConfig(AdminConfig):
    """The console: Django's admin with our own site."""

    default_site = "config.console.ConsoleSite"


class ConfigConfig(AppConfig):
    """What all floors stand on."""

    name = "config"

    def ready(self) -> None:
        """Let everything that sends a task, the console's too, use our broker and not Celery's default."""
        app.set_default()

"""What has to be loaded before the first request."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """The console: Django's admin with our own site."""

    default_site = "config.console.ConsoleSite"


class ConfigConfig(AppConfig):
    """What all floors stand on."""

    name = "config"

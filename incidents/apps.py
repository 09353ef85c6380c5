"""What has to be loaded before the first request."""

from importlib import import_module

from django.apps import AppConfig

from incidents.sources.base import load_kinds


class IncidentsConfig(AppConfig):
    """WHAT is wrong."""

    name = "incidents"

    def ready(self) -> None:
        """Find the alert source kinds, and hook into the floors below."""
        load_kinds()
        import_module(
            "incidents.hooks"
        ).connect()  # by name: it needs the models, which are not there when this is read

"""What has to be loaded before the first request."""

from django.apps import AppConfig

from incidents.sources.base import load_kinds


class IncidentsConfig(AppConfig):
    """WHAT is wrong."""

    name = "incidents"

    def ready(self) -> None:
        """Find the alert source kinds."""
        load_kinds()

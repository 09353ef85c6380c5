"""What has to be loaded before the first request."""

from django.apps import AppConfig

from destinations.base import load_kinds


class DestinationsConfig(AppConfig):
    """HOW people and systems are told."""

    name = "destinations"

    def ready(self) -> None:
        """Find the destination kinds."""
        load_kinds()

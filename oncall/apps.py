"""What has to be loaded before the first request."""

from django.apps import AppConfig


class OncallConfig(AppConfig):
    """WHO must know."""

    name = "oncall"

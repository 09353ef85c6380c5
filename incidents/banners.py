"""What stands across every page until it is mended: an engine that lags, connectors that switched themselves off."""

from collections.abc import Iterable
from datetime import datetime

from django.db import DatabaseError
from django.urls import NoReverseMatch, reverse

from config import access, health
from config.console import Banner, may
from destinations.models import Connector
from oncall.models import User


def banners(user: User, now: datetime) -> list[Banner]:
    """Return the banners for this person; whoever may not see a connector is not told of it."""
    try:
        lag = health.lag(now)
    except DatabaseError:
        lag = "The database does not answer."
    found = [Banner(lag)] if lag else []
    if may(user, "destinations.view_connector"):
        off = Connector.objects.filter(enabled=False, off=Connector.Off.FAILURES)
        found += _switched_off(access.visible(user, off))
    return found


def _switched_off(connectors: Iterable[Connector]) -> list[Banner]:
    return [
        Banner(
            f"{connector.name} switched itself off: nothing is sent to it. {connector.off_reason}",
            _address("console-destination", connector.uuid) or _address("console-destinations"),
            "Mend it",
        )
        for connector in connectors
    ]


def _address(route: str, *words: object) -> str:
    try:
        return reverse(route, args=words)
    except NoReverseMatch:
        return ""

"""The native event: what `POST /api/v1/events` takes."""

from collections.abc import Mapping

from incidents.sources.base import Event, Refused, Settings, register


@register("events", label="Event API", path="/api/v1/events")
def parse(body: bytes, headers: Mapping[str, str], settings: Settings) -> list[Event | Refused]:
    """Placeholder until the parser stands."""
    return []

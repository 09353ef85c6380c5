"""`/metrics` in Prometheus's text format, read from the database: all processes show the same."""

import ipaddress
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from config import health
from config.access import HasScopedPermission

COUNTS = "incidents.gauges.counts"  # () -> {"deliveries": {state: rows}, "open_incidents": {status: rows}}
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class Installation(Collector):
    """Everything that is worth an alarm, at an instant."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def collect(self) -> Iterator[Metric]:
        """Yield one family after another."""
        state = health.state(self.now)
        yield _one("tocsin_info", "The version that runs", {settings.VERSION: 1}, "version")
        yield _one("tocsin_ready", "1 if nothing is wrong, as /readyz says", int(not state.reasons()))
        if state.tick_age is not None:
            yield _one(
                "tocsin_tick_age_seconds", "Since the engine's last sign of life", state.tick_age.total_seconds()
            )
        difference = state.clock_difference.total_seconds()
        yield _one("tocsin_clock_difference_seconds", "The engine's clock minus the database's", difference)
        rows = {name: waiting.rows for name, waiting in state.due.items()}
        yield _one("tocsin_due_rows", "Rows that are due and not taken yet", rows, "what")
        ages = {name: waiting.age(self.now).total_seconds() for name, waiting in state.due.items()}
        yield _one("tocsin_oldest_due_seconds", "For how long the oldest due row waits", ages, "what")
        counts = import_string(COUNTS)()
        yield _one("tocsin_deliveries", "Deliveries that are kept, by state", counts["deliveries"], "state")
        yield _one("tocsin_open_incidents", "Open incidents, by status", counts["open_incidents"], "status")


def _one(name: str, about: str, value: float | Mapping[str, float], label: str = "") -> Metric:
    family = GaugeMetricFamily(name, about, labels=[label] if label else [])
    for key, number in value.items() if isinstance(value, Mapping) else [("", value)]:
        family.add_metric([key] if label else [], number)
    return family


class FromHereOrScoped(HasScopedPermission):
    """A caller on this machine, or one with a token that may read."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Let both in."""
        return local(request.META) or super().has_permission(request, view)


def local(facts: Mapping[str, Any]) -> bool:
    """Whether a request's META says that the caller is on this machine: not if a proxy passed it on."""
    if any(name in facts for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(facts.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class Metrics(APIView):
    """Figures for Prometheus."""

    permission_classes = [FromHereOrScoped]
    throttle_classes = []
    schema = None

    def get(self, request: Request) -> HttpResponse:
        """Return them all; 503 while the database does not answer."""
        registry = CollectorRegistry(auto_describe=False)
        try:
            registry.register(Installation(timezone.now()))
            return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
        except DatabaseError:
            return HttpResponse("the database does not answer\n", status=503, content_type="text/plain")

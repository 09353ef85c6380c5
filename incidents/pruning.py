"""Raw events are kept for TOCSIN_RAW_EVENT_DAYS, then they go; incidents and their timelines stay."""

from datetime import datetime, timedelta

from django.conf import settings

from incidents.models import RawEvent


def run_due(now: datetime, limit: int = 5_000) -> int:
    """Delete the oldest raw events that are past their days; return how many."""
    old = RawEvent.objects.filter(received_at__lt=now - timedelta(days=settings.RAW_EVENT_DAYS))
    pks = list(old.order_by("received_at").values_list("pk", flat=True)[:limit])
    RawEvent.objects.filter(pk__in=pks).delete()
    return len(pks)

"""Old deliveries go: settled ones after TOCSIN_DELIVERY_DAYS, those that a switched-off connector keeps after a day."""

from datetime import datetime, timedelta

from django.conf import settings

from destinations.delivery.switches import cancel_all_stale
from destinations.models import Delivery


def run_due(now: datetime, limit: int = 100) -> int:
    """Delete settled deliveries with their attempts, and cancel what waited in vain; return how many rows that were."""
    stale = cancel_all_stale(now, limit)
    before = now - timedelta(days=settings.DELIVERY_DAYS)
    old = Delivery.objects.filter(settled_at__lt=before).order_by("settled_at").values_list("pk", flat=True)[:limit]
    pks = list(old)
    Delivery.objects.filter(pk__in=pks).exclude(state__in=Delivery.OPEN).delete()
    return stale + len(pks)

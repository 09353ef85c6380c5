"""What time alone does to incidents: a snooze ends, an acknowledgement times out."""

from datetime import datetime

from incidents import lifecycle
from incidents.models import Incident, Status


def run_due(now: datetime, limit: int = 100) -> int:
    """Wake what has slept enough (I3) and take back what was acknowledged and forgotten (E4); return how many moved."""
    still_open = Incident.objects.exclude(status=Status.RESOLVED).order_by("pk")
    slept = list(still_open.filter(snoozed_until__lte=now)[:limit])
    forgotten = list(still_open.filter(ack_timeout_at__lte=now, snoozed_until=None)[:limit])
    woken = lifecycle.wake_up(slept, now=now) if slept else []
    taken_back = lifecycle.time_out(forgotten, now=now) if forgotten else []
    return sum(change.changed for change in [*woken, *taken_back])

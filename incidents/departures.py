"""A person was deactivated: what this person had is nobody's any more, and goes on climbing (R16)."""

from datetime import datetime

from django.db.models import Q

from incidents import lifecycle
from incidents.models import Incident, Status
from incidents.timeline import SYSTEM
from oncall.models import User


def take_back(user: User, now: datetime) -> None:
    """Unassign open incidents of this person: the present step executes anew for whoever is on call now."""
    held = Incident.objects.exclude(status=Status.RESOLVED).filter(Q(assignments__user=user) | Q(acknowledged_by=user))
    incidents = list(held.distinct().order_by("pk"))
    if incidents:
        lifecycle.unassign(incidents, by=SYSTEM, now=now, user=user)
        accepted = Incident.objects.filter(pk__in=[i.pk for i in incidents], acknowledged_by=user)
        lifecycle.unacknowledge(list(accepted), by=SYSTEM, now=now)

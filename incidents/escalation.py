"""Carrying the climb on: whatever run is due takes its next step, each in a transaction of its own."""

import logging
from datetime import datetime

from django.db import transaction

from incidents import steps, timeline
from incidents.models import Run, Status

logger = logging.getLogger(__name__)


def run_due(now: datetime, limit: int = 100) -> int:
    """Take the steps that are due, oldest first; return how many runs moved.

    A step with its pages and its next due instant is one transaction: a process killed in it leaves the run as due as
    it was, and two workers at one run exclude each other by the row lock.
    """
    due = Run.objects.filter(due_at__lte=now).order_by("due_at", "pk").values_list("pk", "incident_id")
    moved = 0
    for run_pk, incident_pk in due[:limit]:
        try:
            moved += _advance(run_pk, incident_pk, now)
        except Exception:  # one incident's fault must not hold up the others; the row stays due
            logger.exception("run %s of incident %s could not take its step", run_pk, incident_pk)
    return moved


@transaction.atomic
def _advance(run_pk: int, incident_pk: int, now: datetime) -> bool:
    locked = timeline.lock([incident_pk])
    run = Run.objects.select_for_update(no_key=True).filter(pk=run_pk, due_at__lte=now).first()
    if not locked or run is None:  # somebody else took it, or acknowledged, a moment ago
        return False
    incident = locked[0]
    resting = incident.snoozed or incident.is_muted or not incident.urgency  # "": it calmed down and pages nobody
    if incident.status != Status.PENDING or resting:
        Run.objects.filter(pk=run_pk).update(due_at=None)
        return False
    steps.advance(run, incident, now=now)
    return True

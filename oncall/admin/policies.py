"""Escalation policies, read as sentences: who is told first, who next, and what if nobody answers."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, page, show
from oncall import policies as rules
from oncall.admin.pages import actor, find, go, verb
from oncall.models import EscalationPolicy

MOST_READ_OUT = 50  # on the list; each asks who is on call now


@page("oncall.view_escalationpolicy")
def policies(request: Person) -> HttpResponse:
    """Show each policy as its sentences."""
    words = request.GET.get("search", "").strip()
    rows = visible(request.user, EscalationPolicy.objects.select_related("team").prefetch_related(*rules.STEPS))
    if words:
        rows = rows.filter(Q(name__icontains=words) | Q(team__name__icontains=words))
    found = list(rows[:MOST_READ_OUT])
    read_out = rules.read_out(found, timezone.now())
    context = {
        "lines": [(row, read_out[row.pk]) for row in found],
        "search": words,
        "more": len(found) == MOST_READ_OUT,
        "may_add": request.user.has_perm("oncall.add_escalationpolicy", EscalationPolicy),
    }
    return show(request, "oncall/policies.html", context, title="Escalation policies")


@page("oncall.view_escalationpolicy")
def policy(request: Person, uuid: UUID) -> HttpResponse:
    """Show one policy, with whom each step would reach now."""
    rows = EscalationPolicy.objects.select_related("team").prefetch_related(*rules.STEPS)
    row = find(request, rows, uuid, "oncall.view_escalationpolicy")
    context = {
        "policy": row,
        "sentences": rules.as_sentences(row, timezone.now()),
        "may_change": request.user.has_perm("oncall.change_escalationpolicy", row),
        "may_delete": request.user.has_perm("oncall.delete_escalationpolicy", row),
    }
    return show(request, "oncall/policy.html", context, title=row.name)


@page("oncall.delete_escalationpolicy")
def ask_to_delete(request: Person, uuid: UUID) -> HttpResponse:
    """Say what deleting a policy means, with the button that does it."""
    row = find(request, EscalationPolicy.objects.all(), uuid, "oncall.delete_escalationpolicy")
    return show(request, "oncall/policy_delete.html", {"policy": row}, title=f"Delete {row.name}?")


@verb("oncall.delete_escalationpolicy")
def delete(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Delete a policy that nothing uses."""
    row = find(request, EscalationPolicy.objects.all(), uuid, "oncall.delete_escalationpolicy")
    with transaction.atomic():
        audit.record(actor(request), "deleted", row, audit.differences(rules.as_document(row), {}), now=now)
        rules.delete(row)
    messages.success(request, f"{row.name} is deleted.")
    return go("console-policies")

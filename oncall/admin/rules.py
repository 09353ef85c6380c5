"""One's own notification rules as rows: after so many minutes, by this way."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.console import Person, page, show
from config.problems import Invalid
from oncall import notification_rules
from oncall.admin.pages import actor, go, hinted
from oncall.admin.rows import Tree, arrange, nested, rows, whole
from oncall.models import ContactMethod, Urgency

WORDS = {
    Urgency.HIGH: "When something is critical or broken",
    Urgency.LOW: "When it can wait: warnings, and whatever comes outside of support hours",
}


@page(methods=("GET", "HEAD", "POST"))
def edit(request: Person) -> HttpResponse:
    """Change one's own rules."""
    if request.method != "POST":
        return _form(request, dict(notification_rules.as_document(request.user)))
    state = nested(request.POST)
    order = str(state.pop("row", ""))
    if order:
        return _form(request, arrange(state, order, lambda path, word: _blank(request)))
    try:
        _store(request, state)
    except Invalid as exc:
        return _form(request, state, errors=hinted(exc, {}), status=400)
    messages.success(request, "Your rules are saved.")
    return go("console-me", anchor="rules")


def _store(request: Person, state: Tree) -> None:
    given = {
        urgency: [{**row, "delay_minutes": whole(row.get("delay_minutes", ""))} for row in rows(state, urgency)]
        for urgency in Urgency.values
    }
    with transaction.atomic():
        before = notification_rules.as_document(request.user)
        notification_rules.save(request.user, given)
        changes = audit.differences(before, notification_rules.as_document(request.user))
        if changes:
            audit.record(actor(request), "changed", request.user, {"notification_rules": changes}, now=timezone.now())


def _form(request: Person, state: Tree, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "urgencies": [(urgency.value, WORDS[urgency], rows(state, urgency)) for urgency in Urgency],
        "methods": [(str(method.uuid), method) for method in ContactMethod.objects.filter(user=request.user)],
        **more,
    }
    return show(request, "oncall/rules_form.html", context, title="How I am told", status=status)


def _blank(request: Person) -> Tree:
    first = ContactMethod.objects.filter(user=request.user, verified_at__isnull=False).first()
    return {"delay_minutes": "5", "contact_method": str(first.uuid) if first else ""}

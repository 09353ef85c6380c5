"""One's own page: how one is reached, after how many minutes by which way, when one is on call."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, page, show
from config.problems import Invalid
from destinations import base
from oncall import contacts
from oncall import people as verbs
from oncall.admin.pages import actor, answers, go
from oncall.admin.people_forms import ProfileForm, put
from oncall.models import ContactMethod, NotificationRule, Schedule, Token, Urgency, User
from oncall.watches import AHEAD, turns


@page()
def me(request: Person) -> HttpResponse:
    """Show one's own page."""
    user, now = request.user, timezone.now()
    rules = NotificationRule.objects.filter(user=user).select_related("contact_method").order_by("delay_minutes", "pk")
    context = {
        "methods": ContactMethod.objects.filter(user=user).select_related("connector", "vouched_by"),
        "kinds": [one for one in base.kinds().values() if one.address_form is not None],
        "urgencies": [(urgency, [rule for rule in rules if rule.urgency == urgency]) for urgency in Urgency],
        "reachable": user.pk in contacts.able([user]),
        "turns": turns(user, visible(user, Schedule.objects.all()), now, now + AHEAD),
        "tokens": Token.objects.filter(user=user, revoked_at=None).count(),
        "person": user,
    }
    return show(request, "oncall/me.html", context, title="My page")


@page(methods=("GET", "HEAD", "POST"))
def profile(request: Person) -> HttpResponse:
    """Change one's own name, mail, zone and phone, and whether one wants to hear of the end."""
    user = User.objects.get(pk=request.user.pk)
    initial = {name: getattr(user, name) for name in ProfileForm.base_fields}
    form = ProfileForm(answers(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            _change(request, user, form.cleaned_data, timezone.now())
        except Invalid as exc:
            put(form, exc)
        else:
            messages.success(request, "Your details are saved.")
            return go("console-me")
    return show(request, "oncall/profile.html", {"form": form}, title="My details", status=400 if form.errors else 200)


def _change(request: Person, user: User, given: dict[str, Any], now: datetime) -> None:
    with transaction.atomic():
        before = audit.snapshot(user)
        verbs.change(user, **given)
        if changes := audit.differences(before, audit.snapshot(user)):
            audit.record(actor(request), "changed", user, changes, now=now)

"""API tokens: made here and shown once; afterwards only their beginning, what they may, and their last use."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, page, show
from config.problems import Invalid
from oncall import tokens as verbs
from oncall.admin.pages import actor, answers, find, go, verb
from oncall.admin.people_forms import TokenForm, put
from oncall.models import Token


@page("oncall.view_token")
def tokens(request: Person) -> HttpResponse:
    """Show one's own tokens; to admins everybody's."""
    now = timezone.now()
    rows = visible(request.user, Token.objects.select_related("user"))
    old = request.GET.get("show") == "all"
    found = list(rows if old else rows.filter(revoked_at=None))
    context = {
        "lines": [(token, _state(token, now), request.user.has_perm("oncall.delete_token", token)) for token in found],
        "show": "all" if old else "live",
    }
    return show(request, "oncall/tokens.html", context, title="API tokens")


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "live"


@page("oncall.add_token", methods=("GET", "HEAD", "POST"))
def new(request: Person) -> HttpResponse:
    """Make a token that acts for whoever makes it; its clear text is on this one page and nowhere else."""
    form = TokenForm(answers(request))
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                now = timezone.now()
                made, clear = verbs.make(request.user, **form.cleaned_data, now=now)
                audit.record(actor(request), "created", made, audit.differences({}, audit.snapshot(made)), now=now)
        except Invalid as exc:
            put(form, exc)
        else:
            return show(request, "oncall/token_made.html", {"token": made, "clear": clear}, title=made.name)
    return show(
        request, "oncall/token_new.html", {"form": form}, title="New API token", status=400 if form.errors else 200
    )


@verb("oncall.delete_token")
def revoke(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Let a token open nothing any more."""
    token = find(request, Token.objects.select_related("user"), uuid, "oncall.delete_token")
    with transaction.atomic():
        verbs.revoke(token, now=now)
        audit.record(actor(request), "revoked", token, now=now)
    messages.success(request, f"{token.name} opens nothing any more.")
    return go("console-tokens")

"""One's own contact methods: added by the form of their kind, proved by a code, tried by a test."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.utils import timezone

from config import audit
from config.access import visible
from config.console import Person, page, show
from config.problems import Invalid, Problem
from destinations import base
from destinations.models import Connector
from oncall import contacts
from oncall.admin.pages import actor, answers, find, go, sentence, verb
from oncall.admin.people_forms import put
from oncall.models import ContactMethod

MINE = "oncall.change_contactmethod"


@page("oncall.add_contactmethod", methods=("GET", "HEAD", "POST"))
def new(request: Person, kind: str) -> HttpResponse:
    """Add a way to be reached; the code is on its way when the next page opens."""
    found = base.kinds().get(kind)
    if found is None or found.address_form is None:
        raise Http404(kind)
    form = _form(request, found)
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            method = _add(request, kind, dict(form.cleaned_data), now)
        except Invalid as exc:
            put(form, exc)
        else:
            return _first_code(request, method, now)
    context = {"form": form, "kind": found, "mail_ready": kind != "email" or bool(settings.EMAIL_URL)}
    title = f"Add {found.label}"
    return show(request, "oncall/contact_new.html", context, title=title, status=400 if form.errors else 200)


def _form(request: Person, kind: base.Kind) -> forms.Form:
    """Return the kind's form of an address, with a label and, where there are several, the provider it goes through."""
    assert kind.address_form is not None  # noqa: S101  # the caller has looked
    form = kind.address_form(answers(request), initial=_initial(request, kind))
    connectors = visible(request.user, Connector.objects.filter(kind=kind.name))
    if connectors.exists():
        form.fields["connector"] = forms.ModelChoiceField(
            connectors, required=False, empty_label="This installation's own", label="Through", to_field_name="uuid"
        )
    form.fields["label"] = forms.CharField(
        max_length=60, required=False, help_text="What you call it: “Work phone”. It is shown in your rules."
    )
    return form


def _initial(request: Person, kind: base.Kind) -> dict[str, str]:
    if kind.name == "email" and not ContactMethod.objects.filter(user=request.user, kind="email").exists():
        return {"address": request.user.email}
    return {}


def _add(request: Person, kind: str, given: dict[str, Any], now: datetime) -> ContactMethod:
    label, connector, address = given.pop("label"), given.pop("connector", None), given.pop("address")
    secret = {name: value for name, value in given.items() if value not in (None, "")}
    with transaction.atomic():
        method = contacts.add(request.user, kind, address, label=label, secret=secret, connector=connector)
        audit.record(actor(request), "created", method, audit.differences({}, audit.snapshot(method)), now=now)
    return method


def _first_code(request: Person, method: ContactMethod, now: datetime) -> HttpResponse:
    try:
        contacts.send_code(method, now=now)
    except Problem as exc:  # the method stands all the same; its page offers another code
        messages.error(request, sentence(exc))
    return go("console-contact", method.uuid)


@page(MINE, methods=("GET", "HEAD", "POST"))
def contact(request: Person, uuid: UUID) -> HttpResponse:
    """Show one contact method; while it is not verified, ask for its code."""
    method = find(request, _mine(request), uuid, MINE)
    problem = ""
    if request.method == "POST":
        try:
            contacts.verify(method, request.POST.get("code", ""), now=timezone.now())
            messages.success(request, f"{method} is verified: pages may go there.")
            return go("console-me")
        except Invalid as exc:
            problem = sentence(exc)
    return _show(request, method, problem=problem, status=400 if problem else 200)


@verb(MINE)
def send_code(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Send the code (again)."""
    method = find(request, _mine(request), uuid, MINE)
    contacts.send_code(method, now=now)
    messages.success(request, f"A code is on its way to {method.address}.")
    return go("console-contact", method.uuid)


@page(MINE, methods=("POST",))
def test(request: Person, uuid: UUID) -> HttpResponse:
    """Send a test page now and show what the other side answered."""
    method = find(request, _mine(request), uuid, MINE)
    try:
        result = contacts.test(method, by=request.user, actor=actor(request), now=timezone.now())
        return _show(request, method, result=result)
    except Problem as exc:
        return _show(request, method, problem=sentence(exc), status=exc.status)


@verb("oncall.delete_contactmethod")
def delete(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Take a way to be reached away, with the rules that use it."""
    method = find(request, _mine(request), uuid, "oncall.delete_contactmethod")
    with transaction.atomic():
        audit.record(actor(request), "deleted", method, audit.differences(audit.snapshot(method), {}), now=now)
        contacts.remove(method, now=now)
    messages.success(request, f"{method} is removed.")
    return go("console-me")


def _mine(request: Person) -> Any:
    return ContactMethod.objects.filter(user=request.user).select_related("connector", "user")


def _show(request: Person, method: ContactMethod, status: int = 200, **more: Any) -> HttpResponse:
    method.refresh_from_db()
    kind = base.kinds().get(method.kind)
    now = timezone.now()
    sent = method.code_sent_at
    context = {
        "method": method,
        "kind": kind,
        "rules": method.rules.all(),
        "code": contacts.last_code(method) if sent else None,
        "code_until": sent + contacts.CODE_LIVES
        if sent and method.code_hash and now < sent + contacts.CODE_LIVES
        else None,
        "again_at": sent + contacts.CODE_EVERY if sent and now < sent + contacts.CODE_EVERY else None,
        **more,
    }
    return show(request, "oncall/contact.html", context, title=str(method), status=status)

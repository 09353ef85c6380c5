"""A new incident by hand: somebody saw it before a tool did."""

import uuid

from django import forms
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from config import access
from config.console import Person, demand, page, show
from incidents.manual import manual_source, open_by_hand
from incidents.models import Incident, Severity
from incidents.timeline import Actor
from oncall.models import EscalationPolicy, User


class NewIncident(forms.Form):
    """What a person says of it; `key` makes that sending the form twice opens one incident."""

    title = forms.CharField(
        label="What is wrong", max_length=255, help_text="What the person who is woken reads first: “Shop is down”."
    )
    severity = forms.ChoiceField(
        choices=[
            (Severity.CRITICAL, "critical: wakes people"),
            (Severity.ERROR, "error: wakes people"),
            (Severity.WARNING, "warning: tells the first step quietly"),
            (Severity.INFO, "info: recorded, pages nobody"),
        ]
    )
    policy = forms.ModelChoiceField(
        EscalationPolicy.objects.none(), label="Who is told", empty_label=None, help_text="An escalation policy."
    )
    description = forms.CharField(
        label="More about it", required=False, widget=forms.Textarea(attrs={"rows": 4}), max_length=10_000
    )
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: object, user: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        policies = access.visible(user, EscalationPolicy.objects.all())
        self.fields["policy"].queryset = policies  # type: ignore[attr-defined]


@page("incidents.add_incident", methods=("GET", "HEAD", "POST"))
def new(request: Person) -> HttpResponse:
    """`/incidents/new/`: the form, and opening it."""
    user = request.user
    demand(request, "incidents.add_incident", Incident(alert_source=manual_source()))
    form = NewIncident(request.POST or None, user=user, initial={"key": uuid.uuid4(), "severity": Severity.CRITICAL})
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        incident, _ = open_by_hand(
            title=said["title"],
            severity=said["severity"],
            policy=said["policy"],
            description=said["description"],
            key=said["key"].hex,
            by=Actor.person(user, "console"),
            now=timezone.now(),
        )
        return HttpResponseRedirect(reverse("console-incident", args=[incident.pk]), status=303)
    policies = access.visible(user, EscalationPolicy.objects.all()).exists()
    context = {"form": form, "policies": policies}
    return show(request, "incidents/incident_new.html", context, title="New incident")

"""The forms of an alert destination: its name, what its kind asks for, and a first connection."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from config.access import visible
from config.problems import Problem
from destinations import connectors
from destinations.base import Kind
from destinations.models import Connector
from incidents import connecting
from incidents.admin.fields import put_beside, write_only
from incidents.hearing import WORDS
from incidents.models import AlertSource, Connection, Severity
from incidents.routing import EVENT_WORDS
from incidents.sourcing import FIRST_EVENTS
from oncall.models import Team, User
from oncall.owning import team_of_connector

PREFIX = "config"
FORGET = "forget_"
EVENT_CHOICES = [(word, WORDS[word]) for word in EVENT_WORDS]
ALL, SOME, NONE = "all", "some", "none"


class NameForm(forms.Form):
    """What every destination has."""

    name = forms.CharField(label="Name", max_length=100, help_text="What your people call it: Ops channel, Jira.")
    team = forms.ModelChoiceField(
        Team.objects.none(),
        label="Team",
        required=False,
        empty_label="No team: everybody's",
        help_text="Its managers may change it.",
    )

    def __init__(self, data: Any = None, *, user: User, connector: Connector) -> None:
        self.connector = connector
        team = team_of_connector(connector) if connector.pk else None
        super().__init__(data, initial={"name": connector.name, "team": team.pk if team else None})
        self.fields["team"].queryset = visible(user, Team.objects.order_by("name"))  # type: ignore[attr-defined]

    def clean_name(self) -> str:
        """Refuse a name that another destination has."""
        name: str = self.cleaned_data["name"].strip()
        if Connector.objects.filter(name=name).exclude(pk=self.connector.pk).exists():
            raise ValidationError(f"Another alert destination is called {name}. Choose another name.", code="unique")
        return name


class FirstConnectionForm(forms.Form):
    """What a new destination hears from its first day."""

    listens = forms.ChoiceField(
        label="It hears of incidents of",
        choices=[(ALL, "all alert sources"), (SOME, "these alert sources"), (NONE, "none for now")],
        initial=ALL,
        widget=forms.RadioSelect,
    )
    sources = forms.ModelMultipleChoiceField(
        AlertSource.objects.none(), label="Alert sources", required=False, widget=forms.CheckboxSelectMultiple
    )
    events = forms.MultipleChoiceField(
        label="When they are", choices=EVENT_CHOICES, required=False, widget=forms.CheckboxSelectMultiple
    )
    severities = forms.MultipleChoiceField(
        label="Of severity", choices=Severity.choices, required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        given = None if data is not None else {"events": FIRST_EVENTS, "severities": Severity.values}
        super().__init__(data, prefix="first", initial=given)
        rows = visible(user, AlertSource.objects.order_by("name"))
        self.fields["sources"].queryset = rows  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Demand what the choices above ask for."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("listens") == NONE:
            return said
        if said.get("listens") == SOME and not said.get("sources"):
            self.add_error("sources", "Tick at least one alert source, or choose all of them.")
        if not said.get("events"):
            self.add_error("events", "Tick at least one.")
        if not said.get("severities"):
            self.add_error("severities", "Tick at least one.")
        return said

    def connections(self, connector: Connector) -> list[Connection]:
        """Return the connections that were asked for, not stored."""
        said = self.cleaned_data
        sources: list[AlertSource | None] = {ALL: [None], SOME: list(said["sources"]), NONE: []}[said["listens"]]
        return [
            Connection(
                connector=connector,
                alert_source=source,
                events=unless_all(said["events"], EVENT_WORDS),
                severities=unless_all(said["severities"], Severity.values),
            )
            for source in sources
        ]


def unless_all(chosen: Any, known: Any) -> list[str]:
    """Return what was ticked; everything ticked is no restriction, also for words that come later."""
    return [] if set(chosen) >= set(known) else list(chosen)


def config_form(kind: Kind, data: Any, connector: Connector) -> forms.Form:
    """Return the kind's own form, its secrets write-only: those that are stored may be left blank, or be removed."""
    form_class = kind.config_form
    if form_class is None:
        raise TypeError(f"{kind.name} cannot be a connector")
    form = form_class(data, prefix=PREFIX, initial=dict(connector.config))
    optional = [name for name in connector.secrets if name in form.fields and not form.fields[name].required]
    write_only(form, kind.secret_fields, connector.secrets)
    for name in optional:
        field = forms.BooleanField(label=f"Remove the stored {form.fields[name].label or name}", required=False)
        form.fields[f"{FORGET}{name}"] = field
    form.order_fields([one for name in list(form.fields) for one in (name, f"{FORGET}{name}") if one in form.fields])
    return form


def fill(connector: Connector, form: forms.Form) -> bool:
    """Put what a valid form says on the connector, which is not stored; say whether its kind accepts the whole."""
    try:
        connectors.fill(connector, said(connector, form.cleaned_data))
    except Problem as exc:
        put_beside(form, exc, within=PREFIX)
    return not form.errors


def said(connector: Connector, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kind's settings as JSON: a stored secret that was left blank stays, one that is to go becomes null."""
    kind = connectors.connector_kind(connector.kind)
    found: dict[str, Any] = {}
    for name, value in cleaned.items():
        if name.startswith(FORGET):
            continue
        if cleaned.get(f"{FORGET}{name}"):
            found[name] = None
        elif name in kind.secret_fields and name in connector.secrets and value in (None, "", {}, []):
            found[name] = connectors.SET
        else:
            found[name] = value
    return found


def clean_connection(form: forms.Form, connections: list[Connection]) -> bool:
    """Check connections that are not stored; what is wrong stands in the form."""
    try:
        for connection in connections:
            connecting.clean(connection)
    except Problem as exc:
        put_beside(form, exc)
    return not form.errors

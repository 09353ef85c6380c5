"""The form of an alert source: what it is called, whom its incidents page, which connectors hear of them."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from config.access import visible
from destinations.models import Connector
from incidents.admin.fields import Column, Row, RowsField, as_rows, pairs
from incidents.models import AlertSource, Connection, Severity
from incidents.sources.base import kinds
from oncall.models import EscalationPolicy, Team, Urgency, User

AS_THE_RULE, NOBODY = "rule", "nobody"
URGENCIES = (
    (AS_THE_RULE, "as usual"),
    (Urgency.HIGH.value, "high: pages at once, every step"),
    (Urgency.LOW.value, "low: pages by the rules for low urgency"),
    (NOBODY, "none: recorded, pages nobody"),
)
USUAL = {"critical": "high", "error": "high", "warning": "low", "info": "pages nobody"}
BUILT_IN_FIXED = ("name", "kind")  # of the source that Tocsin itself needs


class SourceForm(forms.Form):
    """What a person may say of an alert source. The maps are rows."""

    name = forms.CharField(label="Name", max_length=100, help_text="What people see on each incident: Shop, Backups.")
    kind = forms.ChoiceField(label="What sends the events", widget=forms.RadioSelect)
    escalation_policy = forms.ModelChoiceField(
        EscalationPolicy.objects.none(),
        label="Escalation policy",
        required=False,
        empty_label="None: the catch-all is paged at once",
        help_text="Who is paged, and who next if nobody answers.",
    )
    team = forms.ModelChoiceField(Team.objects.none(), label="Team", required=False, empty_label="No team: everybody's")
    connectors = forms.ModelMultipleChoiceField(
        Connector.objects.none(),
        label="Alert destinations",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Each one ticked hears when an incident of this source is opened, accepted and resolved. Connections "
        "has the finer points. Taking a tick away removes its connections with this source.",
    )
    rate_limit = forms.IntegerField(
        label="Events a minute",
        min_value=0,
        max_value=1_000_000,
        help_text="More are refused for a while. 0: no limit.",
    )
    default_severity = forms.ChoiceField(label="Severity when an event names none", choices=Severity.choices)
    severity_map = RowsField(
        (
            Column(name="word", label="The tool's word", placeholder="P1"),
            Column(name="severity", label="Severity", choices=[("", "–"), *Severity.choices]),
        ),
        label="Severity words of the tool",
        help_text="Usual words (high, warn, P1 ...) are understood already; this is for the others.",
        add="Add a word",
    )
    page_again_on_rise = forms.BooleanField(label="Page again when an accepted incident gets worse", required=False)

    def __init__(self, data: Any = None, *, user: User, source: AlertSource) -> None:
        self.source = source
        super().__init__(data, initial=None if data is not None else _initial(source))
        self.fields["kind"].choices = [(name, kind.label) for name, kind in kinds().items()]  # type: ignore[attr-defined]
        querysets = {
            "escalation_policy": EscalationPolicy.objects.order_by("name"),
            "team": Team.objects.order_by("name"),
            "connectors": Connector.objects.order_by("name"),
        }
        for name, rows in querysets.items():
            self.fields[name].queryset = visible(user, rows)  # type: ignore[attr-defined]
        for severity in Severity.values:
            self.fields[f"urgency_{severity}"] = forms.ChoiceField(
                label=f"{severity} (usually {USUAL[severity]})", choices=URGENCIES, required=False
            )
        if source.built_in:
            for name in BUILT_IN_FIXED:
                del self.fields[name]

    def clean_name(self) -> str:
        """Refuse a name that another source has."""
        name: str = self.cleaned_data["name"].strip()
        if AlertSource.objects.filter(name=name).exclude(pk=self.source.pk).exists():
            raise ValidationError(f"Another alert source is called {name}. Choose another name.", code="unique")
        return name

    @property
    def urgencies(self) -> list[forms.BoundField]:
        """The four choices of urgency, to be shown together."""
        return [self[f"urgency_{severity}"] for severity in Severity.values]

    def columns(self) -> dict[str, Any]:
        """Return what was said, in the words of `sourcing.save`."""
        said = self.cleaned_data
        plain = ("name", "kind", "escalation_policy", "team", "rate_limit", "default_severity", "page_again_on_rise")
        return {
            **{name: said[name] for name in plain if name in self.fields},
            "severity_map": pairs(said["severity_map"], "word", "severity"),
            "urgency_map": _urgency_map(said),
        }


def _urgency_map(said: Mapping[str, Any]) -> dict[str, str]:
    chosen = {severity: said.get(f"urgency_{severity}") or AS_THE_RULE for severity in Severity.values}
    return {
        severity: "" if urgency == NOBODY else urgency for severity, urgency in chosen.items() if urgency != AS_THE_RULE
    }


def _initial(source: AlertSource) -> dict[str, Any]:
    urgencies = {
        f"urgency_{severity}": (source.urgency_map[severity] or NOBODY)
        if severity in source.urgency_map
        else AS_THE_RULE
        for severity in Severity.values
    }
    rows: list[Row] = as_rows(source.severity_map, "word", "severity")
    return {
        "name": source.name,
        "kind": source.kind,
        "escalation_policy": source.escalation_policy_id,
        "team": source.team_id,
        "connectors": connected(source),
        "rate_limit": source.rate_limit,
        "default_severity": source.default_severity,
        "severity_map": rows,
        "page_again_on_rise": source.page_again_on_rise,
        **urgencies,
    }


def connected(source: AlertSource) -> list[int]:
    """Return the primary keys of the connectors that have a connection with this source alone."""
    if not source.pk:
        return []
    return list(Connection.objects.filter(alert_source=source).values_list("connector", flat=True).distinct())

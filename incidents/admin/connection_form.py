"""The form of a connection: what it hears, in which words it tells, by which routes; made anew for each kind."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from config.access import visible
from destinations.base import Kind, kinds
from incidents.admin.destination_form import EVENT_CHOICES, unless_all
from incidents.admin.fields import Column, RowsField, as_rows, pairs, write_only
from incidents.models import AlertSource, Connection, Severity
from incidents.routing import EVENT_WORDS
from oncall.models import User

SETTING = "setting_"
MAPPING = "mapping_"
CLASSES_HELP = "One a line. A star at the end stands for any ending: auth.* Empty: every class."


class ConnectionForm(forms.Form):
    """What every connection has; the kind's own settings and routes are added when it is made."""

    alert_source = forms.ModelChoiceField(
        AlertSource.objects.none(), label="Incidents of", required=False, empty_label="all alert sources"
    )
    mode = forms.ChoiceField(
        label="When does it begin?",
        choices=[
            (Connection.Mode.AUTOMATIC, "by itself, whenever that happens"),
            (Connection.Mode.MANUAL, "when a person presses its button on an incident; from then on by itself"),
        ],
        widget=forms.RadioSelect,
    )
    name = forms.CharField(
        label="Words on the button", max_length=100, required=False, help_text="Such as: Open a ticket."
    )
    enabled = forms.BooleanField(label="Switched on", required=False)
    events = forms.MultipleChoiceField(
        label="It hears when an incident is", choices=EVENT_CHOICES, required=False, widget=forms.CheckboxSelectMultiple
    )
    severities = forms.MultipleChoiceField(
        label="Of severity", choices=Severity.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    min_severity = forms.ChoiceField(
        label="And at least",
        choices=[("", "no minimum"), *[(word, f"{word} and worse") for word in Severity.values[:-1]]],
        required=False,
    )
    min_risk_score = forms.FloatField(
        label="Risk score of at least", min_value=0, max_value=100, required=False, help_text="0 to 100; empty: any."
    )
    classes = forms.CharField(
        label="Classes", required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text=CLASSES_HELP
    )
    labels = RowsField(
        (
            Column(name="label", label="Label", placeholder="team"),
            Column(name="values", label="is one of (with commas between)", placeholder="core, shop"),
        ),
        label="Labels",
        help_text="All rows must hold. None: any labels.",
        add="Add a label",
    )
    include_metadata = forms.BooleanField(
        label="Tell labels and details too",
        required=False,
        help_text="Without the tick only title, state and links leave.",
    )
    runbook_links = RowsField(
        (
            Column(name="class", label="Class", placeholder="disk.*"),
            Column(name="address", label="Address", placeholder="https://wiki.example.com/disk"),
        ),
        label="Runbooks",
        help_text="The first that fits the incident's class is put first among its links.",
        add="Add a runbook",
    )

    def __init__(self, data: Any = None, *, user: User, connection: Connection) -> None:
        self.connection = connection
        self.kind: Kind | None = kinds().get(connection.connector.kind)
        initial = None if data is not None else _initial(connection)
        super().__init__(data, initial=initial)
        self.fields["alert_source"].queryset = visible(user, AlertSource.objects.order_by("name"))  # type: ignore[attr-defined]
        for severity in Severity.values:
            self.fields[f"{MAPPING}{severity}"] = forms.CharField(label=severity, max_length=255, required=False)
            self.fields[f"{MAPPING}{severity}"].widget.attrs["placeholder"] = severity
        self._add_settings()

    def _add_settings(self) -> None:
        form = self.kind.settings_form if self.kind else None
        if form is None or self.kind is None:
            return
        for name, field in form().fields.items():
            self.fields[f"{SETTING}{name}"] = field
        secret = [f"{SETTING}{name}" for name in self.kind.secret_fields]
        write_only(self, secret, [f"{SETTING}{name}" for name in self.connection.settings])
        told = form().fields
        self.fields["routing_rules"] = RowsField(
            (
                Column(
                    name="events", label="Classes (with commas between)", placeholder="auth.*, login", required=False
                ),
                *(
                    Column(
                        name=name,
                        label=str(field.label or name.replace("_", " ").capitalize()),
                        secret=name in self.kind.secret_fields,
                        required=len(told) == 1,
                    )
                    for name, field in told.items()
                ),
            ),
            label="Routes by class",
            help_text="The first row that fits counts. A row without classes fits everything.",
            ordered=True,
            add="Add a route",
        )
        if not self.is_bound:
            self.initial["routing_rules"] = _rule_rows(self.connection)

    @property
    def mapping(self) -> list[forms.BoundField]:
        """The target's word for each of our severities."""
        return [self[f"{MAPPING}{severity}"] for severity in Severity.values]

    @property
    def settings(self) -> list[forms.BoundField]:
        """The kind's own settings."""
        return [self[name] for name in self.fields if name.startswith(SETTING)]

    def clean(self) -> dict[str, Any]:
        """Demand at least one event and severity."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("events", "severities"):
            if not said.get(name):
                self.add_error(name, "Tick at least one.")
        return said

    def columns(self) -> dict[str, Any]:
        """Return what was said, in the words of `connecting.save`."""
        said = self.cleaned_data
        plain = ("alert_source", "mode", "name", "enabled", "min_severity", "min_risk_score", "include_metadata")
        return {
            **{name: said[name] for name in plain},
            "events": unless_all(said["events"], EVENT_WORDS),
            "severities": unless_all(said["severities"], Severity.values),
            "classes": _words(said["classes"].replace("\n", ",")),
            "labels": {key: _words(text) for key, text in pairs(said["labels"], "label", "values").items()},
            "severity_mapping": {
                word: said[f"{MAPPING}{word}"] for word in Severity.values if said[f"{MAPPING}{word}"]
            },
            "runbook_links": pairs(said["runbook_links"], "class", "address"),
            "settings": self._settings(said),
            "routing_rules": self._rules(said.get("routing_rules", [])),
        }

    def _settings(self, said: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for field in self.settings:
            name = field.name.removeprefix(SETTING)
            secret = self.kind is not None and name in self.kind.secret_fields
            kept = self.connection.settings.get(name) if secret else None
            value = said[field.name] or kept
            if value not in (None, ""):
                found[name] = value
        return found

    def _rules(self, rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        """Return the routes in order; a secret left blank is that of the stored route the row came from."""
        stored = self.connection.routing_rules
        rules = []
        for row in rows:
            place = row.get("place", "")
            kept = stored[int(place)] if place.isdecimal() and len(place) < 5 and int(place) < len(stored) else {}
            rule: dict[str, Any] = {"events": _words(row["events"])}
            for column in self.fields["routing_rules"].columns[1:]:  # type: ignore[attr-defined]
                value = row[column.name] or (kept.get(column.name) if column.secret else "")
                if value:
                    rule[column.name] = value
            rules.append(rule)
        return rules


def _initial(connection: Connection) -> dict[str, Any]:
    labels = {key: value if isinstance(value, str) else ", ".join(value) for key, value in connection.labels.items()}
    return {
        "alert_source": connection.alert_source_id,
        "mode": connection.mode,
        "name": connection.name,
        "enabled": connection.enabled,
        "events": connection.events or list(EVENT_WORDS),
        "severities": connection.severities or list(Severity.values),
        "min_severity": connection.min_severity,
        "min_risk_score": connection.min_risk_score,
        "classes": "\n".join(connection.classes),
        "labels": as_rows(labels, "label", "values"),
        "include_metadata": connection.include_metadata,
        "runbook_links": as_rows(connection.runbook_links, "class", "address"),
        **{f"{MAPPING}{word}": said for word, said in connection.severity_mapping.items()},
        **{f"{SETTING}{name}": value for name, value in connection.settings.items()},
    }


def _rule_rows(connection: Connection) -> list[dict[str, str]]:
    return [
        {**{name: str(value) for name, value in rule.items()}, "events": ", ".join(rule["events"]), "place": str(place)}
        for place, rule in enumerate(connection.routing_rules)
    ]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]

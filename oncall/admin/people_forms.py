"""The forms of people, teams, tokens and of one's own page: what is asked, and what is wrong with an answer."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.db.models import Q, QuerySet
from django.utils.html import format_html

from config.problems import Problem
from oncall.models import Team, User
from oncall.models.access import SCOPES
from oncall.models.people import known_zone

ROLE_WORDS = {
    "admin": "everything, people and settings included",
    "manager": "schedules, policies, teams, sources, destinations",
    "responder": "is paged, answers incidents, overrides own shifts",
    "stakeholder": "reads incidents and plans, changes nothing",
}
SCOPE_WORDS = {
    "read": "read everything that you may see",
    "write": "change what you may change; assign, accept and close incidents",
    "incidents:read": "read incidents and nothing else",
    "incidents:assign": "assign incidents",
    "incidents:acknowledge": "accept incidents",
    "incidents:close": "resolve and close incidents",
    "incidents:delete": "delete resolved incidents",
    "admin": "everything, people and settings included, as far as your roles go",
}
PHONE = RegexValidator(r"^\+[1-9][0-9]{6,14}$", "Write it with the country code and digits only: +37120000000.")


def _explained(words: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return choices that say beside each word what it means."""
    return [
        (word, format_html('<span>{} <span class="quiet">{}</span></span>', word, meaning))
        for word, meaning in words.items()
    ]


class ZoneField(forms.CharField):
    """A time zone by its IANA name, with the list of them to pick from."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"list": "zones", "autocomplete": "off"})
        help_text = "Times are shown to this person in this zone."
        super().__init__(widget=widget, validators=[known_zone], help_text=help_text, **options)


class ProfileForm(forms.Form):
    """What a person says about themselves."""

    name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(label="Mail", required=False, help_text="Not used for pages until it is a contact method.")
    time_zone = ZoneField()
    phone = forms.CharField(max_length=20, required=False, validators=[PHONE])
    wants_resolved = forms.BooleanField(required=False, label="Tell me when an incident I was paged for is resolved")


class PersonForm(ProfileForm):
    """What an admin sets of a person."""

    wants_resolved = forms.BooleanField(
        required=False, label="Is told when an incident they were paged for is resolved"
    )
    roles = forms.MultipleChoiceField(
        choices=_explained(ROLE_WORDS), widget=forms.CheckboxSelectMultiple, required=False
    )


class NewPersonForm(forms.Form):
    """A new person."""

    username = forms.CharField(
        max_length=150,
        validators=[RegexValidator(r"^[\w.@+-]+$", "Use letters, digits and . @ + - _ only.")],
        help_text="To sign in with, and what API and files call this person. It stays.",
    )
    name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(label="Mail", required=False)
    time_zone = ZoneField()
    phone = forms.CharField(max_length=20, required=False, validators=[PHONE])
    roles = forms.MultipleChoiceField(
        choices=_explained(ROLE_WORDS), widget=forms.CheckboxSelectMultiple, required=False
    )
    password = forms.CharField(
        required=False,
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Leave it empty to get a link by which this person chooses one.",
    )

    def clean_username(self) -> str:
        """Refuse a name that somebody has, whatever its case."""
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exists():
            raise forms.ValidationError(f"Somebody is called {name} already. Choose another.")
        return name


class TeamForm(forms.Form):
    """A team and its people."""

    name = forms.CharField(max_length=100)
    private = forms.BooleanField(
        required=False, help_text="Only its members and admins see what belongs to it.", label="Private"
    )
    members = forms.ModelMultipleChoiceField(
        User.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, to_field_name="username"
    )
    managers = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        to_field_name="username",
        help_text="They keep the team's schedules and policies, and are members too.",
    )

    def __init__(self, *args: Any, team: Team | None = None, **options: Any) -> None:
        self.team = team
        super().__init__(*args, **options)
        held = Q() if team is None else Q(teams=team)  # who was switched off stays a member until taken out
        for name in ("members", "managers"):
            self.fields[name].queryset = User.objects.filter(Q(is_active=True) | held).distinct()  # type: ignore[attr-defined]

    def everybody(self) -> QuerySet[User]:
        """Return whom the form offers."""
        return self.fields["members"].queryset  # type: ignore[attr-defined, no-any-return]

    def ticked(self, name: str) -> set[str]:
        """Return the usernames that are ticked: as sent, else as they are."""
        return {str(value) for value in self[name].field.prepare_value(self[name].value()) or ()}

    def clean_name(self) -> str:
        """Refuse a name that another team has."""
        name: str = self.cleaned_data["name"]
        others = Team.objects.filter(name=name)
        if (others.exclude(pk=self.team.pk) if self.team else others).exists():
            raise forms.ValidationError(f"Another team is called {name}. Choose another name.")
        return name


class TokenForm(forms.Form):
    """A new API token."""

    name = forms.CharField(max_length=100, help_text="What will use it, so that you know it again.")
    scopes = forms.MultipleChoiceField(
        choices=_explained({scope: SCOPE_WORDS[scope] for scope in SCOPES}),
        widget=forms.CheckboxSelectMultiple,
        label="It may",
    )
    expires_at = forms.DateTimeField(
        required=False,
        label="Until",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help_text="Empty: until it is revoked.",
    )
    service = forms.BooleanField(
        required=False,
        label="It stands for a machine",
        help_text="What it does is recorded as the machine's, not yours.",
    )


def put(form: forms.Form, problem: Problem) -> None:
    """Write a refusal of the domain beside the fields that it speaks of."""
    if not problem.errors:
        form.add_error(None, problem.detail)
    for error in problem.errors:
        name = error.field.partition(".")[0]
        form.add_error(name if name in form.fields else None, error.detail)

"""A connector: its settings checked by its kind's form, split into what may be shown and what not; tried, switched."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit

from django import forms
from django.db import transaction

from config import audit
from config.problems import FieldError, Invalid, invalid
from destinations import base, delivery
from destinations.models import Connector

EMPTY: tuple[Any, ...] = (None, "", {}, [])
MOVED = "Enter it again: the address changed."  # a stored secret never follows to where it was not meant for
PORTS = {"http": 80, "https": 443}
SET = {"set": True}  # how a secret is shown; sent back, it keeps what is stored

TYPES: tuple[tuple[type[forms.Field], str], ...] = (
    (forms.BooleanField, "boolean"),
    (forms.FloatField, "number"),
    (forms.DecimalField, "number"),
    (forms.IntegerField, "integer"),
    (forms.MultipleChoiceField, "array"),
    (forms.JSONField, "object"),
)
SHAPES: dict[str, tuple[type, ...]] = {  # what JSON may hold for each
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
    "array": (list,),
    "object": (dict, list),
    "string": (str,),
}


def connector_kind(name: str) -> base.Kind:
    """Return the kind of this name that can be a connector. Raises Invalid."""
    kind = base.kinds().get(name)
    if kind is None or kind.config_form is None:
        known = ", ".join(one for one, found in base.kinds().items() if found.config_form is not None)
        raise invalid("kind", f"{name!r} is no kind of connector. Use: {known}.", "invalid_choice")
    return kind


def save(connector: Connector, *, config: Mapping[str, Any] | None = None, **columns: Any) -> Connector:
    """Store what is given. `config` replaces the settings; secrets that it leaves out, or that are {"set": true}, stay
    unless the address now leads to another server: then they must be given again.

    Raises Invalid with paths such as "config.url".
    """
    for name, value in columns.items():
        setattr(connector, name, value)
    if config is not None or connector.pk is None:
        fill(connector, config or {})
    connector.save()
    return connector


def fill(connector: Connector, config: Mapping[str, Any]) -> None:
    """Check the settings against the kind's form and put them on the connector, which is not saved. Raises Invalid."""
    kind = connector_kind(connector.kind)
    form_class = kind.config_form
    assert form_class is not None  # noqa: S101  # connector_kind has seen to it
    kept = _kept(connector, config)
    checked = check(form_class, {**kept, **_new(config)})
    _demand_again(connector, form_class, kept, checked)
    connector.config = {name: value for name, value in checked.items() if name not in kind.secret_fields}
    connector.secrets = {
        name: value for name, value in checked.items() if name in kind.secret_fields and value not in EMPTY
    }


def switch(connector: Connector, *, on: bool, actor: audit.Actor, now: datetime) -> bool:
    """Switch it on (what waited leaves in order) or off (what is queued waits a day); return whether it changed."""
    with transaction.atomic():
        if on:
            changed = delivery.switch_on(connector, now)
        else:
            changed = delivery.switch_off(connector, f"switched off by {actor.name}", now)
        if changed:
            audit.record(actor, "switched on" if on else "switched off", connector, now=now)
    return changed


def try_out(connector: Connector, *, severity: str, resolve: bool, now: datetime) -> base.Result:
    """Send a full sample incident through a connector, stored or not. Calls the outside: never inside a transaction."""
    return delivery.send_test(
        connector.kind,
        connector.settings,
        delivery.sample_message(severity, now),
        now=now,
        resolve_afterwards=resolve,
    )


def shown(connector: Connector) -> dict[str, Any]:
    """Return the settings as they may be seen."""
    return {**connector.config, **dict.fromkeys(connector.secrets, SET)}


def moved(before: object, after: object) -> bool:
    """Whether two addresses lead to different servers (another scheme, host or port); "" leads nowhere."""
    return _server(str(before or "")) != _server(str(after or ""))


def check(form_class: type[forms.Form], given: Mapping[str, Any], path: str = "config") -> dict[str, Any]:
    """Return JSON settings as the form cleans them; what is left out has the form's own value. Raises Invalid."""
    fields = form_class.base_fields
    wrong = [
        _fault(path, name, "unknown_field", f"No such setting. Known: {', '.join(fields)}.")
        for name in given
        if name not in fields
    ]
    for name, value in given.items():
        if name in fields and value is not None and not _fits(value, type_of(fields[name])):
            wrong.append(_fault(path, name, "wrong_type", f"Send a JSON {type_of(fields[name])}."))
    if wrong:
        raise Invalid(*wrong)
    initial = {name: field.initial for name, field in fields.items() if field.initial is not None}
    form = form_class(data={**initial, **given})
    if not form.is_valid():
        found = form.errors.get_json_data()
        raise Invalid(
            *[
                _fault(path, "" if name == "__all__" else name, one["code"] or "invalid", one["message"])
                for name, errors in found.items()
                for one in errors
            ]
        )
    return dict(form.cleaned_data)


def json_schema(form_class: type[forms.Form], secret_fields: frozenset[str]) -> dict[str, Any]:
    """Return a JSON schema (draft 2020-12) of a kind's form, made from the form itself."""
    fields = form_class.base_fields
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, field in fields.items() if field.required and type_of(field) != "boolean"],
        "properties": {name: _described(field, name in secret_fields) for name, field in fields.items()},
    }


def type_of(field: forms.Field) -> str:
    """Return the JSON type of a form field."""
    return next((word for one, word in TYPES if isinstance(field, one)), "string")


def _described(field: forms.Field, secret: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": type_of(field),
        "title": str(field.label or ""),
        "description": str(field.help_text),
    }
    if isinstance(field, forms.URLField):
        told["format"] = "uri"
    if isinstance(field, forms.EmailField):
        told["format"] = "email"
    if isinstance(field, forms.ChoiceField):
        words = [str(value) for value, _ in cast("list[tuple[Any, Any]]", field.choices)]
        told.update({"items": {"type": "string", "enum": words}} if told["type"] == "array" else {"enum": words})
    limits = {"maxLength": "max_length", "minLength": "min_length", "minimum": "min_value", "maximum": "max_value"}
    told.update({word: getattr(field, name) for word, name in limits.items() if getattr(field, name, None) is not None})
    if field.initial is not None and not callable(field.initial):
        told["default"] = field.initial
    if secret:
        told["writeOnly"] = True
    return {name: value for name, value in told.items() if value != ""}


def _kept(connector: Connector, config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in connector.secrets.items() if config.get(name, SET) == SET}


def _demand_again(
    connector: Connector, form_class: type[forms.Form], kept: Mapping[str, Any], checked: Mapping[str, Any]
) -> None:
    before = connector.settings
    addresses = [name for name, field in form_class.base_fields.items() if isinstance(field, forms.URLField)]
    if kept and any(moved(before.get(name), checked.get(name)) for name in addresses):
        raise Invalid(*[_fault("config", name, "address_changed", MOVED) for name in kept])


def _server(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)


def _new(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value != SET}


def _fits(value: Any, wanted: str) -> bool:
    return isinstance(value, SHAPES[wanted]) and (wanted == "boolean" or not isinstance(value, bool))


def _fault(path: str, name: str, code: str, detail: str) -> FieldError:
    return FieldError(field=f"{path}.{name}".rstrip("."), code=code, detail=detail)

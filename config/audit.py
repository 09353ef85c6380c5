"""Who changed which setting: one append-only trail for REST, console and commands alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import models

from config.models import AuditEntry
from config.secrets import MASK, EncryptedJSONField
from config.wire import instant

# Values that open something, and values that only say when a row was touched.
SECRET_NAMES = frozenset({"password", "token_hash", "key_hash", "old_key_hash", "code_hash", "secrets", "secret"})
NOISE = frozenset({"id", "uuid", "created_at", "updated_at", "last_login", "last_used_at", "last_event_at"})


@dataclass(frozen=True)
class Actor:
    """Who does something, by name and, for a person, by uuid; and through which door: console, api, command."""

    name: str
    id: str = ""
    via: str = ""


TOCSIN = Actor("Tocsin")


@dataclass(frozen=True)
class Secret:
    """A value that is compared and never shown."""

    value: object

    def shown(self) -> str | None:
        """Return the mask, or None if there is nothing behind it."""
        return MASK if self.value else None


def record(
    actor: Actor, action: str, thing: models.Model, changes: Mapping[str, Any] | None = None, *, now: datetime
) -> AuditEntry:
    """Add a line to the trail, in the caller's transaction. `changes`: of `differences`, or any JSON to be shown."""
    return AuditEntry.objects.create(
        at=now,
        actor=actor.name[:255],
        actor_id=actor.id,
        via=actor.via,
        action=action,
        kind=thing._meta.label_lower,
        object_id=str(getattr(thing, "uuid", thing.pk) or ""),
        name=str(thing)[:255],
        changes=dict(changes or {}),
    )


def snapshot(thing: models.Model) -> dict[str, Any]:
    """Return a row's own columns as JSON, references by the name people know, secrets as Secret."""
    return {
        field.name: _value(thing, field)
        for field in thing._meta.concrete_fields
        if field.name not in NOISE and not field.primary_key
    }


def secrets_of(thing: models.Model) -> dict[str, Secret]:
    """Return only the secret columns, to tell that one of them changed."""
    return {name: value for name, value in snapshot(thing).items() if isinstance(value, Secret)}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return field -> [before, after] for what differs; a changed secret shows as the mask where it is set."""
    return {
        name: [_shown(before.get(name)), _shown(after.get(name))]
        for name in dict.fromkeys([*before, *after])
        if name not in NOISE and before.get(name) != after.get(name)
    }


def _value(thing: models.Model, field: "models.Field[Any, Any]") -> Any:
    if isinstance(field, EncryptedJSONField) or field.name in SECRET_NAMES:
        return Secret(getattr(thing, field.attname))
    if isinstance(field, models.ForeignKey):
        other = getattr(thing, field.name)
        return None if other is None else str(getattr(other, "username", other))
    value = getattr(thing, field.attname)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)


def _shown(value: Any) -> Any:
    return value.shown() if isinstance(value, Secret) else value

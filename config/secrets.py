"""Secrets at rest: a JSON column that only the holder of TOCSIN_FIELD_KEYS can read, and masking for texts.

Keys are Fernet keys (https://cryptography.io/en/latest/fernet/), newest first: the first encrypts, all decrypt,
so that a key is rotated by putting a new one in front and running `manage.py rotate_keys`.
"""

import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

MASK = "•••"


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as exc:
        raise ImproperlyConfigured(
            "TOCSIN_FIELD_KEYS: each key must be 32 bytes in URL-safe base64. Make one with: "
            "python3 -c 'import base64,os;print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
        ) from exc


def encrypt(value: object) -> str:
    """Return a JSON value as a Fernet token under the newest key."""
    return _box(tuple(settings.FIELD_KEYS)).encrypt(json.dumps(value).encode()).decode()


def decrypt(token: str) -> Any:
    """Return the JSON value of a token. Raises ImproperlyConfigured if none of the keys opens it."""
    try:
        return json.loads(_box(tuple(settings.FIELD_KEYS)).decrypt(token.encode()))
    except InvalidToken as exc:
        raise _no_key() from exc


def renewed(token: str) -> str:
    """Return the same secret under the newest key. Raises ImproperlyConfigured if none of the keys opens it."""
    try:
        return _box(tuple(settings.FIELD_KEYS)).rotate(token.encode()).decode()
    except InvalidToken as exc:
        raise _no_key() from exc


def _no_key() -> ImproperlyConfigured:
    return ImproperlyConfigured(
        "A stored secret cannot be opened: TOCSIN_FIELD_KEYS lacks the key it was written with. Put it back."
    )


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]  # Django has no subscript at run time
    """A JSON value, encrypted at rest. It cannot be searched, and never appears in a form or an answer by itself."""

    _pyi_private_set_type: Any  # what the checker lets pass in and out
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, *_: object) -> Any:
        """Open what is stored."""
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> str | None:
        """Return what is stored."""
        return None if value is None else encrypt(value)

    def value_to_string(self, obj: models.Model) -> str:
        """Return it for a dump: encrypted there too."""
        return encrypt(self.value_from_object(obj))


def mask(text: str, secrets: frozenset[str] | set[str]) -> str:
    """Return the text with every secret of four or more characters replaced, longest first."""
    for secret in sorted((s for s in secrets if len(s) >= 4), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text

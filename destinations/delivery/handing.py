"""Handing one message to its kind, outside any transaction, so that no secret comes back with the answer."""

import base64
import dataclasses
import logging
import re
import time
import traceback
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from config.secrets import mask
from destinations.base import Kind, Message, Outcome, Result, Target, kinds

logger = logging.getLogger(__name__)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")  # PostgreSQL keeps no NUL, and no database half of a surrogate pair
_DEPTH = 20  # levels of a reference that are kept


def hand_over(name: str, target: Target, message: Message) -> Result:
    """Send once through the kind called `name`; whatever happens is a Result, with its duration and without secrets.

    It can be stored: what no database keeps in a text (NUL, a lone surrogate) becomes U+FFFD.
    """
    kind = kinds().get(name)
    if kind is None:
        return Result(outcome=Outcome.REJECTED, detail=f"This Tocsin has no destination kind called {name!r}.")
    began = time.monotonic()
    result = _send(kind, target, message)
    hidden = frozenset(_secrets(kind, target, message))
    return dataclasses.replace(
        result,
        seconds=time.monotonic() - began,
        detail=_storable(mask(result.detail, hidden)),
        answer=_storable(mask(result.answer, hidden)),
        error_code=_storable(mask(result.error_code, hidden)),
        reference=_storable(result.reference),
    )


def _storable(value: Any, levels: int = _DEPTH) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_storable(name): _storable(one, levels - 1) for name, one in value.items()} if levels else {}
    if isinstance(value, list | tuple):
        return [_storable(one, levels - 1) for one in value] if levels else []
    return value


def _send(kind: Kind, target: Target, message: Message) -> Result:
    try:
        return kind.send(target, message)
    except Exception as exc:  # noqa: BLE001 - a fault in one kind must not stop the others; its text may hold a secret
        where = "".join(traceback.format_tb(exc.__traceback__))
        logger.error("kind=%s broke with %s delivery=%s\n%s", kind.name, type(exc).__name__, target.delivery_id, where)
        return Result(
            outcome=Outcome.UNKNOWN,
            error_code=type(exc).__name__,
            detail=f"Sending by {kind.label or kind.name} broke inside Tocsin ({type(exc).__name__}). Report it.",
        )


def _secrets(kind: Kind, target: Target, message: Message) -> Iterator[str]:
    """Yield what an answer must not repeat: secret settings, the addresses they make, and signed links."""
    for given in (target.config, target.address):
        for name, value in given.items():
            secret = name in kind.secret_fields
            for text in _texts(value):
                yield from _forms(text, secret)
        if given.get("username") and given.get("password"):
            pair = f"{given['username']}:{given['password']}"
            yield base64.b64encode(pair.encode()).decode()
    for value in (*message.settings.values(), *target.reference.values()):
        yield from _key_like(value)
    for link in message.reply_links.values():
        yield from _forms(link, secret=True)
        yield link.rstrip("/").rpartition("/")[2]


def _forms(text: str, secret: bool) -> Iterator[str]:
    """Yield the text itself if it is secret, and of an address the parts that often hold a token."""
    if secret:
        yield text
        yield quote(text, safe="")
    if text.startswith(("http://", "https://")):
        parts = urlsplit(text)
        yield text
        yield parts.query
        yield parts.password or ""
        if secret:
            yield from (part for part in parts.path.split("/") if len(part) >= 8)
        if len(parts.path) > 1:
            yield f"{parts.path}?{parts.query}" if parts.query else parts.path


def _key_like(value: Any) -> Iterator[str]:
    """Yield routing keys and the like that a connection set: long words without a space."""
    if isinstance(value, str) and len(value) >= 16 and " " not in value:
        yield value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)

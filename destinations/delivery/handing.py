"""Handing one message to its kind, outside any transaction, so that no secret comes back with the answer."""

import base64
import dataclasses
import logging
import time
import traceback
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from config.secrets import mask
from destinations.base import Kind, Message, Outcome, Result, Target, kinds

logger = logging.getLogger(__name__)


def hand_over(name: str, target: Target, message: Message) -> Result:
    """Send once through the kind called `name`; whatever happens is a Result, with its duration and without secrets."""
    kind = kinds().get(name)
    if kind is None:
        return Result(outcome=Outcome.REJECTED, detail=f"This Tocsin has no destination kind called {name!r}.")
    began = time.monotonic()
    result = _send(kind, target, message)
    hidden = frozenset(_secrets(kind, target, message))
    return dataclasses.replace(
        result,
        seconds=time.monotonic() - began,
        detail=mask(result.detail, hidden),
        answer=mask(result.answer, hidden),
        error_code=mask(result.error_code, hidden),
    )


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

"""The contract of an inbound tool: one pure parser per module, payload in, events out.

Every module in `incidents/sources/` is imported when the app starts; adding one touches no other file but its test
and a line of docs. No parser knows the database, the clock or another parser.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What an event asks for."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One message from a source, in our words, cleaned and within its limits."""

    action: Action = Action.TRIGGER
    dedup_key: str = ""  # at most 255 characters; "" on a trigger: the ingest makes one
    title: str = ""  # one line, at most 255 characters
    description: str = ""
    severity: str = ""  # one of our four words, or "": the source's default
    risk_score: float | None = None
    class_name: str = ""
    source: str = ""
    component: str = ""
    group: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    links: list[dict[str, str]] = field(default_factory=list)  # {"href", "text"}
    images: list[dict[str, str]] = field(default_factory=list)  # {"src", "href", "alt"}
    details: dict[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None
    note: str = ""  # what a person should know of how it was read
    raw: str = ""  # this event's own part of the payload, as text


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of one event, in words that say what to send."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Refused:
    """An event that cannot be taken, on its own: the others of its batch stand."""

    errors: tuple[FieldError, ...]
    dedup_key: str = ""
    raw: str = ""


class Unreadable(ValueError):
    """A payload from which nothing at all can be read. Its text says where and why."""


@dataclass(frozen=True)
class Answer:
    """What a door that stands in for another product says: its own words, not ours."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """What a parser may know of its source."""

    severity_map: Mapping[str, str] = field(default_factory=dict)  # lower-case words of the tool -> ours


Parser = Callable[
    [bytes, Mapping[str, str], Settings], list[Event | Refused]
]  # body, headers (lower-case names), settings


@dataclass(frozen=True)
class SourceKind:
    """One tool that can send events."""

    name: str
    label: str
    parse: Parser
    paste: str = ""  # what to put into the tool; {url} stands for the whole address of its door, {key} for the key
    path: str = "/integrations/{kind}/{key}"

    def address(self, public_url: str, key: str) -> str:
        """Return the URL that the tool sends to."""
        return public_url.rstrip("/") + self.path.replace("{kind}", self.name).replace("{key}", key)

    def instructions(self, public_url: str, key: str) -> str:
        """Return what to put into the tool, ready to be copied."""
        return self.paste.replace("{url}", self.address(public_url, key)).replace("{key}", key)


_kinds: dict[str, SourceKind] = {}


def register(
    name: str, *, label: str, paste: str = "", path: str = "/integrations/{kind}/{key}"
) -> Callable[[Parser], Parser]:
    """Make a parser known under `name`, the word used in REST and in `/integrations/<name>/<key>`."""

    def add(parse: Parser) -> Parser:
        if name in _kinds and _kinds[name].parse is not parse:
            raise TypeError(f"two source kinds are called {name}")
        _kinds[name] = SourceKind(name, label, parse, paste, path)
        return parse

    return add


def load_kinds() -> None:
    """Import every module in `incidents/sources/`."""
    package = importlib.import_module("incidents.sources")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def kind(name: str) -> SourceKind:
    """Return the source kind called `name`. Raises KeyError if there is none."""
    return _kinds[name]


def kinds() -> dict[str, SourceKind]:
    """Return every source kind by name, in order of their labels."""
    return dict(sorted(_kinds.items(), key=lambda item: item[1].label.lower()))


def kind_choices() -> list[tuple[str, str]]:
    """Return (name, label) pairs: a callable, so that a new kind makes no migration."""
    return [(name, one.label) for name, one in kinds().items()]

"""The contract of a destination: what is handed to it, what it must do, and what came of it.

A kind is one module in `destinations/kinds/`; every module there is imported when the app starts, so adding one
edits no list, no settings and no migration.
"""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self

from django import forms

TEST_PREFIX = "[Test message]"  # in front of the title of every test


class Outcome(StrEnum):
    """What came of one attempt."""

    SENT = "sent"  # taken: do not send it again
    RETRY = "retry"  # a passing fault (429, 5xx): send it again later
    REJECTED = "rejected"  # looks permanent (4xx, bad settings): a person has to mend something
    UNKNOWN = "unknown"  # no answer came back: it may or may not have arrived


class Action(StrEnum):
    """What the target is asked to do with its ticket, alert or thread."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    NOTE = "note"  # anything else worth telling: escalated, assigned, a severity that changed


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is told, in words any kind can use. JSON-safe: it is kept in the outbox until it has been handed over."""

    event: str  # the connection's event word: opened, accepted, resolved, noted ...; "page", "code", "test"
    action: Action = Action.NOTE
    key: str = ""  # stable for one subject: the dedup key at the target ("incident:<uuid>")
    title: str = ""
    text: str = ""  # plain text, a few lines
    severity: str = ""  # critical, error, warning, info
    status: str = ""  # PENDING, ACCEPTED, RESOLVED
    number: int | None = None
    url: str = ""  # the incident in the console
    source: str = ""
    component: str = ""
    group: str = ""
    class_name: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    links: list[dict[str, str]] = field(default_factory=list)  # {"href", "text"}
    images: list[dict[str, str]] = field(default_factory=list)  # {"src", "href", "alt"}
    actor: str = ""  # who did it, in words; "" for the machine
    channel: str = ""  # where they did it: web, api, slack ...; "" if it is not known
    occurred_at: str = ""  # RFC 3339 in UTC
    reply_links: dict[str, str] = field(default_factory=dict)  # acknowledge, resolve, escalate -> signed address
    settings: dict[str, Any] = field(default_factory=dict)  # of the connection, per kind: routing_key, channel ...
    document: dict[str, Any] = field(default_factory=dict)  # the incident as REST shows it, for machines
    test: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read a stored message; names that a newer version wrote and this one does not know are dropped."""
        known = {f.name for f in dataclasses.fields(cls)}
        given = {name: value for name, value in stored.items() if name in known}
        return cls(**{**given, "action": Action(given.get("action", Action.NOTE))})


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where one attempt goes, with everything a kind may need to be understood as the same message again."""

    config: dict[str, Any] = field(
        default_factory=dict
    )  # the connector's settings with secrets; {}: the installation's own
    address: dict[str, Any] = field(
        default_factory=dict
    )  # a person's contact method: {"address": ..., + its secret fields}
    reference: dict[str, Any] = field(default_factory=dict)  # what earlier deliveries of the lane returned
    delivery_id: str = ""  # the same over all retries: the receiver's idempotency key
    now: datetime  # of this attempt
    timeout: timedelta = timedelta(seconds=10)  # for the whole send


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one attempt. `detail` and `answer` never hold a secret."""

    outcome: Outcome
    detail: str = ""  # for the operator: what happened and what to fix
    status: int | None = None  # HTTP or SMTP status
    error_code: str = ""  # the target's own word for the failure
    answer: str = ""  # an excerpt of what it answered
    reference: dict[str, Any] = field(default_factory=dict)  # ids to update or resolve it later
    retry_after: timedelta | None = None  # if the target named a wait
    seconds: float = 0.0  # how long it took


class Kind:
    """One way to tell: subclass it, set what differs, write `send`."""

    name: ClassVar[str] = ""
    label: ClassVar[str] = ""
    group: ClassVar[str] = "Chat"  # the shelf on "+ New alert destination": Chat, Paging, Tickets, Phone, Webhook
    blurb: ClassVar[str] = ""  # what it does, in six words
    help: ClassVar[str] = ""  # what to click in the other product, one short paragraph
    priority: ClassVar[int] = 1  # Delivery.Priority of its messages when it is a connector
    config_form: ClassVar[type[forms.Form] | None] = None  # a connector's settings; None: it cannot be a connector
    address_form: ClassVar[type[forms.Form] | None] = None  # a person's contact method; None: it reaches no person
    settings_form: ClassVar[type[forms.Form] | None] = None  # per connection: routing key, channel, project
    secret_fields: ClassVar[frozenset[str]] = frozenset()  # of both forms: encrypted at rest, never shown again

    def send(self, target: Target, message: Message) -> Result:
        """Hand the message over once and say what came of it. Raises nothing for what can be expected to go wrong."""
        raise TypeError(f"{type(self).__name__} does not say how it sends")

    def reference_for(self, config: Mapping[str, Any], message: Message) -> dict[str, Any]:
        """Return what must be remembered of a send before it is made, such as the routing key it went to."""
        return {}

    def normal_address(self, address: str) -> str:
        """Return the address in the one form in which it is stored and compared."""
        return address.strip()


_kinds: dict[str, Kind] = {}


def register(name: str) -> Callable[[type[Kind]], type[Kind]]:
    """Make a kind known under `name`, the word used in REST, YAML and the database."""

    def add(cls: type[Kind]) -> type[Kind]:
        if name in _kinds and type(_kinds[name]) is not cls:
            raise TypeError(f"two destination kinds are called {name}")
        cls.name = name
        _kinds[name] = cls()
        return cls

    return add


def load_kinds() -> None:
    """Import every module in `destinations/kinds/`."""
    package = importlib.import_module("destinations.kinds")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def kind(name: str) -> Kind:
    """Return the kind called `name`. Raises KeyError if no module registered it."""
    return _kinds[name]


def kinds() -> dict[str, Kind]:
    """Return every registered kind by name, in order of their labels."""
    return dict(sorted(_kinds.items(), key=lambda item: item[1].label.lower()))


def kind_choices() -> list[tuple[str, str]]:
    """Return (name, label) pairs: a callable, so that a new kind makes no migration."""
    return [(name, one.label) for name, one in kinds().items()]

"""Pure: what is written down about one trouble, as values: lines of the timeline, steps taken, messages, the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incidents.demo.troubles import Trouble


@dataclass(frozen=True)
class Way:
    """One way to a person, and after how many minutes it is used; None: not for this urgency."""

    kind: str
    address: str
    high: int | None
    low: int | None


@dataclass(frozen=True)
class Person:
    """Somebody of the team."""

    key: str
    name: str
    username: str
    zone: str
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True)
class Step:
    """Tell whoever `find` leads to at an instant (None: nobody), then wait."""

    target: str  # in words
    minutes: int
    find: Callable[[datetime], Person | None]


@dataclass(frozen=True)
class Line:
    """One entry of the timeline. `who`: the person's key, if it was one."""

    at: datetime
    kind: str
    originator: str
    facts: dict[str, Any] = field(default_factory=dict)
    who: str = ""
    via: str = ""


@dataclass(frozen=True)
class Taken:
    """One execution of a step."""

    sequence: int
    position: int
    loop: int
    at: datetime
    target: str
    person: Person | None


@dataclass(frozen=True)
class Try:
    """One attempt to hand a message over."""

    at: datetime
    seconds: float
    status: int | None
    outcome: str
    answer: str


@dataclass(frozen=True)
class Sending:
    """One message: a page of an execution (`page` is its person), or news to a connection. `name` names its row."""

    name: str
    due_at: datetime
    state: str
    settled_at: datetime
    tries: tuple[Try, ...] = ()
    detail: str = ""
    page: Person | None = None
    way: Way | None = None
    sequence: int = 0
    connection: str = ""
    event: str = "page"


@dataclass
class Story:
    """Everything that is to be written down about one trouble."""

    trouble: Trouble
    urgency: str
    policy: str
    lines: list[Line] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    sendings: list[Sending] = field(default_factory=list)
    heard: list[tuple[datetime, str]] = field(default_factory=list)  # events of the tool: when, which action
    answered_by: Person | None = None
    answered_at: datetime | None = None
    closed_by: Person | None = None
    closed_at: datetime | None = None
    over: bool = False  # the tool has said so
    told: bool | None = None
    told_reason: str = ""

    @property
    def last_event_at(self) -> datetime:
        """When the tool spoke last."""
        return self.heard[-1][0]


@dataclass(frozen=True)
class World:
    """What a story needs to know of the team: its policies' steps, and which connections hear of a source."""

    urgency: Callable[[str], str]  # of a severity; "" pages nobody
    policy_of: Callable[[str], str]  # of a source
    steps: dict[str, tuple[Step, ...]]
    hears: Callable[[str, str], Sequence[str]]  # (source, severity) -> connections

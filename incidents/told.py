"""Who was told of an incident, by what, and what came of it: a line for each way, a block for each person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from destinations.base import kinds
from incidents.models import Execution, Incident, Page
from oncall.models import User

WORDS: Mapping[Page.State, tuple[str, str]] = {  # how it looks, how it is said
    Page.State.WAITING: ("quiet", "waits"),
    Page.State.SENT: ("good", "sent"),
    Page.State.FAILED: ("bad", "failed"),
    Page.State.UNKNOWN: ("warn", "no answer: it may have arrived"),
}
INFORMING = [reason for reason in Execution.Reason if reason.informs]
NEWEST = 4  # ways shown for one person


@dataclass(frozen=True)
class Way:
    """One page: `at` is when it was settled, or when it is due."""

    kind: str  # in the reader's words: "Email"
    address: str
    mark: str
    words: str
    detail: str
    at: datetime
    waiting: bool


@dataclass(frozen=True)
class Told:
    """A person and the latest ways in which they were told, newest last."""

    user: User
    ways: tuple[Way, ...]


def told(incident: Incident) -> list[Told]:
    """Return who was paged of an incident, in the order in which they first were. One query."""
    pages = (
        Page.objects.filter(incident=incident)
        .exclude(execution__reason__in=INFORMING)
        .exclude(state=Page.State.CANCELLED)
        .select_related("user")
        .order_by("pk")
    )
    people: dict[int, User] = {}
    ways: dict[int, list[Way]] = {}
    for page in pages:
        people[page.user_id] = page.user
        ways.setdefault(page.user_id, []).append(_way(page))
    return [Told(user, tuple(ways[pk][-NEWEST:])) for pk, user in people.items()]


def _way(page: Page) -> Way:
    mark, words = WORDS[Page.State(page.state)]
    kind = kinds().get(page.kind)
    return Way(
        kind=kind.label if kind else page.kind,
        address=page.address,
        mark=mark,
        words=words,
        detail=page.detail if page.state == Page.State.FAILED else "",
        at=page.settled_at or page.due_at,
        waiting=page.state == Page.State.WAITING,
    )

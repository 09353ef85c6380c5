"""Deliveries as lines for people: to whom, of what, and where it stands in words."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from config.access import visible
from destinations import retry
from destinations.base import kinds
from destinations.models import Delivery
from incidents.hearing import WORDS
from incidents.models import Incident
from oncall.models import ContactMethod, User

State = Delivery.State
METHOD, INCIDENT = "contact-method:", "incident:"
HEAVY = ("message", "target", "reference")  # encrypted: read by one delivery's own page alone
MARKS = {
    State.SENT: "good",
    State.QUEUED: "warn",
    State.SENDING: "warn",
    State.UNKNOWN: "bad",
    State.FAILED: "bad",
    State.CANCELLED: "quiet",
}
EVENTS = {**WORDS, "page": "page", "code": "code to verify a contact", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One delivery, and what it takes to speak of it."""

    delivery: Delivery
    incident: Incident | None = None  # None: about none, or about one that this person may not know of
    method: ContactMethod | None = None

    @property
    def to(self) -> str:
        """Whom it is for: a person, or a destination."""
        if self.method is not None:
            return f"{self.method.user.get_full_name() or self.method.user.username}"
        return self.delivery.connector.name if self.delivery.connector else "a contact that is gone"

    @property
    def kind(self) -> str:
        """What it goes through."""
        kind = kinds().get(self.delivery.kind)
        return kind.label if kind else self.delivery.kind

    @property
    def event(self) -> str:
        """What it tells."""
        return EVENTS.get(self.delivery.event, self.delivery.event)

    @property
    def headline(self) -> str:
        """Whom it tells what: "Ops webhook: accepted"."""
        return f"{self.to}: {self.event}"

    @property
    def mark(self) -> str:
        """good, warn, bad or quiet."""
        return MARKS[State(self.delivery.state)]

    @property
    def state(self) -> str:
        """Where it stands, in few words; what waits for a destination that is off says so."""
        delivery = self.delivery
        if delivery.state == State.QUEUED and self.held:
            return "waits: the destination is off"
        if delivery.state == State.QUEUED and delivery.tries:
            return f"tried {_times(delivery.tries)}, tried again soon"
        words = {
            State.QUEUED: "waits to be sent",
            State.SENDING: "is being sent",
            State.SENT: "sent",
            State.UNKNOWN: "no answer: may have arrived",
            State.FAILED: "failed",
            State.CANCELLED: "not sent",
        }
        return words[State(delivery.state)]

    @property
    def held(self) -> bool:
        """Whether it waits for a destination that is switched off; a page does not."""
        connector = self.delivery.connector
        return connector is not None and not connector.enabled and self.delivery.priority != Delivery.Priority.PAGE

    @property
    def settled(self) -> bool:
        """Whether it has come to an end, so that it may be sent again."""
        return self.delivery.state not in Delivery.OPEN

    def next(self, now: datetime) -> str:
        """Say what happens next, or "" if nothing will."""
        delivery = self.delivery
        if self.settled:
            return ""
        if self.held:
            return f"It leaves when {self.to} is switched on again; after a day of waiting it is cancelled instead."
        if delivery.state == State.SENDING:
            return "It is being handed over right now."
        page = delivery.priority == Delivery.Priority.PAGE
        tries = len(retry.PAGE_WAITS if page else retry.CONNECTOR_WAITS) + 1
        if not delivery.tries:
            return "It leaves as soon as its turn comes."
        return f"{_times(delivery.tries).capitalize()} tried; at most {tries} tries, then it is given up and kept here."


def lines(user: User, deliveries: QuerySet[Delivery] | Sequence[Delivery]) -> list[Line]:
    """Return deliveries as lines in a fixed number of queries; incidents hidden from this person stay unnamed."""
    if isinstance(deliveries, QuerySet):
        deliveries = deliveries.select_related("connector").defer(*HEAVY)
    rows = list(deliveries)
    incidents = {
        row.subject: row
        for row in visible(
            user,
            Incident.objects.filter(uuid__in=uuids((one.subject for one in rows), INCIDENT)).select_related("team"),
        )
    }
    methods = {
        f"{METHOD}{row.uuid}": row
        for row in ContactMethod.objects.filter(uuid__in=uuids((one.recipient for one in rows), METHOD)).select_related(
            "user"
        )
    }
    return [Line(delivery=row, incident=incidents.get(row.subject), method=methods.get(row.recipient)) for row in rows]


def uuids(names: Iterable[str], prefix: str) -> set[uuid.UUID]:
    """Return the ids of those opaque names that begin with this prefix."""
    return {uuid.UUID(name.removeprefix(prefix)) for name in names if name.startswith(prefix)}


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def message_shown(message: dict[str, Any]) -> dict[str, str]:
    """Return what of a message may be seen: never its settings (routing keys) or its signed links."""
    return {name: str(message.get(name) or "") for name in ("title", "text", "severity", "status")}

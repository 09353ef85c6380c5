"""A night in a few lines: events come in, the clock is moved by hand, and one reads who was told when.

Messages go through the real outbox to the kind "paper", which a test can make fail.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from django import forms

from destinations import delivery
from destinations.base import Kind, Message, Outcome, Result, Target, register
from incidents import escalation, lifecycle, timers
from incidents.models import AlertSource, Incident
from incidents.sources.base import Event
from incidents.timeline import Actor
from oncall.models import User
from tests import factories
from tests.factories import T0


class PaperAddress(forms.Form):
    """Where a slip of paper is laid."""

    address = forms.CharField(max_length=255)


@register("paper")
class Paper(Kind):
    """A slip of paper on a table: what was told, to whom, at which instant."""

    label = "Paper"
    address_form = PaperAddress
    config_form = PaperAddress
    table: ClassVar[list[tuple[datetime, str, Message]]] = []
    torn: ClassVar[set[str]] = set()  # addresses at which nothing can be laid
    mute: ClassVar[set[str]] = set()  # addresses from which no answer comes

    def send(self, target: Target, message: Message) -> Result:
        address = target.address.get("address") or target.config["address"]
        if address in self.torn:
            return Result(outcome=Outcome.REJECTED, detail="the paper is torn", status=550)
        if address in self.mute:
            return Result(outcome=Outcome.UNKNOWN, detail="no answer came")
        self.table.append((target.now, address, message))
        return Result(outcome=Outcome.SENT)


@dataclass
class Night:
    """The clock, and what it moves."""

    now: datetime = T0
    seen: int = 0
    incidents: list[Incident] = field(default_factory=list)

    def person(
        self, name: str, *, after: tuple[int, ...] = (0,), low: tuple[int, ...] = (0,), **values: object
    ) -> User:
        """A person with one slip of paper after each of these minutes."""
        user = factories.make_user(name, email_after=None, **values)
        method = factories.make_method(user, "paper", name)
        for minutes in after:
            factories.make_rule(user, method, minutes=minutes)
        for minutes in low:
            factories.make_rule(user, method, urgency="low", minutes=minutes)
        return user

    def event(self, source: AlertSource, *events: Event) -> Incident:
        """Let a source speak, and the engine do what is due at once."""
        results = factories.send(source, *(events or (factories.event(dedup_key="db"),)), now=self.now)
        self.work()
        incident = results[-1].incident
        assert incident is not None
        return self.fresh(incident)

    def work(self) -> None:
        """Do whatever is due now, until nothing is."""
        for _ in range(20):
            moved = timers.run_due(self.now, 100) + escalation.run_due(self.now, 100) + delivery.run_due(self.now, 100)
            if not moved:
                return
        raise AssertionError("the engine goes round like a top")

    def until(self, minutes: float) -> None:
        """Let time pass until so many minutes after noon, second by second where something is due."""
        end = T0 + timedelta(minutes=minutes)
        self.work()
        while self.now < end:
            self.now = min(self.now + timedelta(seconds=15), end)
            self.work()

    def sleep_until(self, minutes: float) -> None:
        """The engine is down until then, and works once."""
        self.now = T0 + timedelta(minutes=minutes)
        self.work()

    def told(self) -> list[tuple[float, str]]:
        """Return (minutes after noon, whom) of what was told since the last call, in order."""
        new = Paper.table[self.seen :]
        self.seen = len(Paper.table)
        return [(round((at - T0).total_seconds() / 60, 2), who) for at, who, _ in new]

    def by(self, user: User) -> Actor:
        """That person, in the console."""
        return Actor.person(user, "console")

    def acknowledge(self, incident: Incident, user: User) -> Incident:
        """The person acknowledges now."""
        lifecycle.single(lifecycle.acknowledge([incident], by=self.by(user), now=self.now))
        self.work()
        return self.fresh(incident)

    def escalate(self, incident: Incident, user: User, *, sent_for: int | None = None) -> Incident:
        """The person asks for the next step now."""
        lifecycle.single(lifecycle.escalate([incident], by=self.by(user), now=self.now, sent_for=sent_for))
        self.work()
        return self.fresh(incident)

    @staticmethod
    def fresh(incident: Incident) -> Incident:
        """Return the incident as it is in the database."""
        return Incident.objects.get(pk=incident.pk)

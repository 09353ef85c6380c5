"""A night told aloud: mail and pushes reach real servers on loopback, the clock is moved by hand, in Riga's time."""

import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from destinations import connectors, delivery
from destinations.models import Connector, Delivery
from incidents import connecting, escalation, lifecycle, timers
from incidents.models import AlertSource, Connection, Incident, Run
from incidents.sentences import sentence
from incidents.sources.base import Event
from incidents.timeline import Actor
from oncall.models import User
from tests import factories
from tests.sinks import HttpSink, Received, SmtpSink

RIGA = zoneinfo.ZoneInfo("Europe/Riga")  # UTC+2 in November
TOOK = re.compile(r" in \d+\.\d s")
EVENING = datetime(2026, 11, 20, 22, 0, tzinfo=RIGA).astimezone(UTC)


@dataclass
class LoudNight:
    """From 22:00 on. `heard` says what reached whom, and when."""

    mail: SmtpSink
    web: HttpSink
    now: datetime = EVENING
    noted: list[tuple[str, str]] = field(default_factory=list)
    letters: int = 0
    requests: int = 0

    def person(self, name: str, *, phone_after: int | None = None, **columns: Any) -> User:
        """Somebody who is mailed at once and, if it is so, gets a push to the phone minutes later."""
        user = factories.make_user(name, **columns)
        if phone_after is not None:
            phone = factories.make_method(user, "ntfy", f"{self.web.url}/phone-of-{name}")
            factories.make_rule(user, phone, minutes=phone_after)
        return user

    def connect(self, kind: str, **config: str) -> Connection:
        """Connect a system to every source; it hears of opened, accepted and resolved."""
        connector = connectors.save(Connector(name=kind.title(), kind=kind), config=config)
        return connecting.save(Connection(), connector=connector, events=["opened", "accepted", "resolved"])

    def event(self, source: AlertSource, *events: Event) -> Incident:
        """Let the source speak; the engine does at once what is due."""
        results = factories.send(source, *(events or (factories.event(dedup_key="db"),)), now=self.now)
        self.work()
        assert results[-1].incident is not None
        return self.fresh(results[-1].incident)

    def work(self) -> None:
        """Do whatever is due now, until nothing is."""
        for _ in range(30):
            moved = timers.run_due(self.now, 100) + escalation.run_due(self.now, 100) + delivery.run_due(self.now, 100)
            self._note()
            if not moved:
                return
        raise AssertionError("the engine goes round like a top")

    def until(self, wall: str) -> None:
        """Let time pass until the next time a clock in Riga shows this, stopping wherever something is due."""
        end = self._next(wall)
        while (due := self._next_due()) is not None and due <= end:
            self.now = due
            self.work()
        self.now = end
        self.work()

    def acknowledge(self, incident: Incident, user: User) -> Incident:
        """The person acknowledges in the console."""
        lifecycle.single(lifecycle.acknowledge([incident], by=Actor.person(user, "console"), now=self.now))
        self.work()
        return self.fresh(incident)

    def heard(self) -> list[tuple[str, str]]:
        """Return (clock in Riga, whom and what) of all that was told since the last call; mail before the rest."""
        noted, self.noted = self.noted, []
        return noted

    @staticmethod
    def fresh(incident: Incident) -> Incident:
        """Return the incident as it is in the database."""
        return Incident.objects.get(pk=incident.pk)

    @staticmethod
    def story(incident: Incident) -> list[str]:
        """Return the timeline as people read it, without how long each send took, and without connected systems."""
        told = incident.timeline.exclude(kind="deliver").order_by("number")
        return [TOOK.sub("", sentence(entry)) for entry in told]

    @staticmethod
    def told_systems(incident: Incident) -> list[str]:
        """Return what the timeline says of connected systems."""
        return [TOOK.sub("", sentence(entry)) for entry in incident.timeline.filter(kind="deliver").order_by("number")]

    def _next(self, wall: str) -> datetime:
        hour, minute = map(int, wall.split(":"))
        local = self.now.astimezone(RIGA)
        at = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return (at if at >= local else at + timedelta(days=1)).astimezone(UTC)

    def _next_due(self) -> datetime | None:
        later: Sequence[datetime | None] = [
            *Run.objects.filter(due_at__gt=self.now).values_list("due_at", flat=True),
            *Delivery.objects.filter(due_at__gt=self.now, state="queued").values_list("due_at", flat=True),
            *Incident.objects.filter(snoozed_until__gt=self.now).values_list("snoozed_until", flat=True),
            *Incident.objects.filter(ack_timeout_at__gt=self.now).values_list("ack_timeout_at", flat=True),
        ]
        return min((one for one in later if one), default=None)

    def _note(self) -> None:
        wall = f"{self.now.astimezone(RIGA):%H:%M}"
        letters, requests = self.mail.letters[self.letters :], self.web.requests[self.requests :]
        self.letters, self.requests = self.letters + len(letters), self.requests + len(requests)
        heard = sorted(f"mail to {one.recipients[0].partition('@')[0]}" for one in letters)
        self.noted += [(wall, one) for one in [*heard, *map(_said, requests)]]


def _said(request: Received) -> str:
    match request.path:
        case "/":
            return str(request.json["topic"]).replace("-", " ")
        case "/v2/enqueue":
            return f"pagerduty {request.json['event_action']}"
        case "/hook":
            return f"webhook {request.json['type'].removeprefix('incident.')}"
        case path:
            return path.strip("/")

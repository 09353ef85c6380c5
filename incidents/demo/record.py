"""Stories as rows: everything the engine would have written, already settled, with nothing left to be done."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce

from config.wire import instant
from incidents.demo.cast import Cast
from incidents.demo.sent import Mailroom
from incidents.demo.story import Line, Story
from incidents.demo.telling import SOURCE
from incidents.demo.uuids import uuid_of
from incidents.models import (
    AlertSource,
    Assignment,
    Execution,
    Incident,
    RawEvent,
    Run,
    Status,
    TimelineEntry,
)
from oncall import policies

OUTCOMES = {"trigger": RawEvent.Outcome.UPDATED, "resolve": RawEvent.Outcome.RESOLVED}
LABELS = {"environment": "production"}
MARK = {"demo": "true"}  # one of Tocsin's own labels, to be filtered by
Key = tuple[int, str]  # source, dedup key


@dataclass
class Recorder:
    """Writes stories of one cast. `now`: what is older than its retention is left out."""

    cast: Cast
    mailroom: Mailroom
    latest: dict[Key, int]  # the last incident of each key: the next links to it
    now: datetime

    @transaction.atomic
    def write(self, stories: Sequence[Story]) -> None:
        """Write some stories with all that belongs to them; all or nothing."""
        incidents = self._incidents(stories)
        pairs = list(zip(stories, incidents, strict=True))
        executions = self._climbs(pairs)
        self.mailroom.pages(pairs, executions)
        self.mailroom.deliveries(pairs)
        TimelineEntry.objects.bulk_create(entry for story, row in pairs for entry in self._entries(story, row))
        Assignment.objects.bulk_create(self._assignments(pairs))
        RawEvent.objects.bulk_create(event for story, row in pairs for event in self._raw(story, row))

    # --- the incident ----------------------------------------------------------------------------------------------
    def _incidents(self, stories: Sequence[Story]) -> list[Incident]:
        rows = Incident.objects.bulk_create([self._incident(story) for story in stories])
        followed = []
        for row in rows:
            row.previous_id = self.latest.get((row.alert_source_id, row.dedup_key))
            self.latest[row.alert_source_id, row.dedup_key] = row.pk
            if row.previous_id:
                followed.append(row)
        Incident.objects.bulk_update(followed, ["previous"])
        mine = Incident.objects.filter(pk__in=[row.pk for row in rows])
        mine.update(created_at=F("opened_at"), updated_at=Coalesce("closed_at", "acknowledged_at", "last_event_at"))
        return rows

    def _incident(self, story: Story) -> Incident:
        trouble, fault = story.trouble, story.trouble.fault
        closed, answered = story.closed_at is not None, story.answered_at is not None
        return Incident(
            uuid=uuid_of(trouble.name),
            alert_source=self.cast.sources[fault.source],
            dedup_key=trouble.key,
            status=Status.RESOLVED if closed else Status.ACCEPTED if answered else Status.PENDING,
            firing=not closed,
            title=trouble.title,
            description=fault.description,
            severity=fault.severity,
            urgency=story.urgency,
            class_name=fault.class_name,
            origin=trouble.place,
            component=fault.component,
            labels=LABELS,
            contextual_labels=MARK,
            details=_details(story),
            links=[{"href": "https://wiki.example.com/runbooks/" + fault.class_name, "text": "Runbook"}],
            occurred_at=trouble.opened_at,
            opened_at=trouble.opened_at,
            last_event_at=story.last_event_at,
            events=sum(action == "trigger" for _, action in story.heard),
            escalation_policy=self.cast.policies[story.policy],
            team=self.cast.policies[story.policy].team,
            acknowledged_by=self.cast.users[story.answered_by.key] if story.answered_by else None,
            acknowledged_at=story.answered_at,
            closed_at=story.closed_at,
            closed_by=self.cast.users[story.closed_by.key] if story.closed_by else None,
            told=story.told,
            told_reason=story.told_reason,
            version=len(story.lines),
            entries=len(story.lines),
        )

    def _assignments(self, pairs: Iterable[tuple[Story, Incident]]) -> list[Assignment]:
        return [
            Assignment(incident=row, user=user, assigned_by=user, assigned_at=story.answered_at)
            for story, row in pairs
            if story.answered_by and story.answered_at and (user := self.cast.users[story.answered_by.key])
        ]

    # --- the climb -------------------------------------------------------------------------------------------------
    def _climbs(self, pairs: Sequence[tuple[Story, Incident]]) -> dict[tuple[int, int], Execution]:
        """Write runs and executions; return each by its incident and sequence number."""
        climbing = [(story, row) for story, row in pairs if story.taken]
        copies = {key: policies.snapshot(policy).to_json() for key, policy in self.cast.policies.items()}
        runs = Run.objects.bulk_create(_run(story, row, copies[story.policy]) for story, row in climbing)
        made = Execution.objects.bulk_create(
            Execution(
                run=run,
                sequence=taken.sequence,
                position=taken.position,
                loop=taken.loop,
                due_at=taken.at,
                at=taken.at,
                targets=[
                    {
                        "target": taken.target,
                        "people": [taken.person.username] if taken.person else [],
                        "reason": "" if taken.person else "nobody is on call",
                    }
                ],
            )
            for (story, _), run in zip(climbing, runs, strict=True)
            for taken in story.taken
        )
        return {(execution.run.incident_id, execution.sequence): execution for execution in made}

    # --- the record ------------------------------------------------------------------------------------------------
    def _entries(self, story: Story, row: Incident) -> list[TimelineEntry]:
        return [
            TimelineEntry(
                uuid=uuid_of(f"{story.trouble.name} entry {number}"),
                incident=row,
                number=number,
                at=line.at,
                kind=line.kind,
                originator=line.originator,
                user=self.cast.users.get(line.who),
                actor=self._actor(line, row.alert_source),
                via="event" if line.originator == SOURCE else line.via,
                facts=self._facts(line, row),
            )
            for number, line in enumerate(story.lines, start=1)
        ]

    def _actor(self, line: Line, source: AlertSource) -> str:
        if line.originator == SOURCE:
            return source.name
        return str(self.cast.users[line.who]) if line.who else ""

    def _facts(self, line: Line, row: Incident) -> dict[str, Any]:
        facts = dict(line.facts)
        if "sending" in facts:
            facts["delivery"] = str(uuid_of(facts.pop("sending")))
        if "connection" in facts:
            connection = self.cast.connections[facts["connection"]]
            facts |= {"connection": str(connection), "connector": connection.connector.name}
        if line.kind == "open" and row.previous_id:
            facts["previous"] = row.previous_id
        return facts

    def _raw(self, story: Story, row: Incident) -> list[RawEvent]:
        kept = self.now - timedelta(days=settings.RAW_EVENT_DAYS)
        return [
            _raw_event(story, row, number, at, action)
            for number, (at, action) in enumerate(story.heard, start=1)
            if at > kept
        ]


def _run(story: Story, row: Incident, copy: Mapping[str, Any]) -> Run:
    """Return the climb at rest: ended with its incident, else halted, so that the engine has nothing to do for it."""
    over = story.closed_at is not None
    return Run(
        incident=row,
        policy=row.escalation_policy,
        snapshot=copy,
        state=Run.State.ENDED if over or story.told is False else Run.State.HALTED,
        position=story.taken[-1].position + 1,
        loop=story.taken[-1].loop,
        taken=len(story.taken),
        started_at=story.trouble.opened_at,
        ended_at=story.closed_at or (story.taken[-1].at if story.told is False else None),
    )


def _details(story: Story) -> dict[str, Any]:
    return {"behind": story.trouble.behind} if story.trouble.behind else {}


def _raw_event(story: Story, row: Incident, number: int, at: datetime, action: str) -> RawEvent:
    body = json.dumps(
        {
            "action": action,
            "dedup_key": row.dedup_key,
            "title": row.title,
            "severity": row.severity,
            "class": row.class_name,
            "source": row.origin,
            "occurred_at": instant(at),
        }
    )
    return RawEvent(
        uuid=uuid_of(f"{story.trouble.name} event {number}"),
        source=row.alert_source,
        received_at=at,
        remote_address="192.0.2.17",  # an address for documentation (RFC 5737)
        user_agent="demo",
        body=body,
        size=len(body.encode()),
        action=action,
        dedup_key=row.dedup_key,
        title=row.title if action == "trigger" else "",
        outcome=RawEvent.Outcome.OPENED if number == 1 else OUTCOMES[action],
        incident=row,
    )

"""What was sent in the demo's stories, as rows: pages and deliveries with their attempts, every one of them settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F

from config.wire import instant
from destinations.base import Action, Message
from destinations.models import Attempt, Delivery
from incidents.broadcast import lane
from incidents.demo.cast import Cast
from incidents.demo.story import Sending, Story
from incidents.demo.uuids import uuid_of
from incidents.document import incident_url
from incidents.models import Execution, Incident, Page, Status
from oncall.models import ContactMethod, NotificationRule

ACTIONS = {"page": Action.TRIGGER, "opened": Action.TRIGGER, "accepted": Action.ACKNOWLEDGE, "resolved": Action.RESOLVE}
Pairs = Sequence[tuple[Story, Incident]]
Executions = Mapping[tuple[int, int], Execution]  # by incident and sequence number


@dataclass(frozen=True)
class Reach:
    """How the cast is reached: by person and kind of way, the rows."""

    methods: Mapping[tuple[int, str], ContactMethod]
    rules: Mapping[tuple[int, str, str], NotificationRule]  # by person, urgency, kind of way

    @classmethod
    def of(cls, cast: Cast) -> "Reach":
        """Read the rows, as people may have changed them meanwhile."""
        users = [user.pk for user in cast.users.values()]
        methods = ContactMethod.objects.filter(user__in=users)
        rules = NotificationRule.objects.filter(user__in=users).select_related("contact_method")
        return cls(
            {(one.user_id, one.kind): one for one in methods},
            {(one.user_id, one.urgency, one.contact_method.kind): one for one in rules},
        )


@dataclass(frozen=True)
class Mailroom:
    """Writes what one cast was sent. `now`: what is older than its retention is left out."""

    cast: Cast
    reach: Reach
    now: datetime

    def pages(self, pairs: Pairs, executions: Executions) -> None:
        """Write the pages of some stories."""
        Page.objects.bulk_create(
            self._page(one, story, row, executions[row.pk, one.sequence])
            for story, row in pairs
            for one in story.sendings
            if one.page
        )

    def _page(self, one: Sending, story: Story, row: Incident, execution: Execution) -> Page:
        method, rule, user_pk = self._way(one, story)
        return Page(
            execution=execution,
            incident=row,
            user_id=user_pk,
            rule=rule,
            contact_method=method,
            rule_key=_rule_key(method, rule),
            kind=one.way.kind if one.way else "",
            address=one.way.address if one.way else "",
            delivery_key=_key(one),
            state=one.state,
            detail=one.detail,
            due_at=one.due_at,
            settled_at=one.settled_at,
        )

    def _way(self, one: Sending, story: Story) -> tuple[ContactMethod | None, NotificationRule | None, int]:
        user_pk, kind = self.cast.users[one.page.key if one.page else ""].pk, one.way.kind if one.way else ""
        return self.reach.methods.get((user_pk, kind)), self.reach.rules.get((user_pk, story.urgency, kind)), user_pk

    def deliveries(self, pairs: Pairs) -> None:
        """Write the deliveries of some stories, with their attempts."""
        kept = self.now - timedelta(days=settings.DELIVERY_DAYS)
        wanted = [(one, story, row) for story, row in pairs for one in story.sendings if one.settled_at > kept]
        rows = Delivery.objects.bulk_create(self._delivery(one, story, row) for one, story, row in wanted)
        mine = Delivery.objects.filter(pk__in=[row.pk for row in rows])
        mine.update(created_at=F("due_at"), updated_at=F("settled_at"))
        Attempt.objects.bulk_create(
            Attempt(
                delivery=row,
                connector_id=row.connector_id,
                at=tried.at,
                seconds=round(tried.seconds, 3),
                status=tried.status,
                outcome=tried.outcome,
                answer=tried.answer,
            )
            for (one, _, _), row in zip(wanted, rows, strict=True)
            for tried in one.tries
        )

    def _delivery(self, one: Sending, story: Story, row: Incident) -> Delivery:
        own = self._to_person(one, story) if one.page else self._to_connection(one, row)
        return Delivery(
            uuid=uuid_of(one.name),
            key=_key(one),
            subject=row.subject,
            event=one.event,
            message=_message(one, story, row).to_json(),
            state=one.state,
            due_at=one.due_at,
            tries=len(one.tries),
            outcome=one.tries[-1].outcome if one.tries else "",
            detail=one.detail,
            settled_at=one.settled_at,
            **own,
        )

    def _to_person(self, one: Sending, story: Story) -> dict[str, Any]:
        method, _, _ = self._way(one, story)
        return {
            "priority": Delivery.Priority.PAGE,
            "kind": one.way.kind if one.way else "",
            "target": {"address": one.way.address if one.way else ""},
            "recipient": f"contact-method:{method.uuid}" if method else "",
        }

    def _to_connection(self, one: Sending, row: Incident) -> dict[str, Any]:
        connection = self.cast.connections[one.connection]
        return {
            "priority": Delivery.Priority.CHAT,
            "kind": connection.connector.kind,
            "connector": connection.connector,
            "lane": lane(connection, row),
            "recipient": f"connection:{connection.uuid}",
        }


def _key(one: Sending) -> str:
    return f"demo:{one.name}"


def _rule_key(method: ContactMethod | None, rule: NotificationRule | None) -> str:
    return f"rule:{rule.pk}" if rule else f"method:{method.pk if method else 0}"


def _message(one: Sending, story: Story, row: Incident) -> Message:
    fault = story.trouble.fault
    status = {"accepted": Status.ACCEPTED, "resolved": Status.RESOLVED}.get(one.event, Status.PENDING)
    return Message(
        event=one.event,
        action=ACTIONS[one.event],
        key=row.subject,
        title=row.title,
        text=row.description,
        severity=row.severity,
        status=status,
        number=row.pk,
        url=incident_url(row),
        source=row.origin,
        component=fault.component,
        class_name=fault.class_name,
        labels=row.labels,
        occurred_at=instant(one.due_at),
    )

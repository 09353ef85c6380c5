"""From a step's people to pages: each person's rules become outbox rows, due when the rule says (N1)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from destinations import delivery
from destinations.base import Message
from destinations.delivery import Order
from destinations.models import Delivery
from incidents.messages import to_person
from incidents.models import Execution, Incident, Page, Run
from oncall.models import ContactMethod, NotificationRule, User

ADDRESSES = "contact-method:"  # how a delivery names its recipient when it is a person


@dataclass(frozen=True)
class Way:
    """One way a person will be told: by this method, after this long, because of this rule (or of none)."""

    method: ContactMethod
    delay: timedelta
    rule: NotificationRule | None = None

    @property
    def key(self) -> str:
        """What makes the page unique within its execution."""
        return f"rule:{self.rule.pk}" if self.rule else f"method:{self.method.pk}"


Ways = Mapping[int, Sequence[Way]]  # by user pk; a person without any is not reachable


def ways_by_rules(users: Iterable[User], urgency: str) -> Ways:
    """Return each person's rules for the urgency whose method is verified and working (N2)."""
    rules = NotificationRule.objects.filter(
        user__in={user.pk for user in users},
        urgency=urgency,
        contact_method__verified_at__isnull=False,
        contact_method__disabled_at=None,
    ).select_related("contact_method")
    ways: dict[int, list[Way]] = {}
    for rule in rules.order_by("delay_minutes", "pk"):
        way = Way(rule.contact_method, timedelta(minutes=rule.delay_minutes), rule)
        ways.setdefault(rule.user_id, []).append(way)
    return ways


def every_way(users: Iterable[User]) -> Ways:
    """Return every verified, working method of each person, at once: how the catch-all is told."""
    methods = ContactMethod.objects.filter(
        user__in={user.pk for user in users}, verified_at__isnull=False, disabled_at=None
    )
    ways: dict[int, list[Way]] = {}
    for method in methods.order_by("pk"):
        ways.setdefault(method.user_id, []).append(Way(method, timedelta(0)))
    return ways


def page(incident: Incident, execution: Execution, people: Sequence[User], ways: Ways, *, now: datetime) -> None:
    """Page these people for this execution; what was left of their earlier sequences is dropped (E9)."""
    drop(incident, people, reason="a later step pages this person anew", now=now)
    pages, orders = [], []
    for user in people:
        message = to_person(incident, user, execution, now)
        for way in ways.get(user.pk, ()):
            planned = _plan(incident, execution, user, way)
            pages.append(planned)
            orders.append(_order(planned, way, incident, message))
    Page.objects.bulk_create(pages, ignore_conflicts=True)
    delivery.enqueue(orders, now=now)


def drop(incident: Incident, people: Sequence[User] | None = None, *, reason: str, now: datetime) -> None:
    """Cancel the pages of these people (or of everyone) that have not left yet."""
    waiting = Page.objects.filter(incident=incident, state=Page.State.WAITING)
    _drop(waiting if people is None else waiting.filter(user__in=[user.pk for user in people]), reason, now)


def drop_all(incidents: Sequence[Incident], *, reason: str, now: datetime) -> None:
    """Cancel every page about these incidents that has not left yet (E3)."""
    if incidents:
        pks = [incident.pk for incident in incidents]
        _drop(Page.objects.filter(incident__in=pks, state=Page.State.WAITING), reason, now)


def _drop(waiting: QuerySet[Page], reason: str, now: datetime) -> None:
    keys = list(waiting.values_list("delivery_key", flat=True))
    if keys:
        delivery.cancel(keys=keys, reason=reason, now=now)


def inform(
    incidents: Sequence[Incident],
    runs: Mapping[int, Run],
    reason: Execution.Reason,
    *,
    but: User | None,
    now: datetime,
) -> None:
    """Tell those who had been paged how it went on: who has it (E3), or that it is over if they want to know (E5).

    `runs`: the live run of each incident by incident pk. One query finds out that nobody is to be told.
    """
    paged = Page.objects.filter(incident__in=[i.pk for i in incidents if i.pk in runs], state=Page.State.SENT)
    if reason == Execution.Reason.RESOLVED:
        paged = paged.filter(user__wants_resolved=True)
    else:
        paged = paged.filter(kind__in=GENTLE)
    paged = paged.exclude(execution__reason__in=[Execution.Reason.ACCEPTED, Execution.Reason.RESOLVED])
    of_incident: dict[int, list[Page]] = {}
    for one in paged.select_related("user", "contact_method").order_by("pk"):
        if not (but and one.user_id == but.pk) and one.contact_method is not None and one.contact_method.usable:
            of_incident.setdefault(one.incident_id, []).append(one)
    for incident in incidents:
        if pages := of_incident.get(incident.pk):
            _inform_one(incident, runs[incident.pk], reason, pages, now)


def _inform_one(incident: Incident, run: Run, reason: Execution.Reason, pages: Sequence[Page], now: datetime) -> None:
    ways: dict[int, dict[int, Way]] = {}
    for one in pages:
        if one.contact_method is not None:
            ways.setdefault(one.user_id, {})[one.contact_method.pk] = Way(one.contact_method, timedelta(0))
    people = list({one.user_id: one.user for one in pages}.values())
    execution = record(run, reason, position=None, due_at=now, now=now)
    page(incident, execution, people, {pk: list(some.values()) for pk, some in ways.items()}, now=now)


GENTLE = frozenset({"ntfy", "slack", "webpush", "telegram", "mattermost"})  # push and chat: an "accepted" wakes nobody


def record(
    run: Run,
    reason: Execution.Reason,
    *,
    position: int | None,
    due_at: datetime,
    now: datetime,
    targets: Sequence[Mapping[str, object]] = (),
) -> Execution:
    """Write the next execution of a run, whose row the caller has locked; its sequence number makes it happen once."""
    run.taken += 1
    run.save(update_fields=["taken"])
    return Execution.objects.create(
        run=run,
        sequence=run.taken,
        position=position,
        loop=run.loop,
        reason=reason,
        due_at=due_at,
        at=now,
        targets=list(targets),
    )


def _plan(incident: Incident, execution: Execution, user: User, way: Way) -> Page:
    return Page(
        execution=execution,
        incident=incident,
        user=user,
        rule=way.rule,
        contact_method=way.method,
        rule_key=way.key,
        kind=way.method.kind,
        address=way.method.address,
        delivery_key=f"page:{execution.pk}:{user.pk}:{way.key}",
        due_at=execution.at + way.delay,
    )


def _order(planned: Page, way: Way, incident: Incident, message: Message) -> Order:
    method = way.method
    return Order(
        key=planned.delivery_key,
        message=message,
        kind=method.kind,
        connector_id=method.connector_id,
        target={**method.secret, "address": method.address},
        priority=Delivery.Priority.PAGE,
        subject=incident.subject,
        recipient=f"{ADDRESSES}{method.uuid}",
        due_at=planned.due_at,
    )

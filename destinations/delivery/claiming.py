"""Which rows leave next, and whose they are: at most as many as there are hands free.

Pages go first and have their own hands. Connectors take turns, those with the least under way first, one row a turn
and never more than settings.CONNECTOR_CONCURRENCY at once, so that a slow one holds up nobody but itself.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery

from destinations.base import Kind, Message, Target, kinds
from destinations.delivery.cancelling import cancel_rows, fail
from destinations.delivery.hooks import unwanted
from destinations.delivery.leases import new_holder
from destinations.delivery.settling import OPENED, opening_failed, take_back_lost
from destinations.models import Connector, Delivery

logger = logging.getLogger(__name__)
State, PAGE = Delivery.State, Delivery.Priority.PAGE


@dataclass(frozen=True, kw_only=True)
class Slots:
    """How many more messages may be handed over at once, and what is under way by kind where the kind counts."""

    pages: int
    others: int
    most: int = 1000  # of both together
    pages_by_kind: Mapping[str, int] = field(default_factory=dict)
    others_by_kind: Mapping[str, int] = field(default_factory=dict)  # without a connector: system mails
    slow: frozenset[int] = frozenset()  # connectors that answered slowly, or not at all, when they were last tried
    for_slow: int = 1000  # of the others, how many may go to these


@dataclass(frozen=True, kw_only=True)
class Task:
    """A claimed row and what its kind is given to send."""

    row: Delivery
    message: Message
    target: Target


def claim(slots: Slots, now: datetime) -> list[Task]:
    """Take the rows that are due and wanted, as many as there are slots; nobody else has them until the lease ends."""
    while _anything_to_do(now):
        with transaction.atomic():
            take_back_lost(now)
            catch = _Catch(now)
            catch.take(_pages(slots, now))
            room = min(slots.others, slots.most - len(catch.rows))
            pages = len(catch.rows)
            catch.take(_unconnected(room, slots, now))
            _take_turns(catch, room + pages, slots)
            tasks = _tasks(catch.rows, now)
        if tasks or not catch.dropped:
            return tasks
        # all that was chosen is not wanted any more: what stood behind it has its turn
    return []


class _Catch:
    """The rows claimed in one transaction."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.rows: list[Delivery] = []
        self.dropped = 0  # chosen, but not wanted any more or not to be read

    def take(self, pks: Sequence[int]) -> None:
        """Lease these rows, which are locked, but for those that are not wanted any more."""
        if pks:
            wanted = _wanted(_read(pks, self.now), self.now)
            taken = _lease(wanted, self.now) if wanted else []
            self.rows += taken
            self.dropped += len(pks) - len(taken)


def _anything_to_do(now: datetime) -> bool:
    each = Delivery.Priority.values  # naming them all lets the index on priority and time answer
    due = Delivery.objects.filter(state=State.QUEUED, priority__in=each, due_at__lte=now)
    lost = Delivery.objects.filter(state=State.SENDING, lease_until__lte=now)
    first = due.order_by("priority", "due_at"), lost.order_by("lease_until")
    return any(list(rows.values_list("pk")[:1]) for rows in first)


def _due(now: datetime) -> QuerySet[Delivery]:
    """Rows whose time has come and before which nothing is left in their lane, the longest due first."""
    ahead = Delivery.objects.filter(lane=OuterRef("lane"), pk__lt=OuterRef("pk"), state__in=Delivery.OPEN)
    return Delivery.objects.filter(~Exists(ahead.exclude(lane="")), state=State.QUEUED, due_at__lte=now).order_by(
        "due_at", "pk"
    )


def _locked(rows: QuerySet[Delivery]) -> list[tuple[int, str]]:
    """Return (pk, kind) of rows that nobody else is just claiming, and lock them until the transaction ends."""
    return list(rows.select_for_update(skip_locked=True).values_list("pk", "kind"))


def _pages(slots: Slots, now: datetime) -> list[int]:
    """Choose pages; one kind never takes every hand, so that a dead mail server does not hold up the phones."""
    most = max(1, settings.SEND_THREADS * 3 // 4)
    room = min(slots.pages, slots.most)
    return _by_kind(_due(now).filter(priority=PAGE), room, slots.pages_by_kind, most)


def _unconnected(room: int, slots: Slots, now: datetime) -> list[int]:
    """Choose messages that are no pages and go the installation's own way, such as mails to the admins."""
    rows = _due(now).filter(connector=None).exclude(priority=PAGE)
    return _by_kind(rows, room, slots.others_by_kind, settings.CONNECTOR_CONCURRENCY)


def _by_kind(rows: QuerySet[Delivery], room: int, under_way: Mapping[str, int], most: int) -> list[int]:
    busy, chosen = Counter(under_way), list[int]()
    while len(chosen) < room:
        full = [kind for kind, count in busy.items() if count >= most]
        found = _locked(rows.exclude(kind__in=full).exclude(pk__in=chosen)[: room - len(chosen)])
        for pk, kind in found:
            if busy[kind] < most:
                busy[kind] += 1
                chosen.append(pk)
        if not any(busy[kind] >= most and kind not in full for _, kind in found):
            break
    return chosen


def _take_turns(catch: _Catch, most: int, slots: Slots) -> None:
    """Take a row of each connector that has one, then a second of each, until nothing is left or `most` are caught."""
    for _ in range(settings.CONNECTOR_CONCURRENCY):
        room = most - len(catch.rows)
        for_slow = slots.for_slow - sum(row.connector_id in slots.slow for row in catch.rows)
        chosen = _one_of_each_connector(room, slots.slow, for_slow, catch.now) if room > 0 else []
        if not chosen:
            break
        catch.take(chosen)


def _one_of_each_connector(room: int, slow: frozenset[int], for_slow: int, now: datetime) -> list[int]:
    """Choose the first row of those connectors that have the least under way, at most so many of slow ones.

    One statement sees both the first row and what is under way. Whoever claims at the same time wants the same row,
    and only one can lock it, so that together they keep to the limit.
    """
    mine = {"connector": OuterRef("pk")}
    sending = Delivery.objects.filter(**mine, state=State.SENDING, lease_until__gt=now).exclude(priority=PAGE)
    busy = sending.order_by().values("connector").annotate(count=Count("pk")).values("count")
    first = _due(now).filter(**mine).exclude(priority=PAGE).values("pk")[:1]
    connectors = Connector.objects.filter(enabled=True).annotate(first=Subquery(first), busy=Subquery(busy))
    known = kinds()
    ready = sorted(
        (count or 0, known[kind].priority if kind in known else PAGE, row, pk in slow)
        for pk, kind, row, count in connectors.order_by().values_list("pk", "kind", "first", "busy")
        if row is not None and (count or 0) < settings.CONNECTOR_CONCURRENCY
    )
    left_out = [row for *_, row, dragging in ready if dragging][max(for_slow, 0) :]
    chosen = [row for *_, row, _ in ready if row not in left_out][:room]
    heads = Delivery.objects.filter(pk__in=chosen, state=State.QUEUED).order_by("pk")
    return [pk for pk, _ in _locked(heads)]


def _lease(rows: list[Delivery], now: datetime) -> list[Delivery]:
    """Begin an attempt of each of these rows and return those that are ours."""
    holder, until = new_holder(), now + settings.SEND_LEASE
    mine = Delivery.objects.filter(pk__in=[row.pk for row in rows], state=State.QUEUED)
    taken = mine.update(state=State.SENDING, lease_by=holder, lease_until=until, tries=F("tries") + 1, updated_at=now)
    if taken < len(rows):  # a database without row locks, and someone was quicker
        held = set(Delivery.objects.filter(lease_by=holder).values_list("pk", flat=True))
        rows = [row for row in rows if row.pk in held]
    for row in rows:
        row.state, row.lease_by, row.lease_until, row.tries = State.SENDING, holder, until, row.tries + 1
    return rows


def _read(pks: Sequence[int], now: datetime) -> list[Delivery]:
    """Load rows with their secrets; one whose key is gone is given up with a word of why, and holds up no other."""
    rows = Delivery.objects.filter(pk__in=pks).select_related("connector").order_by("due_at", "pk")
    try:
        return list(rows)
    except ImproperlyConfigured as exc:
        if len(pks) > 1:
            return [row for pk in pks for row in _read([pk], now)]
        logger.error("delivery=%s cannot be read: %s", pks[0], exc)
        fail(pks[0], f"{exc} Then replay this delivery.", now)
        return []


def _wanted(rows: Sequence[Delivery], now: datetime) -> list[Delivery]:
    reasons = _after_failed_openings(rows) | unwanted(rows, now)
    pks_by_reason: dict[str, list[int]] = {}
    for pk, reason in reasons.items():
        pks_by_reason.setdefault(reason, []).append(pk)
    for reason, pks in pks_by_reason.items():
        cancel_rows(Delivery.objects.filter(pk__in=pks).order_by("pk"), reason, now=now)
    return [row for row in rows if row.pk not in reasons]


def _after_failed_openings(rows: Sequence[Delivery]) -> dict[int, str]:
    lanes = {row.lane for row in rows if row.lane}
    if not lanes:
        return {}
    openings = Delivery.objects.filter(lane__in=lanes, event=OPENED, state=State.FAILED)
    failed = {lane: (pk, detail) for lane, pk, detail in openings.values_list("lane", "pk", "detail")}
    return {
        row.pk: opening_failed(failed[row.lane][1])
        for row in rows
        if row.lane in failed and failed[row.lane][0] < row.pk
    }


def _tasks(rows: Sequence[Delivery], now: datetime) -> list[Task]:
    known, told = kinds(), _references(rows)
    tasks = []
    for row in rows:
        message = Message.from_json(row.message)
        config = row.connector.settings if row.connector else {}
        _remember(row, known.get(row.kind), config, message)
        target = Target(
            config=config,
            address=row.target,
            reference={**told.get(row.pk, {}), **row.reference},
            delivery_id=str(row.uuid),
            now=now,
            timeout=settings.PAGE_TIMEOUT if row.priority == PAGE else settings.CONNECTOR_TIMEOUT,
        )
        tasks.append(Task(row=row, message=message, target=target))
    return tasks


def _remember(row: Delivery, kind: Kind | None, config: Mapping[str, Any], message: Message) -> None:
    """Write down before the send what later messages of the lane need, such as the key it went to."""
    needed = kind.reference_for(config, message) if kind else {}
    if needed and needed != {name: row.reference.get(name) for name in needed}:
        row.reference = {**row.reference, **needed}
        Delivery.objects.filter(pk=row.pk).update(reference=row.reference)


def _references(rows: Iterable[Delivery]) -> dict[int, dict[str, Any]]:
    """Return what earlier deliveries of each row's lane remembered, later ones over earlier ones."""
    rows = [row for row in rows if row.lane]
    if not rows:
        return {}
    earlier = Delivery.objects.filter(lane__in={row.lane for row in rows}).exclude(state=State.CANCELLED).order_by("pk")
    kept = _kept(earlier)
    return {
        row.pk: {
            name: value for lane, pk, said in kept if lane == row.lane and pk < row.pk for name, value in said.items()
        }
        for row in rows
    }


def _kept(rows: QuerySet[Delivery]) -> list[tuple[str, int, dict[str, Any]]]:
    """Return (lane, pk, reference); a reference whose key is gone counts as empty, and holds up no other."""
    try:
        return list(rows.values_list("lane", "pk", "reference"))
    except ImproperlyConfigured:
        return [(lane, pk, _reference(pk)) for lane, pk in rows.values_list("lane", "pk")]


def _reference(pk: int) -> dict[str, Any]:
    try:
        return dict(Delivery.objects.values_list("reference", flat=True).get(pk=pk))
    except ImproperlyConfigured as exc:
        logger.error("the reference of delivery=%s cannot be read and is left out: %s", pk, exc)
        return {}

"""What became of rows: sent, to be tried again, given up, cancelled. Each in one transaction with its attempt."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from destinations import retry
from destinations.base import Outcome, Result
from destinations.delivery import switches
from destinations.delivery.cancelling import cancel_rows
from destinations.delivery.hooks import tell_settled
from destinations.models import Attempt, Delivery

logger = logging.getLogger(__name__)
State = Delivery.State

AWAY = (OperationalError, InterfaceError)  # the database is away or busy: what failed will work later
OPENED = "opened"  # the event word that starts a lane: without it the target knows nothing to accept or resolve
LOST = Result(
    outcome=Outcome.UNKNOWN,
    error_code="lost",
    detail="The process that was sending this ended; it may or may not have arrived.",
)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One attempt that is over: the claimed row, when it began, and what came of it."""

    row: Delivery
    at: datetime
    result: Result


def record(finished: Sequence[Finished], now: datetime) -> None:
    """Write down what came of these attempts. Raises what is in AWAY if the database is away: record all again.

    All in one transaction, and one by one if that fails, so that one that cannot be written holds up no other.
    """
    inorder = sorted(finished, key=lambda one: (one.row.subject, one.row.pk))  # the same order everywhere: no deadlock
    try:
        with transaction.atomic():
            for one in inorder:
                _record(one, now)
    except Exception:  # noqa: BLE001 - told of each row that is to blame
        _record_apart(inorder, now)
    switches.check({one.row.connector_id for one in finished if _counts_against(one)}, now)


def _record_apart(finished: Iterable[Finished], now: datetime) -> None:
    away: Exception | None = None
    for one in finished:
        try:
            with transaction.atomic():
                _record(one, now)
        except AWAY as exc:
            away = exc
        except Exception:
            logger.exception(
                "result cannot be written delivery=%s; its lease runs out and it is sent again", one.row.pk
            )
    if away is not None:
        raise away


def _counts_against(one: Finished) -> bool:
    return one.result.outcome is not Outcome.SENT and one.row.priority != Delivery.Priority.PAGE


def _record(one: Finished, now: datetime) -> None:
    row, result = one.row, one.result
    wait = None if result.outcome is Outcome.SENT else _wait(row, result)
    row.state = _state(result.outcome, wait)
    row.outcome, row.detail = result.outcome, result.detail[:500]
    row.reference = {**row.reference, **result.reference}
    row.due_at = row.due_at if wait is None else now + wait
    row.settled_at = now if wait is None else None
    if not _let_go(row, now, reference=row.reference):
        logger.warning("late result refused delivery=%s tries=%s: its lease had run out", row.pk, row.tries)
        return
    _note_attempt(one)
    if wait is not None:
        _hold_back_those_behind(row)
        return
    tell_settled([row], now)
    if row.event == OPENED and row.state == State.FAILED:
        cancel_rows(_behind(row).select_for_update(), opening_failed(row.detail), now=now)


def opening_failed(detail: str) -> str:
    """Return why the later messages of a lane are not sent once its first one has failed."""
    return f"The target never got the message that opened this, so it knows nothing of it. {detail}".strip()


def _wait(row: Delivery, result: Result) -> timedelta | None:
    return retry.wait_after(
        row.tries,
        page=row.priority == Delivery.Priority.PAGE,
        rejected=result.outcome is Outcome.REJECTED,
        retry_after=result.retry_after,
    )


def _state(outcome: Outcome, wait: timedelta | None) -> Delivery.State:
    if outcome is Outcome.SENT:
        return State.SENT
    if wait is not None:
        return State.QUEUED
    return State.UNKNOWN if outcome is Outcome.UNKNOWN else State.FAILED


def _let_go(row: Delivery, now: datetime, **more: Any) -> bool:
    """Write the row's new state, and `more`, if it is still held by the claim it was read with; end its lease."""
    held = Delivery.objects.filter(pk=row.pk, state=State.SENDING, lease_by=row.lease_by, tries=row.tries)
    return bool(
        held.update(
            state=row.state,
            outcome=row.outcome,
            detail=row.detail,
            due_at=row.due_at,
            settled_at=row.settled_at,
            lease_until=None,
            lease_by="",
            updated_at=now,
            **more,
        )
    )


def _note_attempt(one: Finished) -> None:
    row, result = one.row, one.result
    Attempt.objects.create(
        delivery=row,
        connector_id=None if row.priority == Delivery.Priority.PAGE else row.connector_id,
        at=one.at,
        seconds=round(result.seconds, 3),
        status=result.status,
        outcome=result.outcome,
        error_code=result.error_code[:60],
        answer=(result.answer or result.detail)[:1000],
    )


def _behind(row: Delivery) -> QuerySet[Delivery]:
    if not row.lane:
        return Delivery.objects.none()
    return Delivery.objects.filter(lane=row.lane, pk__gt=row.pk, state=State.QUEUED).order_by("pk")


def _hold_back_those_behind(row: Delivery) -> None:
    """They cannot leave before it, so they are not due before it: no claim looks at them in vain."""
    _behind(row).filter(due_at__lt=row.due_at).update(due_at=row.due_at)


def take_back_lost(now: datetime) -> None:
    """Rows whose lease has run out are due again: whoever was sending them has died or stands still.

    What is encrypted stays unread, so that one whose key is gone holds up no other.
    """
    lost = Delivery.objects.filter(state=State.SENDING, lease_until__lte=now).order_by("lease_until")
    for row in lost.defer("message", "target", "reference").select_for_update(skip_locked=True):
        wait = _wait(row, LOST)
        row.state = _state(LOST.outcome, wait)
        row.outcome, row.detail = LOST.outcome, LOST.detail
        row.due_at, row.settled_at = now, None if wait is not None else now
        began = (row.lease_until or now) - settings.SEND_LEASE
        if not _let_go(row, now):
            continue
        _note_attempt(Finished(row=row, at=began, result=LOST))
        logger.warning("lease ran out delivery=%s tries=%s holder=%s", row.pk, row.tries, row.lease_by)
        if wait is None:
            tell_settled([row], now)

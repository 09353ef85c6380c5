"""Doing a POST once, however often it is sent (the IETF draft "The Idempotency-Key HTTP Header Field").

The key is taken by a row committed first, so that a second request sees that one is running. The answer is stored in
the transaction of the effect: either both stand or neither. A row whose process died is free again after LEASE.
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from config.models import KeptAnswer
from config.problems import Conflict, Problem

KEPT = timedelta(hours=24)
LEASE = timedelta(minutes=1)  # longer than any request may take
LONGEST = 255


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The right to run a request under its key."""

    row: int
    holder: uuid.UUID


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was answered: body as JSON, and the headers that belong to it."""

    status: int
    headers: dict[str, str]
    body: Any


def read_key(header: str) -> str:
    """Return the key with or without the quotes of a structured field. Raises Problem if it is empty or too long."""
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= LONGEST or not key.isprintable():
        raise Problem("invalid", 400, f"Idempotency-Key must be 1 to {LONGEST} printable characters.")
    return key


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Return a hash that is the same for the same request."""
    return hashlib.sha256(b"\0".join([method.encode(), path.encode(), body])).hexdigest()


def begin(caller: str, key: str, request: str, *, now: datetime) -> Ticket | Answer:
    """Take the key, or return the answer kept under it. `request` is the fingerprint.

    Raises Problem idempotency_key_reused (422) for another request, Conflict idempotency_in_progress (409) while the
    first runs.
    """
    mine = KeptAnswer(caller=caller, key=key, fingerprint=request, taken_at=now, holder=uuid.uuid4())
    KeptAnswer.objects.bulk_create([mine], ignore_conflicts=True)
    row = KeptAnswer.objects.filter(caller=caller, key=key).first()
    if row is None:  # the first one ended in a fault this very moment
        raise _in_progress()
    if row.holder == mine.holder or _take_over(row, mine, now):
        return Ticket(row=row.pk, holder=mine.holder)
    if row.fingerprint != request:
        raise Problem(
            "idempotency_key_reused", 422, "This Idempotency-Key was used for another request. Make a new key for each."
        )
    if row.answer is None:
        raise _in_progress()
    return Answer(**row.answer)


def finish(ticket: Ticket, answer: Answer) -> None:
    """Store the answer, in the transaction of the effect. Raises Conflict if another process has the key now."""
    kept = KeptAnswer.objects.filter(pk=ticket.row, holder=ticket.holder, answer=None).update(
        answer={"status": answer.status, "headers": answer.headers, "body": answer.body}
    )
    if not kept:
        raise _in_progress()


def release(ticket: Ticket) -> None:
    """Give the key back after a fault: the request may run again."""
    KeptAnswer.objects.filter(pk=ticket.row, holder=ticket.holder, answer=None).delete()


def prune(now: datetime, limit: int = 1000) -> int:
    """Delete keys older than a day, oldest first; return how many."""
    old = KeptAnswer.objects.filter(taken_at__lt=now - KEPT).order_by("taken_at").values_list("pk", flat=True)[:limit]
    return KeptAnswer.objects.filter(pk__in=list(old)).delete()[0]


def _take_over(row: KeptAnswer, mine: KeptAnswer, now: datetime) -> bool:
    """Take a key that is older than a day, or whose process died before it answered."""
    free = Q(taken_at__lt=now - KEPT) | Q(answer=None, taken_at__lt=now - LEASE, fingerprint=mine.fingerprint)
    return bool(
        KeptAnswer.objects.filter(free, pk=row.pk, holder=row.holder).update(
            holder=mine.holder, fingerprint=mine.fingerprint, taken_at=now, answer=None
        )
    )


def _in_progress() -> Conflict:
    conflict = Conflict(
        "idempotency_in_progress", "The first request with this Idempotency-Key is still running. Ask again."
    )
    conflict.headers["Retry-After"] = "1"
    return conflict

"""The rows of overrides: what may be added, ended and deleted without touching the past. Rules R10, R11, R14, R15.

The verbs that others call are in `scheduling`, which also tells who listens.
"""

from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import PermissionDenied

from config.problems import Conflict, invalid
from oncall.document import LONGEST_OVERRIDE
from oncall.models import Override, Schedule, User

Key = tuple[datetime | None, datetime, int | None, int | None]


def add(
    schedule: Schedule,
    *,
    start: datetime,
    end: datetime,
    user: User | None,
    replaces: User | None,
    by: User | None,
    now: datetime,
) -> Override:
    """Store an override; one that should have begun begins now. Raises Invalid, PermissionDenied (R15)."""
    if end <= now:
        raise invalid("end", "This time is over, and the past is not changed. Send an end that is still to come.")
    if end <= start:
        raise invalid("end", "It must be later than the start.")
    if end - start > LONGEST_OVERRIDE:
        raise invalid("end", "An override lasts at most one year. Change the layers instead.")
    if user is not None and not user.is_active:
        raise invalid("user", f"{user} is deactivated and would be skipped. Name somebody else.")
    row = Override(schedule=schedule, start=max(start, now), end=end, user=user, replaces=replaces, created_by=by)
    demand(by, "oncall.add_override", row)
    row.save()
    return row


def end(row: Override, *, by: User | None, now: datetime) -> None:
    """End one that has begun; what it covered so far stays. Raises Conflict if it is over or has not begun (R14)."""
    demand(by, "oncall.change_override", row)
    if row.end <= now:
        raise Conflict("override_over", "This override is over, and the past is not changed.")
    if row.start > now:
        raise Conflict("override_not_begun", "This override has not begun. Delete it instead.")
    if row.start == now:
        row.delete()
        return
    row.end = now
    row.save(update_fields=["end", "updated_at"])


def delete(row: Override, *, by: User | None, now: datetime) -> None:
    """Delete one that has not begun. Raises Conflict if it has (R14)."""
    demand(by, "oncall.delete_override", row)
    if row.end <= now:
        raise Conflict("override_over", "This override is over, and the past is not changed.")
    if row.start < now:
        raise Conflict("override_running", "This override has begun. End it now instead: what it covered stays.")
    row.delete()


def demand(by: User | None, permission: str, row: Override) -> None:
    """Raise PermissionDenied unless `by` (None: Tocsin) may: a member put in themselves, a manager anyone (R15)."""
    if by is not None and not by.has_perm(permission, row):
        raise PermissionDenied(
            f"You may put only yourself on call, in a schedule that you belong to. Ask a manager of {row.schedule}."
        )


def reconcile(schedule: Schedule, wanted: Sequence[Override], *, by: User | None, now: datetime) -> bool:
    """Make the overrides that are not over those that are wanted, and say whether any changed.

    One that stays is known by its uuid, else by what it says. The past stays: what is over is neither missed nor made.
    """
    present = list(Override.objects.filter(schedule=schedule, end__gt=now))
    left = {row.uuid: row for row in present}
    new = []
    for one in wanted:
        kept = left.get(one.uuid)
        if kept is None or _key(kept, now) != _key(one, now):
            kept = next((row for row in left.values() if _key(row, now) == _key(one, now)), None)
        if kept is not None:
            del left[kept.uuid]
        elif one.end > now:
            new.append(one)
    for row in left.values():
        (delete if row.start > now else end)(row, by=by, now=now)
    for one in new:
        add(schedule, start=one.start, end=one.end, user=one.user, replaces=one.replaces, by=by, now=now)
    return bool(left or new)


def _key(row: Override, now: datetime) -> Key:
    """Return what an override says from now on; when it began makes no difference any more."""
    return (row.start if row.start > now else None, row.end, row.user_id, row.replaces_id)

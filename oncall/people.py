"""People come, go and come back. They are never deleted: the record of who was paged has to stay true (R16, R17)."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NoReturn

from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction

from config import audit
from config.problems import Conflict, FieldError, Invalid
from destinations import delivery
from oncall import contacts, tokens
from oncall.models import ContactMethod, Deactivation, Membership, Team, User
from oncall.roles import give

# Called in the transaction of the deactivation: whoever knows more than people puts his own things in order.
deactivated: list[Callable[[User, datetime], None]] = []


def add(*, username: str, roles: Iterable[str] = ("responder",), password: str | None = None, **columns: Any) -> User:
    """Store a person: a responder unless other roles are named, with nothing to be reached by yet. Raises Invalid."""
    user = User(username=username, is_staff=True, **columns)
    _set_password(user, password)
    with transaction.atomic():
        user.save()
        give(user, roles)
    return user


def change(user: User, *, roles: Iterable[str] | None = None, password: str | None = None, **columns: Any) -> User:
    """Store what is given. Raises Invalid for a password that is too weak, Conflict if no admin would be left."""
    for name, value in columns.items():
        setattr(user, name, value)
    if password is not None:
        _set_password(user, password)
    with transaction.atomic():
        user.save()
        if roles is not None:
            if user.is_admin and not user.is_superuser and "admin" not in roles and not _other_admins(user):
                raise _last_admin()
            give(user, roles)
    return user


def save_team(
    team: Team,
    *,
    members: Iterable[User] | None = None,
    managers: Iterable[User] | None = None,
    **columns: Any,
) -> Team:
    """Store a team and, where they are given, its people: managers are members too. What is not given stays."""
    for name, value in columns.items():
        setattr(team, name, value)
    with transaction.atomic():
        team.save()
        held = {one.user_id: one for one in team.memberships.select_related("user")}
        lead = (
            {user.pk for user in managers} if managers is not None else {pk for pk, one in held.items() if one.manager}
        )
        everyone = {user.pk for user in members} if members is not None else set(held)
        everyone |= {user.pk for user in managers or ()}
        if everyone != set(held) or lead & everyone != {pk for pk, one in held.items() if one.manager}:
            team.memberships.all().delete()
            Membership.objects.bulk_create(
                Membership(team=team, user_id=pk, manager=pk in lead) for pk in sorted(everyone)
            )
    return team


def deactivate(user: User, *, by: User | None, actor: audit.Actor, now: datetime) -> None:
    """From now on this person is on call for nothing, is paged for nothing and cannot come in. Twice changes nothing.

    Turns become vacant (R9), messages to the person that have not left are cancelled, tokens and sessions end, and the
    hooks `deactivated` are called. Raises Conflict for oneself and for the last admin.
    """
    if by is not None and by.pk == user.pk:
        raise Conflict("own_account", "You cannot deactivate yourself. Ask another admin.")
    with transaction.atomic():
        locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not locked.is_active:
            user.refresh_from_db()
            return
        if locked.is_admin and not _other_admins(locked):
            raise _last_admin()
        User.objects.filter(pk=user.pk).update(is_active=False, updated_at=now)
        Deactivation.objects.create(user=user, start=now)
        _shut_out(user, now)
        user.refresh_from_db()
        for hook in deactivated:
            hook(user, now)
        audit.record(actor, "deactivated", user, now=now)


def reactivate(user: User, *, actor: audit.Actor, now: datetime) -> None:
    """Give the turns back from now on (R17); tokens and sessions stay ended. Twice changes nothing."""
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, is_active=False).update(is_active=True, updated_at=now):
            return
        Deactivation.objects.filter(user=user, end=None).update(end=now)
        user.refresh_from_db()
        audit.record(actor, "reactivated", user, now=now)


def refuse_deletion(user: User) -> NoReturn:
    """Raise Conflict: a person is deactivated instead."""
    raise Conflict("not_deletable", f"{user} cannot be deleted, so that the record stays true. Deactivate instead.")


def end_sessions(user: User) -> None:
    """Sign a person out everywhere."""
    held = [
        session.pk
        for session in Session.objects.iterator()
        if session.get_decoded().get("_auth_user_id") == str(user.pk)
    ]
    Session.objects.filter(pk__in=held).delete()


def _shut_out(user: User, now: datetime) -> None:
    tokens.revoke_all(user, now=now)
    end_sessions(user)
    for method in ContactMethod.objects.filter(user=user):
        delivery.cancel(recipient=contacts.recipient(method), reason=f"{user} was deactivated", now=now)


def _set_password(user: User, password: str | None) -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as exc:
        raise Invalid(*[FieldError(field="password", code="too_weak", detail=text) for text in exc.messages]) from exc
    user.set_password(password)


def _last_admin() -> Conflict:
    return Conflict("last_admin", "This is the last active admin. Make somebody else an admin first.")


def _other_admins(user: User) -> bool:
    admins = User.objects.filter(is_active=True).exclude(pk=user.pk)
    return admins.filter(is_superuser=True).exists() or admins.filter(groups__name="Admin").exists()

"""API tokens: shown once, kept as a hash, bounded by their scopes and by the rights of the user behind them."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.problems import Conflict, Problem, invalid
from oncall.models import Token, User
from oncall.models.access import SCOPES

USE_NOTED_EVERY = timedelta(minutes=1)
MARK = "tocsin_"  # so that secret scanners and people know what they have found
SHORTEST_PRESET = 20
PRESET_NAME = "TOCSIN_ADMIN_TOKEN"


def make(
    user: User,
    name: str,
    scopes: Iterable[str],
    *,
    expires_at: datetime | None = None,
    service: bool = False,
    now: datetime,
) -> tuple[Token, str]:
    """Return a new token and its clear text, which is never seen again. Raises Invalid for what cannot be."""
    if expires_at is not None and expires_at <= now:
        raise invalid("expires_at", "This is in the past.")
    clear = MARK + secrets.token_urlsafe(32)
    return _stored(user, name, scopes, clear, expires_at=expires_at, service=service), clear


def preset(user: User, clear: str) -> Token:
    """Let a text of the operator's choice be the token of `user` with all scopes, in place of an earlier such one."""
    if len(clear) < SHORTEST_PRESET or not clear.isprintable():
        raise invalid("token", f"A preset token has at least {SHORTEST_PRESET} printable characters.")
    Token.objects.filter(user=user, name=PRESET_NAME).exclude(token_hash=digest(clear)).delete()
    token, _ = Token.objects.update_or_create(
        token_hash=digest(clear),
        defaults={"user": user, "name": PRESET_NAME, "scopes": list(SCOPES), "prefix": clear[:4], "revoked_at": None},
    )
    return token


def rotate(token: Token, *, by: User, now: datetime) -> tuple[Token, str]:
    """Revoke a live token of one's own and return another of the same name, scopes and expiry with its clear text.

    Raises Problem permission_denied for another person's: the clear text would let one act as that person; and
    Conflict for what opens nothing any more.
    """
    if by.pk != token.user_id:
        raise Problem("permission_denied", 403, "Only its owner can rotate a token. You can revoke it instead.")
    if token.expires_at is not None and token.expires_at <= now:
        raise Conflict("token_expired", "This token has expired. Make a new one.")
    if not Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now, updated_at=now):
        raise Conflict("token_revoked", "This token was revoked. Make a new one.")
    token.refresh_from_db()
    return make(token.user, token.name, token.scopes, expires_at=token.expires_at, service=token.service, now=now)


def revoke(token: Token, *, now: datetime) -> None:
    """Let it open nothing any more. A second time changes nothing."""
    Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now, updated_at=now)
    token.refresh_from_db()


def revoke_all(user: User, *, now: datetime) -> int:
    """Revoke every token of a person; return how many."""
    return Token.objects.filter(user=user, revoked_at=None).update(revoked_at=now, updated_at=now)


def find(clear: str, *, now: datetime) -> Token:
    """Return the live token of this clear text and note its use. Raises AuthenticationFailed with the reason."""
    token = Token.objects.select_related("user").filter(token_hash=digest(clear)).first()
    if token is None:
        raise AuthenticationFailed("This token is not known here.")
    if token.revoked_at is not None:
        raise AuthenticationFailed("This token was revoked. Make a new one.")
    if token.expires_at is not None and token.expires_at <= now:
        raise AuthenticationFailed("This token has expired. Make a new one.")
    if not token.user.is_active:
        raise AuthenticationFailed("The person behind this token is deactivated.")
    if token.last_used_at is None or token.last_used_at <= now - USE_NOTED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
        Token.objects.filter(stale, pk=token.pk).update(last_used_at=now)
    return token


def digest(clear: str) -> str:
    """Return what is kept of a token. It has 256 random bits: a slow hash would add nothing."""
    return hashlib.sha256(clear.encode()).hexdigest()


def _stored(
    user: User, name: str, scopes: Iterable[str], clear: str, *, expires_at: datetime | None, service: bool
) -> Token:
    wanted = list(dict.fromkeys(scopes))
    if unknown := [scope for scope in wanted if scope not in SCOPES]:
        raise invalid("scopes", f"{', '.join(unknown)}: not a scope. Scopes are {', '.join(SCOPES)}.", "invalid_choice")
    return Token.objects.create(
        user=user,
        name=name,
        scopes=wanted,
        prefix=clear[:12],
        token_hash=digest(clear),
        expires_at=expires_at,
        service=service,
    )


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Return the user and the token; None if the request names none. Raises AuthenticationFailed."""
        keyword, _, given = get_authorization_header(request).partition(b" ")
        if keyword.lower() != b"bearer":
            return None
        try:
            clear = given.strip().decode()
        except UnicodeDecodeError as exc:
            raise AuthenticationFailed("This token is not known here.") from exc
        token = find(clear, now=timezone.now())
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return what 401 tells about how to come in."""
        return 'Bearer realm="tocsin"'

"""People of the tests, and how they call: `bearer(person("ann", "admin"))` is a client with a token."""

from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient

from oncall import roles, tokens
from oncall.models import ContactMethod, User


def person(username: str, *held: str, **columns: Any) -> User:
    """Store a person with these roles."""
    user = User.objects.create_user(username, f"{username}@example.com", "a long enough password", **columns)
    roles.give(user, held)
    return User.objects.get(pk=user.pk)


def bearer(user: User, *scopes: str, service: bool = False) -> APIClient:
    """Return a client with a token of the user; all scopes unless some are named."""
    _, clear = tokens.make(user, "test", scopes or ("read", "write", "admin"), service=service, now=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {clear}")
    return client


def signed_in(user: User) -> APIClient:
    """Return a browser's client: a session, and CSRF checked."""
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(user, backend="oncall.roles.RoleBackend")
    return client


def way_to(user: User, kind: str = "email", address: str = "", *, verified: bool = True) -> ContactMethod:
    """Store a contact method."""
    return ContactMethod.objects.create(
        user=user,
        kind=kind,
        address=address or f"{user.username}@example.com",
        verified_at=timezone.now() if verified else None,
    )

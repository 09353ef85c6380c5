"""Who calls, whether they may, and how often. Every door asks here, and the auth backend answers.

This module is named by settings and loaded with the framework's views: it must not import them.
"""

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from django.contrib import auth
from django.core.cache import cache
from django.db.models import Model, QuerySet
from rest_framework import authentication, permissions, throttling
from rest_framework.request import Request

from config.problems import Problem

if TYPE_CHECKING:
    from rest_framework.views import APIView

M = TypeVar("M", bound=Model)
VERBS = {
    "list": "view",
    "retrieve": "view",
    "create": "add",
    "update": "change",
    "partial_update": "change",
    "destroy": "delete",
}


class Bearer(Protocol):
    """What `request.auth` is when a token came along."""

    pk: int
    scopes: list[str]
    service: bool
    name: str

    def allows(self, scope: str) -> bool:
        """Whether one of its scopes covers this one."""
        ...


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with CSRF on whatever changes something."""


def visible(user: Any, queryset: QuerySet[M]) -> QuerySet[M]:
    """Return the rows this user may know of: what belongs to a private team is hidden from others."""
    for backend in auth.get_backends():
        narrow = getattr(backend, "visible", None)
        if narrow is not None:
            queryset = narrow(user, queryset)
    return queryset


def permission_for(view: Any, model: type[Model]) -> str:
    """Return the permission an action needs: the view's own word for it, else that of Django for its model."""
    named = getattr(view, "action_permissions", {}).get(view.action)
    if named:
        return str(named)
    return f"{model._meta.app_label}.{VERBS.get(view.action, 'change')}_{model._meta.model_name}"


def demand(request: Request, permission: str, thing: Any) -> None:
    """Raise the Problem permission_denied unless the caller has this permission on a row, or anywhere on a model."""
    if not request.user.has_perm(permission, thing):
        raise Problem("permission_denied", 403, f"Your roles do not allow this ({permission}).", permission=permission)


def demand_scope(request: Request, scope: str) -> None:
    """Raise the Problem permission_denied, naming the scope, if the caller's token lacks it."""
    token = cast("Bearer | None", request.auth)
    if token is not None and not token.allows(scope):
        held = ", ".join(token.scopes) or "none"
        raise Problem(
            "permission_denied",
            403,
            f"This needs a token with the scope {scope}; yours has: {held}.",
            required_scope=scope,
        )


class HasScopedPermission(permissions.BasePermission):
    """Signed in, within the token's scopes, and allowed by a role.

    A view says what its actions need: `scopes`, `action_permissions`, and `row_permissions` where a row asks for less;
    one that is no resource names its one `permission`.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Whether the caller may use this address at all. Raises Problem permission_denied with what is missing."""
        if not request.user or not request.user.is_authenticated:
            return False
        safe = request.method in permissions.SAFE_METHODS
        action = getattr(view, "action", None)
        scopes = getattr(view, "scopes", {})
        demand_scope(
            request, scopes.get(action) or scopes.get("read" if safe else "write") or ("read" if safe else "write")
        )
        model = getattr(view, "model", None)
        if model is not None and action is not None:
            demand(request, permission_for(view, model), model)
        elif named := getattr(view, "permission", ""):
            demand(request, named, None)
        return True

    def has_object_permission(self, request: Request, view: "APIView", obj: Model) -> bool:
        """Whether the caller may do this to this row. Raises Problem permission_denied with what is missing."""
        named = getattr(view, "row_permissions", {}).get(getattr(view, "action", None))
        demand(request, named or permission_for(view, type(obj)), obj)
        return True


class CallerThrottle(throttling.BaseThrottle):
    """So many requests per caller and minute of the clock; per process, unless the cache is shared."""

    LIMIT = 6000

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the request; False when the caller has used up the minute."""
        minute = int(time.time() // 60)
        key = f"caller:{caller(request)}:{minute}"
        cache.add(key, 0, timeout=120)
        try:
            return cache.incr(key) <= self.LIMIT
        except ValueError:  # evicted between the two calls
            return True

    def wait(self) -> float:
        """Return the seconds until the next minute begins."""
        return 60 - time.time() % 60


def caller(request: Request) -> str:
    """Return a stable name of who calls: the token, else the user."""
    token = cast("Bearer | None", request.auth)
    return f"token:{token.pk}" if token is not None else f"user:{request.user.pk}"

"""What every REST view does: refuses the unknown, runs a POST once, notices changes in between, keeps the trail.

A resource says what it is (model, serializer, filters, orderings); what really happens is a verb of its domain,
named in `add`, `change` and `remove`. Each write is one transaction with its line in the trail and its kept answer.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, ClassVar, cast

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from rest_framework import routers, viewsets
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from config import access, audit, idempotency, preconditions
from config.filters import Filter, NamedFilters, refuse_unknown
from config.pagination import PAGE_PARAMETERS, wrong_parameters
from config.problems import MEDIA_TYPE, NotFound, Problem, understood

__all__ = ["Endpoint", "Resource", "Router", "action", "actor_of"]

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
KEPT_HEADERS = ("ETag", "Location")
Handler = Callable[..., Response]


def actor_of(request: Request) -> audit.Actor:
    """Return who calls, for the audit trail."""
    token, user = cast("access.Bearer | None", request.auth), cast("Any", request.user)
    if token is None:
        return audit.Actor(user.username, str(user.uuid), "api")
    name = f"the service token {token.name}" if token.service else f"{user.username} with the token {token.name}"
    return audit.Actor(name, str(user.uuid), "api")


class Router(routers.SimpleRouter):
    """Routes with and without the slash at the end: a redirect would lose a POST."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


class Endpoint(APIView):
    """The conventions of one address."""

    metadata_class = None
    parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # action or method -> the query parameters it reads
    reading: ClassVar[frozenset[str]] = frozenset()  # POST actions that change nothing
    loose: ClassVar[frozenset[str]] = (
        frozenset()
    )  # actions outside a transaction: they call out, or keep what a refusal costs

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check who calls and what is asked; then make a write one transaction, run once."""
        super().initial(request, *args, **kwargs)
        method = str(request.method).lower()
        if method in self.http_method_names and hasattr(self, method):  # any other is answered 405
            self.check_parameters(request)
        if method in {"post", "put", "patch", "delete"} and self.act not in self.reading:
            setattr(self, method, self._written(getattr(self, method, self.http_method_not_allowed)))

    @property
    def caller(self) -> Any:
        """Who calls, signed in: the user, of a type that only the floor above knows."""
        return self.request.user

    @property
    def act(self) -> str:
        """What is done: the action of a viewset, else the method."""
        return str(getattr(self, "action", None) or str(self.request.method).lower())

    def check_parameters(self, request: Request) -> None:
        """Raise Invalid with every query parameter that this address does not read."""
        refuse_unknown(request, self.parameters.get(self.act, ()))

    def _written(self, handler: Handler) -> Handler:
        def run(request: Request, *args: Any, **kwargs: Any) -> Response:
            key = request.headers.get("Idempotency-Key")
            if request.method == "POST" and key is not None:
                return self._once(handler, idempotency.read_key(key), request, *args, **kwargs)
            if request.method == "POST" and settings.REQUIRE_IDEMPOTENCY_KEY:
                raise Problem(
                    "idempotency_key_required", 400, "This installation demands an Idempotency-Key on each POST."
                )
            with self._transaction():
                return handler(request, *args, **kwargs)

        return run

    def _transaction(self) -> Any:
        return nullcontext() if self.act in self.loose else transaction.atomic()

    def _once(self, handler: Handler, key: str, request: Request, *args: Any, **kwargs: Any) -> Response:
        body = request.body
        print_ = idempotency.fingerprint(str(request.method), request.get_full_path(), body)
        ticket = idempotency.begin(access.caller(request), key, print_, now=timezone.now())
        if isinstance(ticket, idempotency.Answer):
            return _replayed(ticket)
        try:
            with self._transaction():
                response = handler(request, *args, **kwargs)
                idempotency.finish(ticket, _kept(response))
        except Exception as exc:
            problem = understood(exc)
            if problem is None or problem.status >= 500:
                idempotency.release(ticket)
                raise
            response = self.handle_exception(exc)
            idempotency.finish(ticket, _kept(response))
        return response


def _kept(response: Response) -> idempotency.Answer:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = None if response.data is None else json.loads(JSONRenderer().render(response.data))
    return idempotency.Answer(status=response.status_code, headers=headers, body=body)


def _replayed(answer: idempotency.Answer) -> Response:
    return Response(
        answer.body,
        status=answer.status,
        headers={**answer.headers, "Idempotency-Replayed": "true"},
        content_type=MEDIA_TYPE if answer.status >= 400 else None,
    )


class Resource(Endpoint, viewsets.GenericViewSet[Any]):
    """A list of rows and each of them. `http_method_names` without post, patch, delete makes it read only."""

    model: ClassVar[type[models.Model]]
    filters: ClassVar[dict[str, Filter]] = {}
    orderings: ClassVar[dict[str, str]] = {"created_at": "created_at"}
    ordering: ClassVar[str] = "created_at"
    http_method_names = ["get", "head", "post", "patch", "delete"]
    filter_backends = [NamedFilters]
    lookup_field = "uuid"
    lookup_url_kwarg = "id"
    lookup_value_regex = UUID

    def list(self, request: Request) -> Response:
        """Return a page."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002  # the name in the route
        """Return one, or 304 if the caller has this version."""
        return self.shown(self.get_object())

    def create(self, request: Request) -> Response:
        """Add one."""
        serializer = self.validated(request.data)
        self.demand_on(serializer.validated_data)
        thing = self.fresh(self.add(serializer))
        audit.record(actor_of(request), "created", thing, audit.differences({}, self.trail(thing)), now=timezone.now())
        response = self.shown(thing, status=201)
        response["Location"] = request.build_absolute_uri(
            f"{request.path.rstrip('/')}/{getattr(thing, self.lookup_field)}/"
        )
        return response

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        """Change what is sent of one."""
        thing = self.locked()
        before = self.trail(thing)
        serializer = self.validated(request.data, thing, partial=True)
        self.demand_on(serializer.validated_data, thing)
        thing = self.fresh(self.change(thing, serializer))
        if changes := audit.differences(before, self.trail(thing)):
            audit.record(actor_of(request), "changed", thing, changes, now=timezone.now())
        return self.shown(thing)

    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002
        """Take one away."""
        thing = self.locked()
        entry = audit.differences(self.trail(thing), {})
        audit.record(actor_of(request), "deleted", thing, entry, now=timezone.now())
        self.remove(thing)
        return Response(status=204)

    def add(self, serializer: BaseSerializer[Any]) -> models.Model:
        """Store a new one: the domain's verb."""
        return serializer.save()  # type: ignore[no-any-return]

    def change(self, thing: models.Model, serializer: BaseSerializer[Any]) -> models.Model:
        """Store what changed: the domain's verb."""
        return serializer.save()  # type: ignore[no-any-return]

    def remove(self, thing: models.Model) -> None:
        """Delete it: the domain's verb."""
        thing.delete()

    def get_queryset(self) -> models.QuerySet[Any]:
        """Return the rows that the caller may know of."""
        return access.visible(self.request.user, super().get_queryset())

    def get_object(self) -> Any:
        """Return the row named in the address. Raises NotFound, also for what is hidden: ids cannot be probed."""
        key = self.kwargs[self.lookup_url_kwarg]
        thing = self.get_queryset().filter(**{self.lookup_field: key}).first()
        if thing is None:
            raise NotFound(f"No {self.model._meta.verbose_name} has this id.")
        self.check_object_permissions(self.request, thing)
        return thing

    def locked(self) -> Any:
        """Return the row, held until the transaction ends, if the caller has seen its present version (If-Match)."""
        thing = self.get_object()
        models.QuerySet(self.model).select_for_update().filter(pk=thing.pk).first()
        thing = self.get_object()
        self.require_match(thing)
        return thing

    def require_match(self, thing: Any) -> None:
        """Raise Problem version_mismatch unless If-Match is absent or names the present version."""
        preconditions.require_match(self.request, self.etag(thing))

    def etag(self, thing: Any) -> str:
        """Return the tag of a row's version."""
        return preconditions.tag_of(self.get_serializer(thing).data)

    def shown(self, thing: Any, status: int = 200) -> Response:
        """Return the answer that shows one row, with its ETag."""
        body = self.get_serializer(thing).data
        tag = self.etag(thing)
        if self.request.method == "GET" and preconditions.unchanged(self.request, tag):
            return Response(status=304, headers={"ETag": tag})
        return Response(body, status=status, headers={"ETag": tag})

    def fresh(self, thing: models.Model) -> Any:
        """Return the row as it is stored now, with whatever its serializer needs."""
        return super().get_queryset().get(pk=thing.pk)

    def validated(self, data: Any, thing: Any = None, *, partial: bool = False) -> BaseSerializer[Any]:
        """Return the serializer with checked data."""
        serializer = self.get_serializer(thing, data=data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return serializer

    def demand_on(self, values: Any, thing: models.Model | None = None) -> None:
        """Raise Problem permission_denied unless the caller may have it as it will be: in that team, of that person."""
        columns = [field.name for field in self.model._meta.concrete_fields if field.is_relation]
        named = {name: getattr(thing, name) for name in columns} if thing is not None else {}
        named.update({name: value for name, value in dict(values).items() if name in columns})
        wanted = self.model(pk=thing.pk if thing is not None else None, **named)
        access.demand(self.request, access.permission_for(self, self.model), wanted)

    def trail(self, thing: Any) -> dict[str, Any]:
        """Return what the audit trail compares: what REST shows, and whether secrets changed."""
        return {**dict(self.get_serializer(thing).data), **audit.secrets_of(thing)}

    def check_parameters(self, request: Request) -> None:
        """Raise Invalid with every query parameter that this address does not read."""
        if self.act == "list":
            known = [*PAGE_PARAMETERS, *self.filters, *self.parameters.get("list", ())]
            refuse_unknown(request, known, wrong_parameters(request.query_params))
        else:
            super().check_parameters(request)

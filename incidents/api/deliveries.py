"""Deliveries: what was sent, to whom, what the other side said; and sending again."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import Resource, action
from config.filters import Choice, Filter, Ids, Reference, Since
from config.problems import invalid
from config.serializers import Id, Strict
from config.wire import InstantField
from destinations import delivery
from destinations.base import kind_choices
from destinations.models import Attempt, Delivery
from incidents import discretion

MOST = 1000


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One try to hand it over."""

    at = InstantField()

    class Meta:
        model = Attempt
        fields = ["at", "seconds", "status", "outcome", "error_code", "answer"]


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One outgoing message. What it says and where exactly it goes is not shown: both may hold secrets."""

    id = serializers.UUIDField(source="uuid")
    connector = serializers.SerializerMethodField()
    contact_method = serializers.SerializerMethodField()
    incident = serializers.SerializerMethodField()
    due_at = InstantField()
    settled_at = InstantField(allow_null=True)
    created_at = InstantField()
    updated_at = InstantField()
    attempts = AttemptSerializer(many=True)

    class Meta:
        model = Delivery
        fields = [
            *("id", "connector", "contact_method", "incident", "kind", "event", "state", "outcome", "detail"),
            *("due_at", "tries", "settled_at", "created_at", "updated_at", "attempts"),
        ]

    @extend_schema_field({"type": "string", "nullable": True})
    def get_connector(self, one: Delivery) -> str | None:
        """Return the connector's name."""
        return one.connector.name if one.connector else None

    @extend_schema_field({"type": "string", "format": "uuid", "nullable": True})
    def get_contact_method(self, one: Delivery) -> str | None:
        """Return the id of the contact method, if it goes to a person."""
        return _named(one.recipient, "contact-method:")

    @extend_schema_field({"type": "string", "format": "uuid", "nullable": True})
    def get_incident(self, one: Delivery) -> str | None:
        """Return the id of the incident it tells of."""
        return _named(one.subject, "incident:")


def _named(text: str, prefix: str) -> str | None:
    return text.removeprefix(prefix) if text.startswith(prefix) else None


class ReplaySerializer(Strict):
    """Which to send again."""

    ids = serializers.ListField(child=Id(), min_length=1, max_length=MOST)


class ReplayedSerializer(serializers.Serializer[Any]):
    """How many go out again; what is queued or being sent is left alone."""

    replayed = serializers.IntegerField()


@dataclass(frozen=True, kw_only=True)
class Named(Filter):
    """An id within an opaque text: "incident:<id>"."""

    prefix: str

    def condition(self, name: str, texts: Any) -> Q:
        """Return the condition. Raises Invalid for what is no UUID."""
        try:
            return super().condition(name, [f"{self.prefix}{UUID(text)}" for text in texts])
        except ValueError as exc:
            raise invalid(name, "An id is a UUID.") from exc


class DeliveryViewSet(Resource):
    """Deliveries: read only, and sent again by `replay`."""

    model = Delivery
    serializer_class = DeliverySerializer
    queryset = Delivery.objects.select_related("connector").prefetch_related("attempts")
    http_method_names = ["get", "head", "post"]
    action_permissions = dict.fromkeys(("replay", "replay_many"), "destinations.change_delivery")
    filters = {
        "id": Ids(),
        "connector": Reference(column="connector"),
        "contact_method": Named(column="recipient", prefix="contact-method:"),
        "incident": Named(column="subject", prefix="incident:"),
        "state": Choice(column="state", words=Delivery.State.values),
        "kind": Choice(column="kind", words=kind_choices),
        "event": Filter(column="event"),
        "due_after": Since(column="due_at"),
        "due_before": Since(column="due_at", sign="lt"),
    }
    orderings = {"created_at": "created_at", "due_at": "due_at"}
    ordering = "-created_at"

    def get_queryset(self) -> QuerySet[Delivery]:
        """Return the deliveries that the caller may know of."""
        return discretion.known(self.caller, super().get_queryset())

    def check_parameters(self, request: Request) -> None:
        """Refuse what nobody reads, where anything is read."""
        if self.act != "create":
            super().check_parameters(request)

    @extend_schema(exclude=True)
    def create(self, request: Request) -> Response:
        """Raise MethodNotAllowed: deliveries come of incidents."""
        raise MethodNotAllowed("POST")

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, id: str) -> Response:  # noqa: A002
        """Send it again, with the whole calendar of retries before it and under the same id."""
        one = self.get_object()
        delivery.replay([one.uuid], now=timezone.now())
        return self.shown(self.fresh(one))

    @extend_schema(operation_id="deliveries_replay_many", request=ReplaySerializer, responses=ReplayedSerializer)
    @action(detail=False, methods=["post"], url_path="replay")
    def replay_many(self, request: Request) -> Response:
        """Send these again."""
        given = ReplaySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        seen = self.get_queryset().filter(uuid__in=given.validated_data["ids"])
        allowed = [one.uuid for one in seen if request.user.has_perm("destinations.change_delivery", one)]
        return Response({"replayed": delivery.replay(allowed, now=timezone.now())})

"""Alert sources and the raw events they sent."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config import audit
from config.api import Resource, action, actor_of
from config.filters import Choice, Filter, Flag, Ids, Reference, Search, Since
from config.serializers import Record, Strict
from config.serializers import Reference as ReferenceField
from config.wire import InstantField
from incidents import doors, sourcing
from incidents.models import AlertSource, RawEvent, Severity
from incidents.sources.base import kind, kind_choices
from oncall.models import EscalationPolicy, Team

PLACEHOLDER = "<your key>"


class AlertSourceSerializer(Record[AlertSource]):
    """Where events come from. `key` is in the answer that makes it, this once."""

    kind = serializers.CharField(max_length=40, default="events")
    escalation_policy = ReferenceField(queryset=EscalationPolicy.objects.all(), required=False, allow_null=True)
    team = ReferenceField(queryset=Team.objects.all(), required=False, allow_null=True)
    rate_limit = serializers.IntegerField(min_value=0, max_value=10_000_000, required=False)
    severity_map = serializers.DictField(child=serializers.CharField(max_length=20), required=False)
    urgency_map = serializers.DictField(child=serializers.CharField(max_length=4, allow_blank=True), required=False)
    url = serializers.SerializerMethodField()

    class Meta:
        model = AlertSource
        fields = [
            *("name", "kind", "enabled", "built_in", "key_prefix", "old_key_until", "escalation_policy", "team"),
            *("rate_limit", "default_severity", "severity_map", "urgency_map", "page_again_on_rise"),
            *("last_event_at", "url"),
        ]
        read_only_fields = ["built_in", "key_prefix", "old_key_until", "last_event_at"]

    def get_url(self, source: AlertSource) -> str:
        """Return the address to paste; a key in it stands as a placeholder."""
        return kind(source.kind).address(settings.PUBLIC_URL, PLACEHOLDER)


class WithKeySerializer(AlertSourceSerializer):
    """A source whose key has just been made: it is never shown again."""

    key = serializers.CharField(read_only=True)

    class Meta(AlertSourceSerializer.Meta):
        fields = [*AlertSourceSerializer.Meta.fields, "key"]


class RotateSerializer(Strict):
    """How long the old key stays good."""

    overlap_minutes = serializers.IntegerField(min_value=0, max_value=10_080, default=0)


class TestEventSerializer(Strict):
    """How bad the sample event is."""

    severity = serializers.ChoiceField(Severity.choices, default=Severity.INFO)


class TestResultSerializer(serializers.Serializer[Any]):
    """What came of the sample event."""

    outcome = serializers.CharField()
    dedup_key = serializers.CharField()
    incident = serializers.UUIDField(allow_null=True)
    number = serializers.IntegerField(allow_null=True)


class AlertSourceViewSet(Resource):
    """Alert sources: each tool that sends events has one, with a key and an escalation policy."""

    model = AlertSource
    serializer_class = AlertSourceSerializer
    queryset = AlertSource.objects.select_related("escalation_policy", "team")
    filters = {
        "id": Ids(),
        "name": Filter(column="name"),
        "kind": Choice(column="kind", words=kind_choices),
        "enabled": Flag(column="enabled"),
        "escalation_policy": Reference(column="escalation_policy"),
        "team": Reference(column="team"),
        "search": Search(columns=("name",)),
    }
    orderings = {"name": "name", "created_at": "created_at", "last_event_at": "last_event_at"}
    ordering = "name"

    @extend_schema(responses={201: WithKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a source; the answer holds its key, this once."""
        return super().create(request)

    def add(self, serializer: BaseSerializer[Any]) -> AlertSource:
        """Store it and keep its key for the answer."""
        source = AlertSource()
        self.key = sourcing.save(source, **serializer.validated_data)
        return source

    def change(self, thing: AlertSource, serializer: BaseSerializer[Any]) -> AlertSource:  # type: ignore[override]
        """Store what was sent; `enabled` switches it off and on."""
        values = dict(serializer.validated_data)
        wanted = values.pop("enabled", thing.enabled)
        sourcing.save(thing, **values)
        if wanted != thing.enabled:
            sourcing.switch(thing, on=wanted, actor=actor_of(self.request), now=timezone.now())
        return thing

    def remove(self, thing: AlertSource) -> None:  # type: ignore[override]
        """Delete it, unless it has incidents."""
        sourcing.remove(thing)

    def shown(self, thing: AlertSource, status: int = 200) -> Response:
        """Return the answer, with the key and the address to paste where they have just been made."""
        response = super().shown(thing, status)
        if (key := getattr(self, "key", None)) and response.data is not None:
            response.data = {**response.data, "key": key, "url": kind(thing.kind).address(settings.PUBLIC_URL, key)}
        return response

    @extend_schema(request=RotateSerializer, responses=WithKeySerializer)
    @action(detail=True, methods=["post"], url_path="rotate-key")
    def rotate_key(self, request: Request, id: str) -> Response:  # noqa: A002
        """Give it a new key; the old one stays good for the overlap."""
        source = self.get_object()
        given = RotateSerializer(data=request.data or {})
        given.is_valid(raise_exception=True)
        overlap = timedelta(minutes=given.validated_data["overlap_minutes"])
        self.key = sourcing.rotate_key(source, overlap=overlap, actor=actor_of(request), now=timezone.now())
        return self.shown(self.fresh(source))

    @extend_schema(request=TestEventSerializer, responses=TestResultSerializer)
    @action(detail=True, methods=["post"], url_path="test-event")
    def test_event(self, request: Request, id: str) -> Response:  # noqa: A002
        """Take a sample event as if the source had sent it."""
        given = TestEventSerializer(data=request.data or {})
        given.is_valid(raise_exception=True)
        result = sourcing.send_test_event(self.get_object(), **given.validated_data, now=timezone.now())
        incident = result.incident
        return Response(
            {
                "outcome": result.outcome,
                "dedup_key": result.dedup_key,
                "incident": str(incident.uuid) if incident else None,
                "number": incident.pk if incident else None,
            }
        )

    def trail(self, thing: AlertSource) -> dict[str, Any]:
        """Return what the audit trail compares: never a key, whose change is a line of its own."""
        return {name: value for name, value in audit.snapshot(thing).items() if not name.endswith(("hash", "prefix"))}


@extend_schema_field({"type": "array", "items": {"type": "object", "additionalProperties": {}}})
class ErrorsField(serializers.JSONField):
    """[{"field", "code", "detail"}]."""


class RawEventSerializer(serializers.ModelSerializer[RawEvent]):
    """An event as it arrived, and what came of it."""

    id = serializers.UUIDField(source="uuid")
    alert_source = serializers.CharField(source="source.name")
    received_at = InstantField()
    incident = serializers.UUIDField(source="incident.uuid", allow_null=True, default=None)
    number = serializers.IntegerField(source="incident.pk", allow_null=True, default=None)
    errors = ErrorsField()  # type: ignore[assignment]  # a field is named so

    class Meta:
        model = RawEvent
        fields = [
            *("id", "alert_source", "received_at", "remote_address", "user_agent", "action", "dedup_key", "title"),
            *("outcome", "reason", "errors", "incident", "number", "size", "body"),
        ]


class EventSerializer(serializers.Serializer[Any]):
    """A native event: all but `title` is optional for a trigger, unknown keys go to the details."""

    action = serializers.ChoiceField(["trigger", "acknowledge", "resolve"], default="trigger")
    dedup_key = serializers.CharField(required=False, allow_blank=True)
    title = serializers.CharField(required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    severity = serializers.CharField(required=False, allow_blank=True)
    risk_score = serializers.FloatField(min_value=0, max_value=100, required=False, allow_null=True)


class EventResultSerializer(TestResultSerializer):
    """What came of one event."""

    index = serializers.IntegerField()
    errors = ErrorsField()  # type: ignore[assignment]  # a field is named so


class EventResultsSerializer(serializers.Serializer[Any]):
    """What came of each event, in order."""

    results = EventResultSerializer(many=True)


class RawEventViewSet(Resource):
    """Raw events: everything that was sent, for as long as it is kept."""

    model = RawEvent
    serializer_class = RawEventSerializer
    queryset = RawEvent.objects.select_related("source", "incident")
    http_method_names = ["get", "head", "post"]
    filters = {
        "id": Ids(),
        "alert_source": Reference(column="source"),
        "outcome": Choice(column="outcome", words=RawEvent.Outcome.values),
        "action": Choice(column="action", words=("trigger", "acknowledge", "resolve")),
        "dedup_key": Filter(column="dedup_key"),
        "incident": Ids(column="incident__uuid"),
        "search": Search(columns=("title", "dedup_key", "body")),
        "received_after": Since(column="received_at"),
        "received_before": Since(column="received_at", sign="lt"),
    }
    orderings = {"received_at": "received_at"}
    ordering = "-received_at"

    @extend_schema(
        operation_id="events_send",
        request=EventSerializer,
        responses={202: EventResultsSerializer},
        auth=[{"sourceKey": []}],  # type: ignore[list-item]  # the schema wants an object; the stubs know only names
    )
    def create(self, request: Request) -> Response:
        """Take an event or a list of up to 1,000, by a source's key. Answered 202 after the commit."""
        raise MethodNotAllowed("POST")  # the door of the Event API stands before this one


def events_route() -> Callable[..., HttpResponseBase]:
    """Return the view at /api/v1/events: GET lists raw events for people, POST is the Event API for machines."""
    listing = RawEventViewSet.as_view({"get": "list", "post": "create"})

    @wraps(listing)  # the schema reads what the framework left on its view
    def by_method(request: HttpRequest) -> HttpResponseBase:
        return doors.events(request) if request.method == "POST" else listing(request)

    return by_method

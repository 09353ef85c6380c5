"""REST of connectors: the systems that are told, with their settings, and a real test of each."""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.validators import UniqueValidator

from config.api import Resource, action, actor_of
from config.filters import Choice, Filter, Flag, Ids, Search
from config.problems import invalid
from config.serializers import Record, Strict
from destinations import base, connectors
from destinations.base import Result
from destinations.models import Connector

SEVERITIES = ("critical", "error", "warning", "info")


@extend_schema_field(
    {"type": "object", "additionalProperties": {}, "description": "See kinds/ for what each kind takes."}
)
class ConfigField(serializers.DictField):
    """A kind's settings. Secrets can be written and never read: they show as {"set": true}, which may be sent back."""

    def get_attribute(self, instance: Connector) -> dict[str, Any]:
        """Return the settings as they may be seen."""
        return connectors.shown(instance)


class ConnectorSerializer(Record[Connector]):
    """A connector. `kind` stays as it was made."""

    name = serializers.CharField(max_length=100, validators=[UniqueValidator(Connector.objects.all())])
    kind = serializers.CharField(max_length=40)
    config = ConfigField(required=False)
    enabled = serializers.BooleanField(required=False, default=True)

    class Meta:
        model = Connector
        fields = ["name", "kind", "enabled", "config", "off", "off_reason", "off_at"]
        read_only_fields = ["off", "off_reason", "off_at"]


class HowSerializer(Strict):
    """What a test looks like at the other side."""

    severity = serializers.ChoiceField(choices=SEVERITIES, default="info")
    resolve = serializers.BooleanField(default=False, help_text="Resolve the sample incident there afterwards.")


class ConnectorTestSerializer(HowSerializer):
    """A connector that is not stored, and how it is tested."""

    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    kind = serializers.CharField(max_length=40)
    enabled = serializers.BooleanField(required=False)
    config = serializers.DictField(required=False)


class TestAnswerSerializer(serializers.Serializer[Any]):
    """What came of a test, as the other side said it."""

    outcome = serializers.ChoiceField(choices=[one.value for one in base.Outcome])
    status = serializers.IntegerField(allow_null=True, help_text="HTTP or SMTP status, if one came.")
    error_code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    answer = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField()


class KindSerializer(serializers.Serializer[Any]):
    """One kind of destination."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field is named so
    group = serializers.CharField()
    blurb = serializers.CharField()
    help = serializers.CharField()
    config_schema = serializers.DictField(allow_null=True)
    settings_schema = serializers.DictField(allow_null=True)
    address_schema = serializers.DictField(allow_null=True)


def told(result: Result) -> dict[str, Any]:
    """Return a test's answer for REST."""
    return {
        "outcome": result.outcome.value,
        "status": result.status,
        "error_code": result.error_code,
        "detail": result.detail,
        "answer": result.answer,
        "seconds": round(result.seconds, 3),
    }


def _kind(kind: base.Kind) -> dict[str, Any]:
    forms = {
        "config_schema": kind.config_form,
        "settings_schema": kind.settings_form,
        "address_schema": kind.address_form,
    }
    schemas = {name: form and connectors.json_schema(form, kind.secret_fields) for name, form in forms.items()}
    words = {name: getattr(kind, name) for name in ("name", "label", "group", "blurb", "help")}
    return {**words, **schemas}


class ConnectorViewSet(Resource):
    """Connectors: global target systems with their credentials."""

    model = Connector
    serializer_class = ConnectorSerializer
    queryset = Connector.objects.all()
    loose = frozenset({"test", "try_out"})
    action_permissions = {
        "kinds": "destinations.view_connector",
        "try_out": "destinations.add_connector",
    }
    filters: ClassVar[dict[str, Filter]] = {
        "id": Ids(),
        "name": Filter(column="name"),
        "kind": Choice(column="kind", words=base.kind_choices),
        "enabled": Flag(column="enabled"),
        "search": Search(columns=("name",)),
    }
    orderings = {"name": "name", "kind": "kind", "created_at": "created_at", "updated_at": "updated_at"}
    ordering = "name"

    def add(self, serializer: BaseSerializer[Any]) -> Connector:
        """Store a connector whose settings its kind accepts."""
        return connectors.save(Connector(kind=serializer.validated_data["kind"]), **serializer.validated_data)

    def change(self, thing: Connector, serializer: BaseSerializer[Any]) -> Connector:  # type: ignore[override]
        """Store what was sent; `enabled` switches it off and on, with everything that hangs on that."""
        values = dict(serializer.validated_data)
        if values.pop("kind", thing.kind) != thing.kind:
            raise invalid("kind", "The kind stays as it was made. Make another connector.", "fixed")
        wanted = values.pop("enabled", thing.enabled)
        connectors.save(thing, **values)
        if wanted != thing.enabled:
            connectors.switch(thing, on=wanted, actor=actor_of(self.request), now=timezone.now())
        return thing

    @extend_schema(responses=KindSerializer(many=True), filters=False)
    @action(detail=False, methods=["get"], pagination_class=None)
    def kinds(self, request: Request) -> Response:
        """List every kind with JSON schemas of its settings, of its connections' settings and of a person's address."""
        return Response([_kind(kind) for kind in base.kinds().values()])

    @extend_schema(request=HowSerializer, responses=TestAnswerSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: str) -> Response:  # noqa: A002
        """Send a sample incident now and answer what the other side said."""
        connector = self.get_object()
        how = HowSerializer(data=request.data or {})
        how.is_valid(raise_exception=True)
        return Response(told(connectors.try_out(connector, **how.validated_data, now=timezone.now())))

    @extend_schema(operation_id="connectors_try_out", request=ConnectorTestSerializer, responses=TestAnswerSerializer)
    @action(detail=False, methods=["post"], url_path="test")
    def try_out(self, request: Request) -> Response:
        """Test a connector that is not stored: the body of a create."""
        given = ConnectorTestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        connector = Connector(name=values.get("name") or "Test", kind=values["kind"])
        connectors.fill(connector, values.get("config", {}))
        severity, resolve = values["severity"], values["resolve"]
        return Response(told(connectors.try_out(connector, severity=severity, resolve=resolve, now=timezone.now())))

    @extend_schema(request=None, responses=ConnectorSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, id: str) -> Response:  # noqa: A002
        """Switch it on: what waited leaves in order."""
        connector = self.get_object()
        connectors.switch(connector, on=True, actor=actor_of(request), now=timezone.now())
        return self.shown(connector)

    @extend_schema(request=None, responses=ConnectorSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, id: str) -> Response:  # noqa: A002
        """Switch it off: what is queued waits for a day."""
        connector = self.get_object()
        connectors.switch(connector, on=False, actor=actor_of(request), now=timezone.now())
        return self.shown(connector)

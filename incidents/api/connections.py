"""Connections: which connector hears what of which source."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import BaseSerializer

from config.api import Resource
from config.filters import Choice, Filter, Flag, Ids, Reference
from config.serializers import Record
from config.serializers import Reference as ReferenceField
from destinations.models import Connector
from incidents import connecting
from incidents.models import AlertSource, Connection

Words = serializers.ListField


@extend_schema_field({"type": "object", "additionalProperties": {}})
class OpenObject(serializers.DictField):
    """An object whose names the kind decides."""


class ConnectionSerializer(Record[Connection]):
    """What binds a connector to one source, or to all (null). An empty list or null is no restriction."""

    connector = ReferenceField(queryset=Connector.objects.all())
    alert_source = ReferenceField(queryset=AlertSource.objects.all(), required=False, allow_null=True)
    events = Words(child=serializers.CharField(max_length=40), required=False)
    classes = Words(child=serializers.CharField(max_length=255), required=False)
    labels = OpenObject(required=False)
    severities = Words(child=serializers.CharField(max_length=20), required=False)
    min_severity = serializers.CharField(max_length=20, required=False, allow_null=True, allow_blank=True)
    min_risk_score = serializers.FloatField(required=False, allow_null=True)
    severity_mapping = serializers.DictField(child=serializers.CharField(max_length=60), required=False)
    routing_rules = Words(child=OpenObject(), required=False)
    runbook_links = serializers.DictField(child=serializers.CharField(max_length=2000), required=False)
    settings = OpenObject(required=False)

    class Meta:
        model = Connection
        fields = [
            *("name", "connector", "alert_source", "enabled", "mode", "events", "classes", "labels", "severities"),
            *("min_severity", "min_risk_score", "severity_mapping", "routing_rules", "runbook_links"),
            *("include_metadata", "settings"),
        ]

    def validate_min_severity(self, value: str | None) -> str:
        """Read null as no restriction."""
        return value or ""

    def to_representation(self, instance: Connection) -> dict[str, Any]:
        """Return it with secrets shown only as set, and null where nothing restricts."""
        settings, rules = connecting.shown(instance)
        shown = super().to_representation(instance)
        return {**shown, "min_severity": instance.min_severity or None, "settings": settings, "routing_rules": rules}


class ConnectionViewSet(Resource):
    """Connections: automatic on chosen events, or a button on the incident."""

    model = Connection
    serializer_class = ConnectionSerializer
    queryset = Connection.objects.select_related("connector", "alert_source")
    filters = {
        "id": Ids(),
        "name": Filter(column="name"),
        "connector": Reference(column="connector"),
        "alert_source": Reference(column="alert_source"),
        "mode": Choice(column="mode", words=Connection.Mode.values),
        "enabled": Flag(column="enabled"),
    }

    def add(self, serializer: BaseSerializer[Any]) -> Connection:
        """Store what its kind accepts."""
        return connecting.save(Connection(), **serializer.validated_data)

    def change(self, thing: Connection, serializer: BaseSerializer[Any]) -> Connection:  # type: ignore[override]
        """Store what was sent; secrets that come back as set stay."""
        return connecting.save(thing, **serializer.validated_data)

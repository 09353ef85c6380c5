"""Schedules: their document, who is on call, the coming shifts, overrides, and a preview of what is not stored."""

from datetime import timedelta
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config import audit
from config.api import UUID, action, actor_of
from config.filters import Filter, Ids, Reference, Search
from config.pagination import PAGE_PARAMETERS
from config.problems import NotFound, invalid
from config.serializers import Record
from config.serializers import Reference as ReferenceField
from config.wire import instant
from oncall import document, preview, references, scheduling, shifts
from oncall.api.documents import DocumentResource, DocumentSerializer
from oncall.definition import OnCall, Shift
from oncall.faults import Faulty
from oncall.models import Layer, Override, Schedule, User

USUAL_RANGE = timedelta(days=14)
AT = OpenApiParameter("at", OpenApiTypes.DATETIME, description="An instant; now without it.")
FROM = OpenApiParameter("from", OpenApiTypes.DATETIME, description="Now without it.")
UNTIL = OpenApiParameter(
    "until", OpenApiTypes.DATETIME, description="Two weeks after `from` without it; at most a year."
)
OVERRIDE_ORDERINGS = {"created_at": "created_at", "start": "start", "end": "end"}
WHICH = OpenApiParameter("override", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The override's id.")


class RotationSerializer(serializers.Serializer[Any]):
    """How long a turn lasts, on the wall clock."""

    unit = serializers.ChoiceField(choices=Layer.Unit.choices)
    length = serializers.IntegerField(min_value=1, max_value=document.LONGEST_TURN, default=1)


class RestrictionSerializer(serializers.Serializer[Any]):
    """A window outside of which a layer is silent: daily from, to; weekly from_day from, to_day to."""

    type = serializers.ChoiceField(choices=["daily", "weekly"])
    from_day = serializers.ChoiceField(choices=document.DAYS, required=False)
    to_day = serializers.ChoiceField(choices=document.DAYS, required=False)
    to = serializers.CharField(help_text="17:00")

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with `from`, which is no name in Python."""
        return {**super().get_fields(), "from": serializers.CharField(help_text="09:00")}


class LayerSerializer(serializers.Serializer[Any]):
    """A rotation. Later layers win."""

    name = serializers.CharField(required=False)
    users = serializers.ListField(
        child=serializers.CharField(allow_null=True), help_text="Usernames; null is a vacant turn."
    )
    rotation = RotationSerializer()
    anchor = serializers.CharField(help_text="Wall time at which the first turn begins: 2026-03-02T09:00")
    time_zone = serializers.CharField(required=False)
    effective_from = serializers.DateTimeField(required=False)
    effective_until = serializers.DateTimeField(required=False)
    restrictions = RestrictionSerializer(many=True, required=False)


class PlannedOverrideSerializer(serializers.Serializer[Any]):
    """A dated replacement; the last one in the list wins."""

    id = serializers.CharField(required=False)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    user = serializers.CharField(allow_null=True, help_text="Username; null: nobody is on call.")
    replaces = serializers.CharField(allow_null=True, required=False)


class ScheduleSerializer(DocumentSerializer):
    """A schedule: wall-clock rules in a named zone. Saving changes nothing before now."""

    name = serializers.CharField(max_length=100)
    team = serializers.CharField(allow_null=True, required=False)
    time_zone = serializers.CharField()
    layers = LayerSerializer(many=True, required=False)
    overrides = PlannedOverrideSerializer(many=True, required=False)

    def document(self, instance: Schedule) -> dict[str, Any]:
        """Return what is in force now and what comes later."""
        read: dict[int, dict[str, Any]] = self.context.get("documents", {})
        return read.get(instance.pk) or scheduling.as_document(instance, timezone.now())


class OnCallSerializer(serializers.Serializer[Any]):
    """Who is on call, until when, and by which layer or override."""

    at = serializers.DateTimeField()
    user = serializers.CharField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True, help_text="null: not within a year.")
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # a field is named so


class ShiftSerializer(serializers.Serializer[Any]):
    """A longest time with one person from one source; a null user is a gap."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    user = serializers.CharField(allow_null=True)
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # a field is named so


class ShiftsSerializer(serializers.Serializer[Any]):
    """The shifts of a range: they tile it."""

    shifts = ShiftSerializer(many=True)


class InactiveSerializer(serializers.Serializer[Any]):
    """A span in which a person of the document is deactivated."""

    user = serializers.CharField()
    until = serializers.DateTimeField(required=False, allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with `from`, which is no name in Python."""
        return {**super().get_fields(), "from": serializers.DateTimeField()}


class PreviewedSerializer(serializers.Serializer[Any]):
    """A schedule's document with names of any people, past and deactivations included."""

    title = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    team = serializers.CharField(allow_null=True, required=False)
    time_zone = serializers.CharField()
    layers = LayerSerializer(many=True, required=False)
    overrides = PlannedOverrideSerializer(many=True, required=False)
    inactive = InactiveSerializer(many=True, required=False)


class PreviewSerializer(serializers.Serializer[Any]):
    """What is asked: either `at`, or `from` and `until`."""

    schedule = PreviewedSerializer()
    at = serializers.ListField(child=serializers.DateTimeField(), required=False)
    until = serializers.DateTimeField(required=False)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields with `from`, which is no name in Python."""
        return {**super().get_fields(), "from": serializers.DateTimeField(required=False)}


class PreviewAnswerSerializer(serializers.Serializer[Any]):
    """`results` for instants, `shifts` for a range."""

    results = OnCallSerializer(many=True, required=False)
    shifts = ShiftSerializer(many=True, required=False)


class OverrideSerializer(Record[Override]):
    """An override as it is stored."""

    user = ReferenceField(by="username", queryset=User.objects.all(), allow_null=True)
    replaces = ReferenceField(by="username", queryset=User.objects.all(), allow_null=True, required=False)
    created_by = ReferenceField(by="username", read_only=True, allow_null=True)

    class Meta:
        model = Override
        fields = ["start", "end", "user", "replaces", "created_by"]


class ScheduleViewSet(DocumentResource):
    """Schedules: who is on call when. Exactly one person, or nobody, at an instant."""

    model = Schedule
    serializer_class = ScheduleSerializer
    queryset = Schedule.objects.select_related("team")
    reading = frozenset({"preview"})
    scopes = {"preview": "read"}
    parameters = {"on_call": ("at",), "shifts": ("from", "until"), "overrides": PAGE_PARAMETERS}
    action_permissions = {
        **dict.fromkeys(("on_call", "shifts", "preview", "overrides"), "oncall.view_schedule"),
        "add_override": "oncall.add_override",
        "delete_override": "oncall.delete_override",
        "end_override": "oncall.change_override",
    }
    row_permissions = dict.fromkeys(("add_override", "delete_override", "end_override"), "oncall.view_schedule")
    filters = {
        "id": Ids(),
        "name": Filter(column="name"),
        "team": Reference(column="team"),
        "time_zone": Filter(column="time_zone"),
        "user": Reference(column="layers__participants__user", by="username", many=True),
        "search": Search(columns=("name",)),
    }
    orderings = {"name": "name", "created_at": "created_at", "updated_at": "updated_at"}
    ordering = "name"

    def list(self, request: Request) -> Response:
        """Return a page."""
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        documents = scheduling.as_documents(rows, timezone.now())
        context = {**self.get_serializer_context(), "documents": documents}
        return self.get_paginated_response(ScheduleSerializer(rows, many=True, context=context).data)

    def add(self, serializer: BaseSerializer[Any]) -> Schedule:
        """Store the document."""
        return scheduling.save(None, serializer.validated_data, by=self.caller, now=timezone.now())

    def change(self, thing: Schedule, serializer: BaseSerializer[Any]) -> Schedule:  # type: ignore[override]
        """Store what the document speaks of; the past stays."""
        return scheduling.save(thing, serializer.validated_data, by=self.caller, now=timezone.now())

    def remove(self, thing: Schedule) -> None:  # type: ignore[override]
        """Delete it unless a policy uses it."""
        scheduling.delete(thing)

    @extend_schema(parameters=[AT], responses=OnCallSerializer)
    @action(detail=True, methods=["get"], url_path="on-call")
    def on_call(self, request: Request, id: str) -> Response:  # noqa: A002
        """Return who is on call, now or at an instant."""
        at = self._instant("at") or timezone.now()
        found = shifts.on_call(self.get_object(), at)
        named = OnCall(_username(found.user), found.until, found.source)
        return Response({"at": instant(at), **preview.write_on_call(named)})

    @extend_schema(parameters=[FROM, UNTIL], responses=ShiftsSerializer)
    @action(detail=True, methods=["get"])
    def shifts(self, request: Request, id: str) -> Response:  # noqa: A002
        """Return the shifts of a range, gaps as shifts of nobody."""
        start = self._instant("from") or timezone.now()
        end = self._instant("until") or start + USUAL_RANGE
        if not start < end <= start + preview.LONGEST_RANGE:
            raise invalid("until", f"It must be later than from, by at most {preview.LONGEST_RANGE.days} days.")
        found = shifts.shifts(self.get_object(), start, end)
        named = [Shift(one.start, one.end, _username(one.user), one.source) for one in found]
        return Response({"shifts": [preview.write_shift(one) for one in named]})

    @extend_schema(request=PreviewSerializer, responses=PreviewAnswerSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """Tell what a document would mean. Nothing is stored, and its people need not exist."""
        try:
            return Response(preview.answer(request.data))
        except Faulty as exc:
            raise references.as_problem(exc.faults) from exc

    @extend_schema(responses=OverrideSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], orderings=OVERRIDE_ORDERINGS, ordering="created_at")
    def overrides(self, request: Request, id: str) -> Response:  # noqa: A002
        """Return the overrides of a schedule, the oldest first."""
        rows = Override.objects.filter(schedule=self.get_object()).select_related("user", "replaces", "created_by")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(OverrideSerializer(page, many=True).data)

    @extend_schema(request=OverrideSerializer, responses={201: OverrideSerializer})
    @overrides.mapping.post
    def add_override(self, request: Request, id: str) -> Response:  # noqa: A002
        """Put somebody on call for a time: members themselves, managers anyone."""
        schedule, now = self.get_object(), timezone.now()
        row = scheduling.add_override_document(schedule, cast("Any", request.data), by=self.caller, now=now)
        shown = OverrideSerializer(row).data
        audit.record(actor_of(request), "created", row, audit.differences({}, shown), now=now)
        return Response(shown, status=201)

    @extend_schema(parameters=[WHICH], responses={204: None})
    @action(detail=True, methods=["delete"], url_path=f"overrides/(?P<override>{UUID})", url_name="override")
    def delete_override(self, request: Request, id: str, override: str) -> Response:  # noqa: A002
        """Delete an override that has not begun."""
        row, now = self._override(override), timezone.now()
        audit.record(actor_of(request), "deleted", row, audit.differences(OverrideSerializer(row).data, {}), now=now)
        scheduling.delete_override(row, by=self.caller, now=now)
        return Response(status=204)

    @extend_schema(parameters=[WHICH], request=None, responses=OverrideSerializer)
    @action(detail=True, methods=["post"], url_path=f"overrides/(?P<override>{UUID})/end", url_name="override-end")
    def end_override(self, request: Request, id: str, override: str) -> Response:  # noqa: A002
        """End an override now: what it covered so far stays."""
        row, now = self._override(override), timezone.now()
        scheduling.end_override(row, by=self.caller, now=now)
        audit.record(actor_of(request), "ended", row, now=now)
        return Response(OverrideSerializer(row).data)

    def _override(self, key: str) -> Override:
        rows = Override.objects.filter(schedule=self.get_object(), uuid=key)
        found = rows.select_related("schedule", "user", "replaces", "created_by").first()
        if found is None:
            raise NotFound("No override of this schedule has this id.")
        return found

    def _instant(self, name: str) -> Any:
        given = self.request.query_params.get(name)
        if given is None:
            return None
        at = document.read_instant(given)
        if at is None:
            raise invalid(name, preview.HINT)
        return at


def _username(user: User | None) -> str | None:
    return None if user is None else user.username

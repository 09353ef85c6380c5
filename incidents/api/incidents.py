"""Incidents over REST: list, one, made by hand, changed, deleted, and every verb on one."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast
from uuid import uuid4

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config import preconditions
from config.api import Resource, action
from config.filters import refuse_unknown
from config.pagination import PAGE_PARAMETERS, wrong_parameters
from config.problems import Conflict
from incidents import lifecycle, manual
from incidents.api import shapes
from incidents.api.filters import INCIDENT_FILTERS
from incidents.document import load
from incidents.lifecycle import Change
from incidents.models import Incident, TimelineEntry
from incidents.models.severity import RANKS
from incidents.timeline import Actor
from oncall.models import Token, User

BY_NUMBER = {"number": "number", "created_at": "at"}
ACKNOWLEDGE, ASSIGN, CLOSE = (f"incidents.{verb}_incident" for verb in ("acknowledge", "assign", "close"))
PERMISSIONS = {
    **dict.fromkeys(("acknowledge", "unacknowledge", "snooze", "unsnooze", "escalate"), ACKNOWLEDGE),
    **dict.fromkeys(("assign", "unassign"), ASSIGN),
    **dict.fromkeys(("resolve", "close"), CLOSE),
    **dict.fromkeys(("timeline", "events", "batch_get"), "incidents.view_incident"),
}
SCOPES = {
    "read": "incidents:read",
    **dict.fromkeys(("acknowledge", "unacknowledge", "snooze", "unsnooze", "escalate"), "incidents:acknowledge"),
    **dict.fromkeys(("assign", "unassign"), "incidents:assign"),
    **dict.fromkeys(("resolve", "close"), "incidents:close"),
    "destroy": "incidents:delete",
    "batch_get": "incidents:read",
}


def actor_in(request: Request) -> Actor:
    """Return who acts on an incident: a person, or a service token, which changes no assignee."""
    token = request.auth
    if isinstance(token, Token) and token.service:
        return Actor.token(token.name)
    return Actor.person(cast("User", request.user), "api")


def ranked(queryset: QuerySet[Incident]) -> QuerySet[Incident]:
    """Add `rank`, by which severities are ordered: never by their words."""
    whens = [When(severity=severity, then=Value(rank)) for severity, rank in RANKS.items()]
    return queryset.annotate(rank=Case(*whens, default=Value(0), output_field=IntegerField()))


class IncidentViewSet(Resource):
    """Incidents: what needs attention, and what is done about it."""

    model = Incident
    serializer_class = shapes.IncidentSerializer
    queryset = ranked(Incident.objects.all())
    filters = INCIDENT_FILTERS
    parameters = dict.fromkeys(("timeline", "events"), (*PAGE_PARAMETERS, "type"))
    demands_match = True  # If-Match on PATCH and DELETE
    reading = frozenset({"batch_get"})
    scopes: ClassVar[dict[str, str]] = SCOPES
    action_permissions: ClassVar[dict[str, str]] = PERMISSIONS
    ordering = "-created_at"
    orderings = {
        "created_at": "opened_at",
        "number": "pk",
        "updated_at": "updated_at",
        "closed_at": "closed_at",
        "last_event_at": "last_event_at",
        "severity": "rank",
        "status": "status",
        "title": "title",
    }

    def check_parameters(self, request: Request) -> None:
        """Refuse what nobody reads; labels may have any name."""
        if self.act != "list":
            super().check_parameters(request)
            return
        labels = INCIDENT_FILTERS.asked(list(request.query_params))
        refuse_unknown(request, [*PAGE_PARAMETERS, *self.filters, *labels], wrong_parameters(request.query_params))

    def get_serializer_context(self) -> dict[str, Any]:
        """Add the instant of the answer."""
        return {**super().get_serializer_context(), "now": timezone.now()}

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return the serializer, its rows loaded in a fixed number of queries."""
        if args and args[0] is not None and "data" not in kwargs:
            load(args[0] if kwargs.get("many") else [args[0]])
        return super().get_serializer(*args, **kwargs)

    def etag(self, thing: Incident) -> str:
        """Return the version as a tag."""
        return f'"v{thing.version}"'

    def require_match(self, thing: Incident) -> None:
        """Demand If-Match where something is overwritten; take it where it is sent."""
        demanded = self.request.method in {"PATCH", "DELETE"}
        preconditions.require_match(self.request, self.etag(thing), demanded=demanded)

    @extend_schema(request=shapes.CreateSerializer, responses={201: shapes.IncidentSerializer})
    def create(self, request: Request) -> Response:
        """Open an incident by hand: it belongs to the source "Manual" and climbs the policy it names."""
        given = self.read(shapes.CreateSerializer)
        values = dict(given.validated_data)
        policy, key = values.pop("escalation_policy"), values.pop("dedup_key", "") or uuid4().hex
        by, now = actor_in(request), timezone.now()
        incident, new = manual.open_by_hand(policy=policy, key=key, by=by, now=now, **values)
        if not new:
            facts = {"incident": str(incident.uuid), "number": incident.pk}
            raise Conflict("duplicate_open_incident", "An incident with this dedup key is open already.", **facts)
        response = self.shown(self.fresh(incident), status=201)
        response["Location"] = request.build_absolute_uri(f"/api/v1/incidents/{incident.uuid}/")
        return response

    @extend_schema(request=shapes.EditSerializer, responses=shapes.IncidentSerializer)
    def partial_update(self, request: Request, id: str) -> Response:  # noqa: A002
        """Change title, description, severity or labels."""
        incident = self.locked()
        values = self.read(shapes.EditSerializer).validated_data
        return self.shown(self.fresh(lifecycle.edit(incident, values, by=actor_in(request), now=timezone.now())))

    def destroy(self, request: Request, id: str) -> Response:  # noqa: A002
        """Delete a resolved incident; the audit trail keeps that it was."""
        incident = self.locked()
        lifecycle.single(lifecycle.delete([incident], by=actor_in(request), now=timezone.now()))
        return Response(status=204)

    @extend_schema(request=shapes.BatchGetSerializer, responses=shapes.BatchGetAnswerSerializer)
    @action(detail=False, methods=["post"], url_path="batch-get")
    def batch_get(self, request: Request) -> Response:
        """Return many by id: by POST, because so many ids do not fit into an address."""
        ids = set(self.read(shapes.BatchGetSerializer).validated_data["ids"])
        found = list(self.get_queryset().filter(uuid__in=ids))
        shown = {row["id"]: row for row in self.get_serializer(found, many=True).data}
        missing = sorted(str(one) for one in ids - {incident.uuid for incident in found})
        return Response({"incidents": shown, "not_found_ids": missing})

    @extend_schema(request=shapes.AcknowledgeSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, id: str) -> Response:  # noqa: A002
        """Somebody has it: escalation halts."""
        note = self.read(shapes.AcknowledgeSerializer).validated_data.get("note")

        def run(incidents: Sequence[Incident], **by: Any) -> list[Change]:
            changes = lifecycle.acknowledge(incidents, **by)
            if note and changes[0].refusal is None:
                lifecycle.note(incidents, note, **by)
            return changes

        return self.moved(run)

    @extend_schema(request=shapes.NothingSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def unacknowledge(self, request: Request, id: str) -> Response:  # noqa: A002
        """Nobody has it any more: the present step executes anew."""
        return self.moved(lifecycle.unacknowledge)

    @extend_schema(request=shapes.ResolveSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, id: str) -> Response:  # noqa: A002
        """It is over, for good."""
        return self.moved(lifecycle.resolve, **self.read(shapes.ResolveSerializer).validated_data)

    @extend_schema(request=shapes.ResolveSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, id: str) -> Response:  # noqa: A002
        """End it, whatever the source still says."""
        return self.moved(lifecycle.close, **self.read(shapes.ResolveSerializer).validated_data)

    @extend_schema(request=shapes.SnoozeSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, id: str) -> Response:  # noqa: A002
        """Let run and pages rest for a time."""
        given = self.read(shapes.SnoozeSerializer)
        return self.moved(lifecycle.snooze, until=given.end(timezone.now()))

    @extend_schema(request=shapes.NothingSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def unsnooze(self, request: Request, id: str) -> Response:  # noqa: A002
        """End the snooze: a new run begins at step 1."""
        return self.moved(lifecycle.unsnooze)

    @extend_schema(request=shapes.NothingSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def escalate(self, request: Request, id: str) -> Response:  # noqa: A002
        """Take the next step now."""
        self.read(shapes.NothingSerializer)
        return self.moved(lifecycle.escalate)

    @extend_schema(request=shapes.AssignSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, id: str) -> Response:  # noqa: A002
        """Give it to a person, a team, whoever is on call in a schedule, or another policy."""
        return self.moved(lifecycle.assign, self.read(shapes.AssignSerializer).assignee())

    @extend_schema(request=shapes.UnassignSerializer, responses=shapes.IncidentSerializer)
    @action(detail=True, methods=["post"])
    def unassign(self, request: Request, id: str) -> Response:  # noqa: A002
        """Take it from everyone, or from the one named."""
        return self.moved(lifecycle.unassign, **self.read(shapes.UnassignSerializer).validated_data)

    @extend_schema(request=shapes.NoteSerializer, responses={201: shapes.TimelineSerializer})
    @action(detail=True, methods=["post"], url_path="notes")
    def notes(self, request: Request, id: str) -> Response:  # noqa: A002
        """Write something down."""
        text = self.read(shapes.NoteSerializer).validated_data["text"]
        incident = lifecycle.single(lifecycle.note([self.locked()], text, by=actor_in(request), now=timezone.now()))
        entry = incident.timeline.select_related("user").latest("number")
        return Response(shapes.TimelineSerializer(entry).data, status=201)

    @extend_schema(responses=shapes.TimelineSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], orderings=BY_NUMBER, ordering="number")
    def timeline(self, request: Request, id: str) -> Response:  # noqa: A002
        """What happened, oldest first."""
        return self._told(request)

    def _told(self, request: Request) -> Response:
        entries = TimelineEntry.objects.filter(incident=self.get_object()).select_related("user")
        if kinds := request.query_params.getlist("type"):
            entries = entries.filter(kind__in=kinds)
        page = self.paginate_queryset(entries)
        return self.get_paginated_response(shapes.TimelineSerializer(page, many=True).data)

    @extend_schema(responses=shapes.TimelineSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], orderings=BY_NUMBER, ordering="number")
    def events(self, request: Request, id: str) -> Response:  # noqa: A002
        """The same as timeline."""
        return self._told(request)

    def moved(self, verb: Callable[..., list[Change]], *args: Any, **kwargs: Any) -> Response:
        """Carry a verb out on the incident named in the address, if its version is the one the caller saw."""
        incident = self.locked()
        changes = verb([incident], *args, **kwargs, by=actor_in(self.request), now=timezone.now())
        return self.shown(self.fresh(lifecycle.single(changes)))

    def read(self, shape: type[BaseSerializer[Any]]) -> Any:
        """Return the body in this shape, checked."""
        given = shape(
            data=self.request.data if self.request.data is not None else {}, context=self.get_serializer_context()
        )
        given.is_valid(raise_exception=True)
        return given

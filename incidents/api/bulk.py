"""Verbs on many incidents at once, with a result for each: `POST /api/v1/incidents/bulk/<verb>/`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config import access
from config.api import Endpoint
from config.problems import Conflict
from config.serializers import Id, Strict
from incidents import lifecycle, timeline
from incidents.api import shapes
from incidents.api.incidents import PERMISSIONS, SCOPES, actor_in
from incidents.document import document, load
from incidents.lifecycle import Change
from incidents.models import Incident

MOST = 1000
OUTCOMES = ["changed", "unchanged", "error", "skipped"]


class BulkSerializer(Strict):
    """Which incidents, and whether it is all or nothing."""

    incident_ids = serializers.ListField(child=Id(), min_length=1, max_length=MOST)
    atomic = serializers.BooleanField(default=False)
    if_match = serializers.DictField(child=serializers.IntegerField(), required=False)
    expand = serializers.ChoiceField(["incident"], required=False)


class BulkResolveSerializer(BulkSerializer, shapes.ResolveSerializer):
    """With an optional resolution."""


class BulkSnoozeSerializer(BulkSerializer, shapes.SnoozeSerializer):
    """For how long, or until when."""


class BulkAssignSerializer(BulkSerializer, shapes.AssignSerializer):
    """To whom."""


class BulkUnassignSerializer(BulkSerializer, shapes.UnassignSerializer):
    """From everyone, or from the one named."""


class BulkErrorSerializer(serializers.Serializer[Any]):
    """Why one incident was not changed."""

    code = serializers.CharField()
    detail = serializers.CharField()


class BulkResultSerializer(serializers.Serializer[Any]):
    """What came of it for one incident."""

    incident_id = serializers.UUIDField()
    outcome = serializers.ChoiceField(OUTCOMES)
    version = serializers.IntegerField(allow_null=True)
    status = serializers.CharField(allow_null=True)
    error = BulkErrorSerializer(allow_null=True)
    incident = shapes.IncidentSerializer(required=False)


class BulkSummarySerializer(serializers.Serializer[Any]):
    """How many of each."""

    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    error = serializers.IntegerField()


class BulkAnswerSerializer(serializers.Serializer[Any]):
    """Always 200 when the request was valid: look at the summary."""

    summary = BulkSummarySerializer()
    results = BulkResultSerializer(many=True)


class _Undone(Exception):  # it is no error: the transaction is to be rolled back
    """All or nothing, and one could not."""


class Bulk(Endpoint):
    """One verb on up to 1,000 incidents, with a result for each in the order asked."""

    shape: ClassVar[type[BulkSerializer]] = BulkSerializer
    verb: ClassVar[str] = ""
    permission: ClassVar[str] = ""
    scopes: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.permission = PERMISSIONS.get(cls.verb, "incidents.delete_incident")
        cls.scopes = {"write": SCOPES.get(cls.verb, "incidents:delete")}
        name = f"incidents_bulk_{cls.verb}"
        documented = extend_schema(operation_id=name, request=cls.shape, responses=BulkAnswerSerializer)
        extend_schema_view(post=documented)(cls)

    def post(self, request: Request) -> Response:
        """Carry the verb out."""
        given = self.shape(data=request.data, context={"request": request, "view": self})
        given.is_valid(raise_exception=True)
        results: list[dict[str, Any]] = []
        try:
            with transaction.atomic():
                results = self._run(request, given)
                if given.validated_data["atomic"] and any(row["outcome"] == "error" for row in results):
                    raise _Undone
        except _Undone as exc:
            skipped = [{**row, "outcome": "skipped"} if row["outcome"] == "changed" else row for row in results]
            raise Conflict("atomic_failed", "Nothing was changed: at least one could not be.", results=skipped) from exc
        counted = {word: sum(row["outcome"] == word for row in results) for word in ("changed", "unchanged", "error")}
        return Response({"summary": counted, "results": results})

    def _run(self, request: Request, given: BulkSerializer) -> list[dict[str, Any]]:
        asked = list(dict.fromkeys(given.validated_data["incident_ids"]))
        visible = access.visible(request.user, Incident.objects.filter(uuid__in=asked).select_related("team"))
        teams = {incident.pk: incident.team for incident in visible}
        found = {incident.uuid: incident for incident in timeline.lock(list(teams))}  # judged as they are now
        for incident in found.values():
            incident.team = teams[incident.pk]
        refusals = {uuid: self._refusal(request, found.get(uuid), given) for uuid in asked}
        going = [found[uuid] for uuid in asked if refusals[uuid] is None]
        changes = self._carry_out(going, request, given)
        by_uuid = {change.incident.uuid: change for change in changes}
        rows = [_row(uuid, found.get(uuid), by_uuid.get(uuid), refusals[uuid]) for uuid in asked]
        if given.validated_data.get("expand"):
            self._expand(rows, [change.incident for change in changes])
        return rows

    def _refusal(self, request: Request, incident: Incident | None, given: BulkSerializer) -> dict[str, str] | None:
        if incident is None:
            return {"code": "not_found", "detail": "No incident has this id."}
        if not request.user.has_perm(self.permission, incident):
            return {"code": "permission_denied", "detail": f"Your roles do not allow this ({self.permission})."}
        wanted = given.validated_data.get("if_match", {}).get(str(incident.uuid))
        if wanted is not None and wanted != incident.version:
            return {"code": "version_mismatch", "detail": f"It has changed since version {wanted}."}
        return None

    def _carry_out(self, incidents: Sequence[Incident], request: Request, given: BulkSerializer) -> list[Change]:
        args, kwargs = self.arguments(given)
        verb: Callable[..., list[Change]] = getattr(lifecycle, self.verb)
        return verb(incidents, *args, by=actor_in(request), now=timezone.now(), **kwargs)

    def arguments(self, given: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return what the verb takes besides the incidents."""
        return [], {}

    def _expand(self, rows: list[dict[str, Any]], incidents: Sequence[Incident]) -> None:
        now = timezone.now()
        fresh = {one.uuid: one for one in load(list(Incident.objects.filter(pk__in=[i.pk for i in incidents])))}
        for row in rows:
            if incident := fresh.get(row["incident_id"]):
                row["incident"] = document(incident, now)


def _row(
    uuid: Any, incident: Incident | None, change: Change | None, refusal: Mapping[str, str] | None
) -> dict[str, Any]:
    shown = change.incident if change else incident
    error = refusal
    if change is not None and change.refusal is not None:
        error = {"code": change.refusal.code, "detail": str(change.refusal)}
    outcome = "error" if error else "changed" if change and change.changed else "unchanged"
    return {
        "incident_id": uuid,
        "outcome": outcome,
        "version": shown.version if shown else None,
        "status": shown.status if shown else None,
        "error": error,
    }


class Acknowledge(Bulk):
    """Somebody has them."""

    verb = "acknowledge"


class Unacknowledge(Bulk):
    """Nobody has them any more."""

    verb = "unacknowledge"


class Unsnooze(Bulk):
    """End their snoozes."""

    verb = "unsnooze"


class Escalate(Bulk):
    """Take the next step of each now."""

    verb = "escalate"


class Delete(Bulk):
    """Delete those that are resolved."""

    verb = "delete"


class Resolve(Bulk):
    """They are over."""

    verb = "resolve"
    shape = BulkResolveSerializer

    def arguments(self, given: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return what the verb takes besides the incidents."""
        return [], {"resolution": given.validated_data["resolution"]}


class Close(Resolve):
    """End them, whatever their sources still say."""

    verb = "close"


class Snooze(Bulk):
    """Let them rest for a time."""

    verb = "snooze"
    shape = BulkSnoozeSerializer

    def arguments(self, given: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return what the verb takes besides the incidents."""
        return [], {"until": given.end(timezone.now())}


class Assign(Bulk):
    """Give them to somebody."""

    verb = "assign"
    shape = BulkAssignSerializer

    def arguments(self, given: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return what the verb takes besides the incidents."""
        return [given.assignee()], {}


class Unassign(Bulk):
    """Take them from everyone, or from the one named."""

    verb = "unassign"
    shape = BulkUnassignSerializer

    def arguments(self, given: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return what the verb takes besides the incidents."""
        return [], {name: given.validated_data[name] for name in ("user", "team") if name in given.validated_data}


VIEWS: tuple[type[Bulk], ...] = (
    *(Acknowledge, Unacknowledge, Resolve, Close, Assign, Unassign, Snooze, Unsnooze, Escalate, Delete),
)

"""The shapes of incidents over REST: what is shown, and what each verb takes."""

from datetime import datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.serializers import Id, Reference, Strict
from config.wire import InstantField, instant
from incidents.document import document
from incidents.lifecycle import Assignee
from incidents.models import Incident, Severity, Status, TimelineEntry
from incidents.sentences import sentence
from oncall.models import EscalationPolicy, Schedule, Team, User


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class LabelsField(serializers.DictField):
    """Flat text to text."""

    child = serializers.CharField(max_length=1000, allow_blank=True)


@extend_schema_field({"type": "object", "additionalProperties": {}})
class AnyObject(serializers.JSONField):
    """Any JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the object. Raises ValidationError for anything else."""
        if not isinstance(data, dict):
            raise serializers.ValidationError("Send an object.")
        return super().to_internal_value(data)


class LinkSerializer(Strict):
    """A link with its words."""

    href = serializers.URLField(max_length=2000)
    text = serializers.CharField(max_length=200, required=False, default="")


class AssignmentSerializer(serializers.Serializer[Any]):
    """Who has it: a person or a team."""

    user = serializers.CharField(allow_null=True)
    team = serializers.CharField(allow_null=True)
    assigned_by = serializers.CharField(allow_null=True)
    assigned_at = InstantField()


class IncidentSerializer(serializers.Serializer[Incident]):
    """An incident. It was loaded by `document.load`; `now` in the context is the instant of the answer."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    title = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(Status.choices)
    firing = serializers.BooleanField()
    severity = serializers.ChoiceField(Severity.choices)
    urgency = serializers.CharField(allow_null=True)
    risk_score = serializers.FloatField(allow_null=True)
    dedup_key = serializers.CharField()
    alert_source = serializers.CharField()
    escalation_policy = serializers.CharField(allow_null=True)
    team = serializers.CharField(allow_null=True)
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # a field is named so
    component = serializers.CharField(allow_null=True)
    group = serializers.CharField(allow_null=True)
    labels = LabelsField()
    contextual_labels = LabelsField()
    details = AnyObject()
    links = LinkSerializer(many=True)
    images = serializers.ListField(child=AnyObject())
    assignees = serializers.ListField(child=serializers.CharField())
    assignments = AssignmentSerializer(many=True)
    acknowledged_by = serializers.CharField(allow_null=True)
    acknowledged_at = InstantField(allow_null=True)
    told = serializers.BooleanField(allow_null=True)
    told_reason = serializers.CharField(allow_null=True)
    next_step_at = InstantField(allow_null=True)
    next_step = serializers.CharField(allow_null=True)
    events_count = serializers.IntegerField()
    occurred_at = InstantField(allow_null=True)
    created_at = InstantField()
    updated_at = InstantField()
    last_event_at = InstantField()
    closed_at = InstantField(allow_null=True)
    duration_seconds = serializers.FloatField()
    snoozed_until = InstantField(allow_null=True)
    is_muted = serializers.BooleanField()
    previous = serializers.UUIDField(allow_null=True)
    merged_into = serializers.UUIDField(allow_null=True)
    url = serializers.CharField()
    version = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        """Add `class`, which Python cannot name."""
        return {**super().get_fields(), "class": serializers.CharField(allow_null=True)}

    def to_representation(self, instance: Incident) -> dict[str, Any]:
        """Return the one shape that webhooks have too."""
        return document(instance, self.context["now"])


class CreateSerializer(Strict):
    """An incident made by hand."""

    title = serializers.CharField(max_length=255)
    severity = serializers.ChoiceField(Severity.choices, default=Severity.CRITICAL)
    escalation_policy = Reference(queryset=EscalationPolicy.objects.all())
    dedup_key = serializers.CharField(max_length=255, required=False)
    description = serializers.CharField(max_length=65_536, required=False, allow_blank=True)
    team = Reference(queryset=Team.objects.all(), required=False, allow_null=True)
    source = serializers.CharField(max_length=255, required=False, source="origin")  # type: ignore[assignment]
    component = serializers.CharField(max_length=255, required=False)
    group = serializers.CharField(max_length=255, required=False)
    labels = LabelsField(required=False)
    details = AnyObject(required=False)
    links = LinkSerializer(many=True, required=False)

    def get_fields(self) -> dict[str, Any]:
        """Add `class`, which Python cannot name."""
        named = serializers.CharField(max_length=255, required=False, source="class_name")
        return {**super().get_fields(), "class": named}


class EditSerializer(Strict):
    """What of an incident can be changed."""

    title = serializers.CharField(max_length=255, required=False)
    description = serializers.CharField(max_length=65_536, required=False, allow_blank=True)
    severity = serializers.ChoiceField(Severity.choices, required=False)
    labels = LabelsField(required=False)


class NothingSerializer(Strict):
    """An empty body."""


class AcknowledgeSerializer(Strict):
    """Optionally a note."""

    note = serializers.CharField(max_length=10_000, required=False)


class ResolveSerializer(Strict):
    """Optionally why it is over."""

    resolution = serializers.CharField(max_length=2_000, required=False, default="", allow_blank=True)


class NoteSerializer(Strict):
    """A note."""

    text = serializers.CharField(max_length=10_000)


class SnoozeSerializer(Strict):
    """For how long, or until when: one minute to seven days."""

    duration_minutes = serializers.IntegerField(min_value=1, max_value=10_080, required=False)
    until = InstantField(required=False)

    def end(self, now: datetime) -> datetime:
        """Return the end of the snooze."""
        until: datetime | None = self.validated_data.get("until")
        return until or now + timedelta(minutes=self.validated_data["duration_minutes"])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand one of the two."""
        if len(attrs.keys() & {"duration_minutes", "until"}) != 1:
            raise serializers.ValidationError('Send {"duration_minutes": 60} or {"until": "2026-11-21T09:00:00Z"}.')
        return attrs


class AssignSerializer(Strict):
    """To whom: one of user, team, schedule, escalation_policy."""

    user = Reference(by="username", queryset=User.objects.filter(is_active=True), required=False)
    team = Reference(queryset=Team.objects.all(), required=False)
    schedule = Reference(queryset=Schedule.objects.all(), required=False)
    escalation_policy = Reference(queryset=EscalationPolicy.objects.all(), required=False)

    NAMES = ("user", "team", "schedule", "escalation_policy")

    def assignee(self) -> Assignee:
        """Return to whom."""
        given = {name: self.validated_data[name] for name in self.NAMES if name in self.validated_data}
        if "escalation_policy" in given:
            given["policy"] = given.pop("escalation_policy")
        return Assignee(**given)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand exactly one."""
        if len(attrs.keys() & set(self.NAMES)) != 1:
            raise serializers.ValidationError(f"Send one of {', '.join(self.NAMES)}.")
        return attrs


class UnassignSerializer(Strict):
    """From everyone, or from the one named."""

    user = Reference(by="username", queryset=User.objects.all(), required=False)
    team = Reference(queryset=Team.objects.all(), required=False)


class BatchGetSerializer(Strict):
    """Which incidents."""

    ids = serializers.ListField(child=Id(), min_length=1, max_length=10_000)


class BatchGetAnswerSerializer(serializers.Serializer[Any]):
    """By id, and what was not found."""

    incidents = serializers.DictField(child=IncidentSerializer())
    not_found_ids = serializers.ListField(child=serializers.UUIDField())


class TimelineSerializer(serializers.ModelSerializer[TimelineEntry]):
    """One thing that happened, as facts and as a sentence."""

    id = serializers.UUIDField(source="uuid")
    type = serializers.CharField(source="kind")
    created_at = serializers.SerializerMethodField()
    originator = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    payload = AnyObject(source="facts")

    class Meta:
        model = TimelineEntry
        fields = ["id", "number", "type", "created_at", "originator", "via", "text", "payload"]

    @extend_schema_field({"type": "string", "format": "date-time"})
    def get_created_at(self, entry: TimelineEntry) -> str:
        """Return when it happened."""
        return instant(entry.at)

    @extend_schema_field({"type": "object", "properties": {"type": {"type": "string"}, "name": {"type": "string"}}})
    def get_originator(self, entry: TimelineEntry) -> dict[str, str]:
        """Return who did it: a person, an alert source, a service token, or Tocsin."""
        shown = {"type": entry.originator, "name": entry.actor}
        return {**shown, "user": entry.user.username} if entry.user else shown

    @extend_schema_field({"type": "string"})
    def get_text(self, entry: TimelineEntry) -> str:
        """Return it as a sentence."""
        return sentence(entry)

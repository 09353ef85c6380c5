"""Escalation policies: who is told first, who next, how often it begins again."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config.api import action
from config.filters import Choice, Filter, Ids, Reference, Search
from oncall import policies, policy
from oncall.api.documents import DocumentResource, DocumentSerializer
from oncall.models import EscalationPolicy


class TargetSerializer(serializers.Serializer[Any]):
    """One of: a person, whoever is on call on a schedule, a team."""

    user = serializers.CharField(required=False)
    schedule = serializers.CharField(required=False)
    team = serializers.CharField(required=False)


class StepSerializer(serializers.Serializer[Any]):
    """Tell these targets, then wait for an answer before the next step."""

    targets = TargetSerializer(many=True)
    delay_minutes = serializers.IntegerField(min_value=0, max_value=policy.LONGEST_DELAY, default=5)
    strategy = serializers.ChoiceField(choices=policy.STRATEGIES, default="everyone")


class EscalationPolicySerializer(DocumentSerializer):
    """An escalation policy. `repeat`: further passes; null goes on until somebody answers."""

    name = serializers.CharField(max_length=100)
    team = serializers.CharField(allow_null=True, required=False)
    repeat = serializers.IntegerField(min_value=0, max_value=policy.MOST_REPEATS, allow_null=True, required=False)
    start_delay_minutes = serializers.IntegerField(min_value=0, max_value=policy.LONGEST_START_DELAY, default=0)
    ack_timeout_minutes = serializers.IntegerField(
        min_value=1, max_value=policy.LONGEST_DELAY, allow_null=True, required=False
    )
    low_urgency = serializers.ChoiceField(choices=policy.LOW_URGENCY, default="first_step")
    steps = StepSerializer(many=True)

    def document(self, instance: EscalationPolicy) -> dict[str, Any]:
        """Return the policy with its steps, targets by name."""
        return policies.as_document(instance)


class SentenceSerializer(serializers.Serializer[Any]):
    """One line of a policy read out; `warning` says why it reaches nobody now."""

    number = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()
    warning = serializers.CharField(allow_blank=True)


class SentencesSerializer(serializers.Serializer[Any]):
    """A policy read out, with whom each step would reach now."""

    sentences = SentenceSerializer(many=True)


class EscalationPolicyViewSet(DocumentResource):
    """Escalation policies with their steps. What is under way goes on by the copy it began with."""

    model = EscalationPolicy
    serializer_class = EscalationPolicySerializer
    queryset = EscalationPolicy.objects.select_related("team").prefetch_related(*policies.STEPS)
    action_permissions = {"sentences": "oncall.view_escalationpolicy"}
    filters = {
        "id": Ids(),
        "name": Filter(column="name"),
        "team": Reference(column="team"),
        "low_urgency": Choice(column="low_urgency", words=policy.LOW_URGENCY),
        "user": Reference(column="steps__targets__user", by="username", many=True),
        "schedule": Reference(column="steps__targets__schedule", many=True),
        "search": Search(columns=("name",)),
    }
    orderings = {"name": "name", "created_at": "created_at", "updated_at": "updated_at"}
    ordering = "name"

    def add(self, serializer: BaseSerializer[Any]) -> EscalationPolicy:
        """Store the document."""
        return policies.save(None, serializer.validated_data, by=self.caller, now=timezone.now())

    def change(self, thing: EscalationPolicy, serializer: BaseSerializer[Any]) -> EscalationPolicy:  # type: ignore[override]
        """Store what the document speaks of."""
        return policies.save(thing, serializer.validated_data, by=self.caller, now=timezone.now())

    def remove(self, thing: EscalationPolicy) -> None:  # type: ignore[override]
        """Delete it unless something uses it."""
        policies.delete(thing)

    @extend_schema(responses=SentencesSerializer)
    @action(detail=True, methods=["get"])
    def sentences(self, request: Request, id: str) -> Response:  # noqa: A002
        """Read the policy out, with whom each step would reach now."""
        lines = policies.as_sentences(self.get_object(), timezone.now())
        return Response({"sentences": [vars(line) for line in lines]})

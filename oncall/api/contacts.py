"""How people can be reached, and after how many minutes by which way."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config import access
from config.api import Resource, action, actor_of
from config.filters import Choice, Filter, Flag, Ids, Reference
from config.problems import invalid
from config.serializers import SET, Record, Strict
from config.serializers import Reference as ReferenceField
from destinations.api import TestAnswerSerializer, told
from destinations.base import kind_choices
from destinations.models import Connector
from oncall import contacts
from oncall.models import ContactMethod, NotificationRule, Urgency, User


@extend_schema_field({"type": "object", "additionalProperties": {}})
class SecretsField(serializers.DictField):
    """Settings that can be written and never read: each that is set shows as {"set": true}, which may be sent back."""

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return what is set, and nothing of what it is."""
        return {name: SET for name, held in value.items() if held}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return what is new."""
        return {name: value for name, value in super().to_internal_value(data).items() if value != SET}


class ContactMethodSerializer(Record[ContactMethod]):
    """A way to reach a person. Without `user` it is the caller's own."""

    user = ReferenceField(by="username", queryset=User.objects.all(), required=False)
    kind = serializers.CharField(max_length=40)
    connector = ReferenceField(queryset=Connector.objects.all(), required=False, allow_null=True)
    secret = SecretsField(required=False)
    verified = serializers.BooleanField(read_only=True)
    vouched_by = ReferenceField(by="username", read_only=True, allow_null=True)

    class Meta:
        model = ContactMethod
        fields = [
            *("user", "kind", "address", "label", "secret", "connector"),
            *("verified", "verified_at", "vouched_by", "disabled_at", "disabled_reason"),
        ]
        read_only_fields = ["verified_at", "disabled_at", "disabled_reason"]
        validators: list[Any] = []  # the verbs know the normal form in which addresses are compared


class VerifySerializer(Strict):
    """The code that was sent or, by an admin, `vouch`."""

    code = serializers.RegexField(r"^\s*[0-9]{6}\s*$", required=False, max_length=20)
    vouch = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand one of the two."""
        if bool(attrs.get("code")) == bool(attrs.get("vouch")):
            raise serializers.ValidationError('Send {"code": "123456"} or, as an admin, {"vouch": true}.')
        return attrs


class ContactMethodViewSet(Resource):
    """Contact methods: pages go only to verified, working ones."""

    model = ContactMethod
    serializer_class = ContactMethodSerializer
    queryset = ContactMethod.objects.select_related("user", "connector", "vouched_by")
    loose = frozenset({"verify", "test"})
    action_permissions = {"test": "oncall.change_contactmethod", "send_code": "oncall.change_contactmethod"}
    filters = {
        "id": Ids(),
        "user": Reference(column="user", by="username"),
        "kind": Choice(column="kind", words=kind_choices),
        "address": Filter(column="address"),
        "connector": Reference(column="connector"),
        "verified": Flag(column="verified_at", null=True),
        "disabled": Flag(column="disabled_at", null=True),
    }
    orderings = {"user": "user__username", "kind": "kind", "created_at": "created_at", "updated_at": "updated_at"}

    def add(self, serializer: BaseSerializer[Any]) -> ContactMethod:
        """Store a way to reach a person."""
        return contacts.add(**{"user": self.caller, **serializer.validated_data})

    def change(self, thing: ContactMethod, serializer: BaseSerializer[Any]) -> ContactMethod:  # type: ignore[override]
        """Store what was sent; another address has to be verified anew."""
        values = dict(serializer.validated_data)
        for name in ("user", "kind"):
            if values.pop(name, getattr(thing, name)) != getattr(thing, name):
                raise invalid(name, "This stays as it was made. Delete it and add another.", "fixed")
        return contacts.change(thing, **values, drop_connector="connector" in values and values["connector"] is None)

    def demand_on(self, values: Any, thing: Any = None) -> None:
        """Let people keep their own."""
        super().demand_on({"user": self.caller, **values} if thing is None else values, thing)

    @extend_schema(request=None, responses=ContactMethodSerializer)
    @action(detail=True, methods=["post"], url_path="send-code")
    def send_code(self, request: Request, id: str) -> Response:  # noqa: A002
        """Send a six-digit code to the address, at most once a minute and five in 15 minutes."""
        method = self.get_object()
        contacts.send_code(method, now=timezone.now())
        return self.shown(self.fresh(method))

    @extend_schema(request=VerifySerializer, responses=ContactMethodSerializer)
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, id: str) -> Response:  # noqa: A002
        """Prove the address by the code, or let an admin vouch for it."""
        method, now = self.get_object(), timezone.now()
        given = VerifySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        if given.validated_data.get("vouch"):
            access.demand(request, "oncall.vouch_contactmethod", method)
            access.demand_scope(request, "admin")
            contacts.vouch(method, by=self.caller, actor=actor_of(request), now=now)
        else:
            contacts.verify(method, given.validated_data["code"], now=now)
        return self.shown(self.fresh(method))

    @extend_schema(request=None, responses=TestAnswerSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: str) -> Response:  # noqa: A002
        """Send a test page now and answer what the other side said: only to a verified address, five in 10 minutes."""
        method, actor = self.get_object(), actor_of(request)
        return Response(told(contacts.test(method, by=self.caller, actor=actor, now=timezone.now())))


class NotificationRuleSerializer(Record[NotificationRule]):
    """After so many minutes, by this contact method. Without `user` it is the caller's own."""

    user = ReferenceField(by="username", queryset=User.objects.all(), required=False)
    delay_minutes = serializers.IntegerField(min_value=0, max_value=1440, default=0)
    contact_method = ReferenceField(by="uuid", queryset=ContactMethod.objects.all())

    class Meta:
        model = NotificationRule
        fields = ["user", "urgency", "delay_minutes", "contact_method"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand that the contact method is the same person's."""
        held = self.instance
        default = held.user if isinstance(held, NotificationRule) else self.context["request"].user
        user = attrs.get("user", default)
        method = attrs.get("contact_method", getattr(held, "contact_method", None))
        if method is not None and method.user_id != user.pk:
            raise serializers.ValidationError({"contact_method": f"This is not one of {user}'s contact methods."})
        return {**attrs, "user": user}


class NotificationRuleViewSet(Resource):
    """Notification rules: for each urgency, after how many minutes by which way."""

    model = NotificationRule
    serializer_class = NotificationRuleSerializer
    queryset = NotificationRule.objects.select_related("user", "contact_method")
    filters = {
        "id": Ids(),
        "user": Reference(column="user", by="username"),
        "urgency": Choice(column="urgency", words=Urgency.values),
        "contact_method": Reference(column="contact_method", by="address"),
    }
    orderings = {
        "user": "user__username",
        "urgency": "urgency",
        "delay_minutes": "delay_minutes",
        "created_at": "created_at",
    }

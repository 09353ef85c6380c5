"""API tokens: one's own; admins see all."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config import audit
from config.api import Resource, action, actor_of
from config.filters import Filter, Flag, Ids, Reference
from config.serializers import Record
from oncall import tokens
from oncall.models import Token
from oncall.models.access import SCOPES


class TokenSerializer(Record[Token]):
    """A token as it can still be seen: its beginning, its scopes, its last use."""

    user = serializers.CharField(source="user.username", read_only=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), min_length=1)

    class Meta:
        model = Token
        fields = ["name", "scopes", "service", "expires_at", "user", "prefix", "last_used_at", "revoked_at"]
        read_only_fields = ["prefix", "last_used_at", "revoked_at"]


class MadeTokenSerializer(TokenSerializer):
    """A token when it is made: this once with its clear text."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = ["token", *TokenSerializer.Meta.fields]


class TokenViewSet(Resource):
    """API tokens. The clear text is in the answer that makes one, and nowhere else."""

    model = Token
    serializer_class = TokenSerializer
    queryset = Token.objects.select_related("user")
    http_method_names = ["get", "head", "post", "delete"]
    scopes = {"write": "admin"}
    filters = {
        "id": Ids(),
        "name": Filter(column="name"),
        "user": Reference(column="user", by="username"),
        "service": Flag(column="service"),
        "revoked": Flag(column="revoked_at", null=True),
    }
    orderings = {"name": "name", "created_at": "created_at", "last_used_at": "last_used_at", "expires_at": "expires_at"}
    ordering = "-created_at"

    def demand_on(self, values: Any, thing: Any = None) -> None:
        """Everybody may make tokens that act for themselves: their rights bound it."""

    @extend_schema(request=TokenSerializer, responses={201: MadeTokenSerializer})
    def create(self, request: Request) -> Response:
        """Make a token. The answer holds `token` this once."""
        serializer = self.validated(request.data)
        now = timezone.now()
        made, clear = tokens.make(self.caller, **serializer.validated_data, now=now)
        audit.record(actor_of(request), "created", made, audit.differences({}, self.trail(made)), now=now)
        return self._made(made, clear)

    @extend_schema(request=None, responses={201: MadeTokenSerializer})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, id: str) -> Response:  # noqa: A002
        """Revoke it and make another of the same name, scopes and expiry. Only its owner can."""
        old, now = self.get_object(), timezone.now()
        made, clear = tokens.rotate(old, by=self.caller, now=now)
        audit.record(actor_of(request), "rotated", made, {"prefix": [old.prefix, made.prefix]}, now=now)
        return self._made(made, clear)

    @extend_schema(request=None, responses=TokenSerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, id: str) -> Response:  # noqa: A002
        """Let it open nothing any more."""
        token, now = self.get_object(), timezone.now()
        tokens.revoke(token, now=now)
        audit.record(actor_of(request), "revoked", token, now=now)
        return self.shown(token)

    def _made(self, token: Token, clear: str) -> Response:
        location = self.request.build_absolute_uri(f"/api/v1/tokens/{token.uuid}/")
        body = {"token": clear, **self.get_serializer(token).data}
        return Response(body, status=201, headers={"Location": location, "ETag": self.etag(token)})

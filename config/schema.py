"""The OpenAPI document: one Problem for every refusal, and the headers that all addresses share."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

from config.problems import MEDIA_TYPE

PROBLEM = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457), with a code for programs and the wrong fields for forms.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "example": "urn:problem:invalid"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "example": "invalid"},
        "detail": {"type": "string", "description": "What happened and what to do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {"field": {"type": "string"}, "code": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
REFUSALS = {
    "400": "A field or parameter is wrong or unknown.",
    "401": "No credentials, or none that are good.",
    "403": "Not within the token's scopes or the caller's roles.",
    "404": "Nothing has this id, or the caller may not know of it.",
    "409": "It does not go with what is stored now, or the first request with this Idempotency-Key still runs.",
    "412": "If-Match does not name the present version.",
    "413": "The body is too large.",
    "415": "The body is not application/json.",
    "422": "The Idempotency-Key was used for another request.",
    "428": "If-Match is missing.",
    "429": "Too many requests in this minute; Retry-After says how long to wait.",
}
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Sent again with the same key, the request is done once.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag of the version you have seen."
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="An ETag: 304 if it is unchanged."
)


class ProblemAutoSchema(AutoSchema):
    """Documents what the conventions add to every address."""

    def get_override_parameters(self) -> list[Any]:
        """Return the shared headers of this operation."""
        given = list(super().get_override_parameters())
        if self.method == "POST" and not self._reads():
            given.append(KEY)
        if self.method in {"PATCH", "DELETE"}:
            given.append(IF_MATCH)
        if self.method == "GET" and self._detail() and getattr(self.view, "action", "") == "retrieve":
            given.append(IF_NONE_MATCH)
        return given

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Problem", type=ResolvedComponent.SCHEMA, schema=PROBLEM, object="config.problems.Problem"
        )
        self.registry.register_on_missing(component)
        for code in self._refusals():
            bodies.setdefault(code, {"description": REFUSALS[code], "content": {MEDIA_TYPE: {"schema": component.ref}}})
        if self.method == "GET" and getattr(self.view, "action", "") == "retrieve":
            bodies.setdefault("304", {"description": "The caller has this version."})
        return dict(sorted(bodies.items()))

    def _refusals(self) -> list[str]:
        codes = ["400", "401", "403", "429"]
        if self._detail():
            codes.append("404")
        if self.method != "GET":
            codes += ["409"]
        if self.method in {"POST", "PATCH", "PUT"}:
            codes += ["413", "415"]
        if self.method == "POST" and not self._reads():
            codes.append("422")
        if self.method in {"PATCH", "DELETE"} or (self._detail() and getattr(self.view, "demands_match", False)):
            codes.append("412")
        if self.method in {"PATCH", "DELETE"} and getattr(self.view, "demands_match", False):
            codes.append("428")
        return codes

    def _detail(self) -> bool:
        return "{" in self.path

    def _reads(self) -> bool:
        return getattr(self.view, "action", "") in getattr(self.view, "reading", ())


class InstantSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An instant is a date-time."""

    target_class = "config.wire.InstantField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """Return the schema of the field."""
        return {"type": "string", "format": "date-time"}


class ReferenceSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A reference is a name or an id."""

    target_class = "config.serializers.Reference"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """Return the schema of the field."""
        shown = "id" if self.target.by == "uuid" else self.target.by
        return {"type": "string", "description": f"The {shown}; the id is taken too." if shown != "id" else "The id."}


class SessionSchema(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The browser's session."""

    target_class = "config.access.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return how a caller proves who it is."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class BearerSchema(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """An API token."""

    target_class = "oncall.tokens.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return how a caller proves who it is."""
        return {"type": "http", "scheme": "bearer"}

"""Every refusal in one shape: application/problem+json (RFC 9457), with a `code` for programs and `errors` for forms.

A domain raises a Problem with facts; one handler turns it, and whatever the framework raises, into an answer.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import IntegrityError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MACHINE_PATHS = ("/api/", "/integrations/", "/v2/", "/heartbeats/", "/callbacks/", "/readyz", "/healthz")
CODES = {"parse_error": "invalid", "method_not_allowed": "method_not_allowed"}
DETAILS = {"not_found": "Nothing here has this address or id."}


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """What is wrong with one field or parameter, in words that say what to send."""

    field: str  # dotted path: "layers.0.users.2"; "" for the whole body
    code: str
    detail: str


class Problem(Exception):  # the word of RFC 9457
    """A refusal, raised by any module: `detail` tells a person what to do, `facts` become members of the answer."""

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(detail)
        self.code, self.status, self.detail = code, status, detail
        self.errors, self.headers, self.facts = tuple(errors), dict(headers or {}), facts


class Conflict(Problem):
    """409: what was asked does not go with what is stored now."""

    def __init__(self, code: str, detail: str, **facts: Any) -> None:
        super().__init__(code, 409, detail, **facts)


class Invalid(Problem):
    """400: one or more fields or parameters are wrong."""

    def __init__(self, *errors: FieldError, what: str = "field") -> None:
        count = f"1 {what} is" if len(errors) == 1 else f"{len(errors)} {what}s are"
        super().__init__("invalid", 400, f"{count} not valid.", errors=errors)


class NotFound(Problem):
    """404: nothing here, or nothing that this caller may see."""

    def __init__(self, detail: str = DETAILS["not_found"]) -> None:
        super().__init__("not_found", 404, detail)


def invalid(field: str, detail: str, code: str = "invalid") -> Invalid:
    """Return the Problem of one wrong field."""
    return Invalid(FieldError(field=field, code=code, detail=detail))


def document(problem: Problem) -> dict[str, Any]:
    """Return the body of the answer."""
    body = {
        "type": f"urn:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase.capitalize(),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = [asdict(one) for one in problem.errors]
    return {**problem.facts, **body}


def answer_problem(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's exception handler. None for what nobody foresaw: that is a 500 and a traceback in the log."""
    problem = understood(exc)
    if problem is None:
        return None
    return Response(document(problem), status=problem.status, headers=problem.headers, content_type=MEDIA_TYPE)


def as_json(problem: Problem) -> JsonResponse:
    """Return the answer for a plain Django view."""
    return JsonResponse(document(problem), status=problem.status, headers=problem.headers, content_type=MEDIA_TYPE)


def understood(exc: Exception) -> Problem | None:
    """Return an exception as a Problem, or None if it is nobody's refusal but a fault."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, exceptions.APIException):
        return _of_framework(exc)
    if isinstance(exc, ValidationError):
        return Invalid(*_of_django(exc))
    if isinstance(exc, Http404):
        return NotFound()
    if isinstance(exc, PermissionDenied):
        return Problem("permission_denied", 403, str(exc) or "You may not do this.")
    return _of_machine(exc)


def _of_machine(exc: Exception) -> Problem | None:
    if isinstance(exc, RequestDataTooBig):
        return Problem("too_large", 413, "The request is larger than 5 MB. Send it in parts.")
    if isinstance(exc, UnreadablePostError):
        return Problem("invalid", 400, "The request broke off before its end. Send it again.")
    if isinstance(exc, ProtectedError | RestrictedError):
        return _in_use(exc)
    if isinstance(exc, IntegrityError):
        logger.warning("refused by a constraint", exc_info=exc)
        return Conflict("conflict", "Somebody else has just stored the same. Read it again, then decide.")
    if isinstance(exc, OperationalError):
        logger.error("database unavailable", exc_info=exc)
        return Problem("unavailable", 503, "The database does not answer. Try again.", headers={"Retry-After": "2"})
    return None


def _in_use(exc: ProtectedError | RestrictedError) -> Problem:
    rows = exc.protected_objects if isinstance(exc, ProtectedError) else exc.restricted_objects
    users = sorted({f"{row._meta.verbose_name} {row}" for row in rows})
    shown = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
    return Conflict("in_use", f"It is still used by {shown}. Change or delete that first.", used_by=users[:50])


def _of_framework(exc: exceptions.APIException) -> Problem:
    headers = _headers(exc)
    if isinstance(exc, exceptions.ValidationError):
        problem: Problem = Invalid(*_flat(exc.get_full_details()))
        problem.headers.update(headers)
        return problem
    full = exc.get_full_details()
    first = full if isinstance(full, dict) else {"code": exc.default_code, "message": str(exc.detail)}
    code = str(first.get("code", exc.default_code))
    detail = DETAILS.get(code) or str(first.get("message", exc.detail))
    return Problem(CODES.get(code, code), exc.status_code, detail, headers=headers)


def _headers(exc: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if auth := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    return headers


def _flat(details: Any, path: str = "") -> list[FieldError]:
    """Return nested error details as a flat list; "non_field_errors" belongs to the thing that holds it."""
    if (
        isinstance(details, dict)
        and set(details) == {"message", "code"}
        and not isinstance(details["message"], dict | list)
    ):
        return [FieldError(field=path, code=str(details["code"]), detail=str(details["message"]))]
    if isinstance(details, dict):
        steps = [("" if name == "non_field_errors" else str(name), inner) for name, inner in details.items()]
    else:
        leaf = bool(details) and all(isinstance(one, dict) and set(one) == {"message", "code"} for one in details)
        steps = [("" if leaf else str(place), inner) for place, inner in enumerate(details)]
    return [error for name, inner in steps for error in _flat(inner, f"{path}.{name}".strip(".") if name else path)]


def _of_django(exc: ValidationError) -> list[FieldError]:
    groups = exc.error_dict if hasattr(exc, "error_dict") else {"": exc.error_list}
    return [
        FieldError(field="" if field == "__all__" else field, code=one.code or "invalid", detail=" ".join(one.messages))
        for field, found in groups.items()
        for one in found
    ]


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: JSON for machines, a page for people."""
    if request.path.startswith(MACHINE_PATHS):
        return as_json(NotFound())
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: JSON for machines, a page for people."""
    if request.path.startswith(MACHINE_PATHS):
        return as_json(Problem("internal_error", 500, "Something broke here; the log of the server says what."))
    return defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: JSON for machines, a page for people."""
    if request.path.startswith(MACHINE_PATHS):
        return as_json(understood(exception) or Problem("invalid", 400, "The request cannot be read."))
    return defaults.bad_request(request, exception)

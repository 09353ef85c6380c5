"""The doors for machines: the Event API, tool integrations and the drop-in for PagerDuty's Events API.

Thin on purpose: a door reads the request, hands it to the writer, and answers in the words of its protocol after the
commit. No session, no CSRF, no redirect, and no database connection of its own.
"""

import ipaddress
import math
import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from config.problems import Problem, as_json
from incidents.ingest import Result
from incidents.models import AlertSource
from incidents.sources import base, events_v2, reading
from incidents.sources.base import Event, Parser, Refused, Settings, Unreadable
from incidents.sources.reading import TooLarge
from incidents.writer import NotReadable, NotTaken, OverLimit, Parcel, SwitchedOff, UnknownKey, writer

LARGEST_BODY = 5 * 1024 * 1024  # bytes
BEARER = re.compile(r"^(?:Bearer|Token|GenieKey)\s+(\S+)$", re.IGNORECASE)


@csrf_exempt
def events(request: HttpRequest) -> HttpResponse:
    """`POST /api/v1/events`: one native event or a list, by a source key."""
    if request.method != "POST":
        return _problem(405, "method_not_allowed", "Send events by POST.", headers={"Allow": "POST"})
    key = _key_of(request)
    if not key:
        detail = "Send the source's key: Authorization: Bearer <key>."
        return _problem(401, "not_authenticated", detail, headers={"WWW-Authenticate": "Bearer"})
    try:
        results = _take(request, key, base.kind("events").parse)
    except TooLarge:
        return _problem(413, "too_large", "A request may hold 5 MB. Send fewer events at once.")
    except UnknownKey as exc:
        return _problem(401, "authentication_failed", str(exc), headers={"WWW-Authenticate": "Bearer"})
    except SwitchedOff as exc:
        return _problem(409, "source_disabled", str(exc))
    except NotReadable as exc:
        return _problem(400, "invalid", str(exc))
    except OverLimit as exc:
        return _problem(429, "throttled", str(exc), headers=_retry_after(exc))
    except NotTaken as exc:
        return _problem(503, "unavailable", str(exc), headers=_retry_after(exc))
    shown = [_shown(index, result) for index, result in enumerate(results)]
    if any(result.outcome != "refused" for result in results):
        return JsonResponse({"results": shown}, status=202)
    return _problem(400, "invalid", _refusal(results), results=shown)


@csrf_exempt
def integration(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """`POST /integrations/<kind>/<key>`: what a tool sends, as it sends it."""
    if kind not in base.kinds():
        known = ", ".join(sorted(base.kinds()))
        return _problem(404, "not_found", f"There is no integration called {kind!r}. There are: {known}.")
    if request.method != "POST":
        return _problem(405, "method_not_allowed", "Send by POST.", headers={"Allow": "POST"})
    try:
        results = _take(request, key, base.kind(kind).parse)
    except TooLarge:
        return _problem(413, "too_large", "A request may hold 5 MB.")
    except (UnknownKey, SwitchedOff):
        return _problem(404, "not_found", "No alert source has this key. Copy the URL again from the source's page.")
    except NotReadable as exc:
        return _problem(400, "invalid", str(exc))
    except NotTaken as exc:  # over the limit too: Alertmanager's webhook does not come again after a 429
        return _problem(503, "unavailable", str(exc), headers=_retry_after(exc))
    return JsonResponse({"results": [_shown(index, result) for index, result in enumerate(results)]})


@csrf_exempt
def enqueue(request: HttpRequest) -> HttpResponse:
    """`POST /v2/enqueue`: PagerDuty's Events API v2, answer for answer."""
    if request.method != "POST":
        return _problem(405, "method_not_allowed", "Send by POST.", headers={"Allow": "POST"})
    headers = _headers(request)
    try:
        body = _body(request)
        asked = events_v2.read(body, headers)
        if asked.errors:
            return _said(events_v2.answer_invalid(asked.errors))
        results = _hand_over(request, asked.routing_key, body, events_v2.parse)
    except TooLarge:
        return _problem(413, "too_large", "An event may hold 512 KB.")
    except (UnknownKey, SwitchedOff):
        return _said(events_v2.answer_unknown_key())
    except (NotReadable, Unreadable):
        return _said(events_v2.answer_unreadable())
    except OverLimit as exc:
        return _said(events_v2.answer_throttled(_seconds(exc)))
    except NotTaken as exc:
        return _problem(503, "unavailable", str(exc), headers=_retry_after(exc))
    if results[0].outcome == "refused":
        return _said(events_v2.answer_invalid(tuple(results[0].errors)))
    return _said(events_v2.answer_ok(results[0].dedup_key))


def _take(request: HttpRequest, key: str, parse: Parser) -> list[Result]:
    return _hand_over(request, key, _body(request), parse)


def _hand_over(request: HttpRequest, key: str, body: bytes, parse: Parser) -> list[Result]:
    headers = _headers(request)

    def read(source: AlertSource) -> list[Event | Refused]:
        return parse(body, headers, Settings(severity_map=source.severity_map))

    parcel = Parcel(
        key=key,
        read=read,
        body=body,
        remote_address=_address(request),
        user_agent=request.headers.get("User-Agent", ""),
    )
    return writer.take(parcel)


def _body(request: HttpRequest) -> bytes:
    """Return the body, unpacked. Raises TooLarge, NotReadable for what is not packed as it says, NotTaken."""
    try:
        body = request.read(LARGEST_BODY + 1)
    except UnreadablePostError as exc:  # the sender went away: nobody reads the answer
        raise NotTaken("The request broke off. Send it again.") from exc
    if len(body) > LARGEST_BODY:
        raise TooLarge
    try:
        return reading.unpacked(bytes(body), _headers(request), LARGEST_BODY)
    except Unreadable as exc:
        raise NotReadable(str(exc)) from exc


def _address(request: HttpRequest) -> str | None:
    """Return who sends, if the server or a trusted proxy names an address."""
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return None


def _key_of(request: HttpRequest) -> str:
    found = BEARER.match(request.headers.get("Authorization", "").strip())
    return found[1] if found else ""


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _shown(index: int, result: Result) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "index": index,
        "outcome": result.outcome,
        "dedup_key": result.dedup_key or None,
        "incident": str(result.incident.uuid) if result.incident else None,
        "number": result.incident.pk if result.incident else None,
        "errors": [{"field": e.field, "code": e.code, "detail": e.detail} for e in result.errors],
    }
    if result.reason:
        shown["reason"] = result.reason
    return shown


def _refusal(results: list[Result]) -> str:
    if not results:
        return "The list is empty: send at least one event."
    first = next((error for result in results for error in result.errors), None)
    return (
        f"No event could be taken. The first fault: {first.field}: {first.detail}"
        if first
        else "No event could be taken."
    )


def _said(answer: base.Answer) -> HttpResponse:
    return JsonResponse(dict(answer.body), status=answer.status, headers=dict(answer.headers))


def _seconds(refusal: NotTaken) -> int:
    return math.ceil(refusal.retry_after.total_seconds()) if refusal.retry_after else 5


def _retry_after(refusal: NotTaken) -> dict[str, str]:
    return {"Retry-After": str(_seconds(refusal))}


def _problem(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **facts: Any
) -> HttpResponse:
    return as_json(Problem(code, status, detail, headers=headers, **facts))

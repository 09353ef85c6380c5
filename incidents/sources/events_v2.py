"""PagerDuty's Events API v2: what `POST /v2/enqueue` takes, and what it answers.

Source: PagerDuty, "Send an alert event" (Events API v2 reference). The body itself names the alert source, by its
`routing_key`; clients look at the status and the list of errors.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incidents.sources.attachments import as_text
from incidents.sources.base import Answer, Event, FieldError, Refused, Settings, Unreadable, register
from incidents.sources.draft import MAX_EVENT_BYTES, Draft, too_large
from incidents.sources.events_v2_faults import ACTIONS, UUID, faults_of
from incidents.sources.reading import json_value

MASK = "(not kept)"

_FIELDS = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client_url"}
_PAYLOAD_FIELDS = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}

PASTE = """\
Wherever a tool asks for a PagerDuty integration:

  integration or routing key   {key}
  URL                          {url}

Prometheus Alertmanager, for example:

  receivers:
    - name: tocsin
      pagerduty_configs:
        - routing_key: {key}
          url: {url}
"""


@dataclass(frozen=True)
class Enqueue:
    """One request to enqueue: which source it names, and all that is wrong with it."""

    routing_key: str
    errors: tuple[FieldError, ...]
    document: dict[str, Any]
    raw: str  # as JSON, without the key


@register("pagerduty", label="PagerDuty Events API v2", path="/v2/enqueue", paste=PASTE)
def parse(body: bytes, headers: Mapping[str, str], settings: Settings) -> list[Event | Refused]:
    """Read the one event of a request. Raises Unreadable if it is no JSON object."""
    return [event(read(body, headers), settings)]


def read(body: bytes, headers: Mapping[str, str]) -> Enqueue:
    """Find the routing key (in the body, else in X-Routing-Key) and every fault at once.

    Raises Unreadable if it is no JSON object: answer_unreadable().
    """
    if len(body) > MAX_EVENT_BYTES:  # nothing of it is read, not even the key
        return Enqueue("", (too_large(len(body)),), {}, "")
    document = json_value(body)
    if not isinstance(document, dict):
        raise Unreadable("The body is not a JSON object.")
    key = _routing_key(document, headers)
    kept = {**document, "routing_key": MASK} if "routing_key" in document else document
    return Enqueue(
        routing_key=key.replace("-", "").lower() if UUID.match(key) else key,
        errors=tuple(faults_of(key, document)),
        document=document,
        raw=json.dumps(kept, ensure_ascii=False),
    )


def event(request: Enqueue, settings: Settings) -> Event | Refused:
    """Return the event of a request; its severity may be changed by the source's own map."""
    draft = Draft(settings)
    draft.errors.extend(request.errors)
    key = request.document.get("dedup_key")
    draft.dedup_key(key if isinstance(key, str) else "")
    if not draft.errors:
        _fill(draft, request.document)
    return draft.finish(request.raw)


def answer_ok(dedup_key: str) -> Answer:
    """The event is committed (or there was nothing to acknowledge or resolve, which is told the same way)."""
    return Answer(202, {"status": "success", "message": "Event processed", "dedup_key": dedup_key})


def answer_invalid(errors: tuple[FieldError, ...]) -> Answer:
    """The event cannot be taken: every fault at once, in the sentences that clients know."""
    return _invalid(*(error.detail for error in errors))


def answer_unknown_key() -> Answer:
    """No alert source has this routing key, or it is switched off: a wrong key is found at the first try."""
    return _invalid("Invalid routing key")


def answer_unreadable() -> Answer:
    """The body is no JSON object."""
    return Answer(
        400,
        {
            "status": "Unrecognized object",
            "message": "Event object format is unrecognized",
            "errors": ["JSON parse error"],
        },
    )


def answer_throttled(retry_after_seconds: int) -> Answer:
    """The source sends more than its limit; clients try again by themselves."""
    message = "Request Limit Exceeded"
    return Answer(
        429,
        {"status": "throttle exceeded", "message": message, "errors": [message]},
        {"Retry-After": str(retry_after_seconds)},
    )


def _invalid(*errors: str) -> Answer:
    return Answer(400, {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)})


def _routing_key(document: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    return as_text(document.get("routing_key")).strip() or headers.get("x-routing-key", "").strip()


def _fill(draft: Draft, document: Mapping[str, Any]) -> None:
    draft.fields["action"] = ACTIONS[document["event_action"]]
    payload = document.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    draft.keep_details(payload.get("custom_details"), "custom_details")
    for name in ("source", "component", "group", "class"):
        if (value := payload.get(name)) is not None:
            draft.line("class_name" if name == "class" else name, as_text(value), name)
    draft.line("title", as_text(payload.get("summary")), "summary")
    severity = payload.get("severity")
    if isinstance(severity, str):
        draft.severity(severity)
    draft.occurred_at(payload.get("timestamp"))
    _attach(draft, document)
    for given, known in ((payload, _PAYLOAD_FIELDS), (document, _FIELDS)):
        for name, value in given.items():
            if name not in known and value is not None:
                draft.aside(name, value)


def _attach(draft: Draft, document: Mapping[str, Any]) -> None:
    links, images = document.get("links"), document.get("images")
    page = {"href": document.get("client_url"), "text": document.get("client")}  # the alert's own page comes first
    draft.links([*([page] if page["href"] else []), *(links if isinstance(links, list) else [])])
    draft.images(images if isinstance(images, list) else [])

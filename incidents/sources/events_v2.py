"""PagerDuty's Events API v2: what `POST /v2/enqueue` takes, and what it answers.

Source: PagerDuty, "Send an alert event" (Events API v2 reference). The body itself names the alert source, by its
`routing_key`; clients look at the status and the list of errors.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incidents.sources.attachments import as_text
from incidents.sources.base import Action, Answer, Event, FieldError, Refused, Settings, Unreadable, register
from incidents.sources.draft import Draft
from incidents.sources.reading import json_value
from incidents.sources.severities import SEVERITIES

KEY_LENGTH = 32
MAX_DEDUP_KEY = 255
ACTIONS = {action.value: action for action in Action}
MASK = "(not kept)"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
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
    size: int


@register("pagerduty", label="PagerDuty Events API v2", path="/v2/enqueue", paste=PASTE)
def parse(body: bytes, headers: Mapping[str, str], settings: Settings) -> list[Event | Refused]:
    """Read the one event of a request. Raises Unreadable if it is no JSON object."""
    return [event(read(body, headers), settings)]


def read(body: bytes, headers: Mapping[str, str]) -> Enqueue:
    """Find the routing key (in the body, else in X-Routing-Key) and every fault at once.

    Raises Unreadable if it is no JSON object: answer_unreadable().
    """
    document = json_value(body)
    if not isinstance(document, dict):
        raise Unreadable("The body is not a JSON object.")
    key = _routing_key(document, headers)
    kept = {**document, "routing_key": MASK} if "routing_key" in document else document
    return Enqueue(
        routing_key=key.replace("-", "").lower() if _UUID.match(key) else key,
        errors=tuple(_faults(key, document)),
        document=document,
        raw=json.dumps(kept, ensure_ascii=False),
        size=len(body),
    )


def event(request: Enqueue, settings: Settings) -> Event | Refused:
    """Return the event of a request; its severity may be changed by the source's own map."""
    draft = Draft(settings)
    draft.errors.extend(request.errors)
    draft.measure(request.size)
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


class _Faults(list[FieldError]):
    """The faults found so far, in the order of the fields."""

    def add(self, field: str, code: str, sentence: str) -> None:
        self.append(FieldError(field=field, code=code, detail=sentence))

    def missing(self, field: str) -> None:
        self.add(field, "required", f"'{field}' is missing or blank")

    def wrong_type(self, field: str, must_be: str) -> None:
        self.add(field, "wrong_type", f"'{field}' is invalid (must be {must_be})")


def _faults(key: str, document: Mapping[str, Any]) -> list[FieldError]:
    faults = _Faults()
    _check_routing_key(faults, key)
    action = _check_action(faults, document.get("event_action"))
    _check_dedup_key(faults, document.get("dedup_key"), needed=action not in (None, Action.TRIGGER))
    if action in (None, Action.TRIGGER):  # acknowledge and resolve need no payload: one that comes along is not checked
        _check_payload(faults, document.get("payload"))
        _check_list(faults, "links", "href", document.get("links"))
        _check_list(faults, "images", "src", document.get("images"))
    return faults


def _check_routing_key(faults: _Faults, key: str) -> None:
    if not key:
        faults.missing("routing_key")
    elif not _UUID.match(key):
        if len(key) != KEY_LENGTH:
            faults.add(
                "routing_key",
                "wrong_length",
                f"Length of 'routing_key' is incorrect (should be {KEY_LENGTH} characters)",
            )
        if not (key.isalnum() and key.isascii()):
            faults.add("routing_key", "wrong_characters", "'routing_key' cannot contain non-alphanumeric characters.")


def _check_action(faults: _Faults, value: Any) -> Action | None:
    if value in (None, ""):
        faults.missing("event_action")
        return None
    action = ACTIONS.get(value) if isinstance(value, str) else None
    if action is None:
        faults.add(
            "event_action",
            "unknown_word",
            "'event_action' is invalid (must be one of: 'trigger', 'acknowledge' or 'resolve')",
        )
    return action


def _check_dedup_key(faults: _Faults, value: Any, *, needed: bool) -> None:
    if value is None or (isinstance(value, str) and not value.strip()):
        if needed:
            faults.missing("dedup_key")
    elif not isinstance(value, str):
        faults.wrong_type("dedup_key", "a string")
    elif len(value) > MAX_DEDUP_KEY:
        faults.add(
            "dedup_key",
            "too_long",
            f"Length of 'dedup_key' is incorrect (should be at most {MAX_DEDUP_KEY} characters)",
        )


def _check_payload(faults: _Faults, payload: Any) -> None:
    if payload is None or payload == "":
        faults.missing("payload")
    elif not isinstance(payload, dict):
        faults.wrong_type("payload", "an object")
    else:
        for name in ("summary", "source"):
            _check_text(faults, f"payload.{name}", payload.get(name))
        _check_severity(faults, payload.get("severity"))


def _check_text(faults: _Faults, field: str, value: Any) -> None:
    if isinstance(value, bool | list | dict):
        faults.wrong_type(field, "a string")
    elif not as_text(value).strip():  # a number is taken as text: senders exist whose source is one
        faults.missing(field)


def _check_severity(faults: _Faults, value: Any) -> None:
    if value is None or value == "":
        faults.missing("payload.severity")
    elif not isinstance(value, str) or value.lower() not in SEVERITIES:
        faults.add(
            "payload.severity",
            "unknown_word",
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
        )


def _check_list(faults: _Faults, field: str, needed: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, list):
        faults.wrong_type(field, "an array")
        return
    for index, one in enumerate(value[:50]):  # so many are shown; naming a million faults helps nobody
        if not isinstance(one, dict):
            faults.wrong_type(f"{field}[{index}]", "an object")
        elif not as_text(one.get(needed)).strip():
            faults.missing(f"{field}[{index}].{needed}")


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

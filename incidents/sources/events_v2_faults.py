"""What PagerDuty's Events API v2 demands of a request, in the sentences that its clients know.

Source: PagerDuty, "Send an alert event" (Events API v2 reference), and the errors that it answers.
"""

import re
from collections.abc import Mapping
from typing import Any

from incidents.sources.attachments import as_text
from incidents.sources.base import Action, FieldError
from incidents.sources.severities import SEVERITIES

KEY_LENGTH = 32
MAX_DEDUP_KEY = 255
NAMED_ELEMENTS = 50  # of a list: naming a million faults helps nobody
ACTIONS = {action.value: action for action in Action}
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)  # also a form of our keys


class _Faults(list[FieldError]):
    """The faults found so far, in the order of the fields."""

    def add(self, field: str, code: str, sentence: str) -> None:
        self.append(FieldError(field=field, code=code, detail=sentence))

    def missing(self, field: str) -> None:
        self.add(field, "required", f"'{field}' is missing or blank")

    def wrong_type(self, field: str, must_be: str) -> None:
        self.add(field, "wrong_type", f"'{field}' is invalid (must be {must_be})")


def faults_of(key: str, document: Mapping[str, Any]) -> list[FieldError]:
    """Return all that is wrong with a request at once, in the order of its fields. `key` is its routing key."""
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
    elif not UUID.match(key):
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
    for index, one in enumerate(value[:NAMED_ELEMENTS]):
        if not isinstance(one, dict):
            faults.wrong_type(f"{field}[{index}]", "an object")
        elif not as_text(one.get(needed)).strip():
            faults.missing(f"{field}[{index}].{needed}")

"""The native event: what `POST /api/v1/events` takes.

An event is refused for what decides the page (action, dedup key, title, severity, risk score) and for a field of
the wrong type. Whatever else cannot be used is kept in its details: no alert is lost over a link.
"""

from collections.abc import Callable, Mapping
from typing import Any

from incidents.sources.attachments import as_text
from incidents.sources.base import Action, Event, Refused, Settings, register
from incidents.sources.draft import MAX_EVENT_BYTES, Draft
from incidents.sources.reading import Part, json_parts, kind_of
from incidents.sources.severities import of_risk

MOST_EVENTS = 1000

ACTIONS = {
    **dict.fromkeys(("trigger", "triggered", "open", "firing"), Action.TRIGGER),
    **dict.fromkeys(("acknowledge", "acknowledged", "ack", "accept", "accepted"), Action.ACKNOWLEDGE),
    **dict.fromkeys(("resolve", "resolved", "close", "closed"), Action.RESOLVE),
}

PASTE = """\
curl {url} \\
  -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
  -d '{"title": "Disk 96% full on db-1", "severity": "critical", "dedup_key": "db-1/disk"}'

# and when it is over:
curl {url} \\
  -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
  -d '{"action": "resolve", "dedup_key": "db-1/disk"}'
"""


@register("events", label="Event API", path="/api/v1/events", paste=PASTE)
def parse(body: bytes, headers: Mapping[str, str], settings: Settings) -> list[Event | Refused]:
    """Read one event or a list of 1 to 1000, in order. Raises Unreadable if the body is neither."""
    return [event(part, settings) for part in json_parts(body, MOST_EVENTS, MAX_EVENT_BYTES)]


def event(part: Part, settings: Settings) -> Event | Refused:
    """Read one event in the native form."""
    draft = Draft(settings)
    given = part.value
    if not draft.fits(part.size):
        return draft.finish(part.raw)
    if isinstance(given, dict):
        draft.fields["action"] = Action.TRIGGER
        draft.keep_details(given.get("details"))
        for name, value in given.items():
            read = READERS.get(name)
            if read is None:
                draft.aside(name, value)
            elif value is not None:
                read(draft, name, value)
        _judge(draft)
    else:
        draft.refuse("event", "wrong_type", f"An event is an object with a title; this is {kind_of(given)}.")
    return draft.finish(part.raw)


def _judge(draft: Draft) -> None:
    """What an event must have follows from its action; how bad it is, from its risk score unless it says so."""
    fields = draft.fields
    if fields["action"] is Action.TRIGGER:
        if not fields.get("title") and not _faulty(draft, "title", "action"):  # of an unknown action nothing follows
            draft.refuse("title", "required", "A trigger needs a title: one line that says what is wrong.")
    elif not fields.get("dedup_key") and not _faulty(draft, "dedup_key"):
        draft.refuse("dedup_key", "required", f"To {fields['action']}, name the dedup_key that was triggered.")
    if "risk_score" in fields and not fields.get("severity"):
        fields["severity"] = of_risk(fields["risk_score"])


def _faulty(draft: Draft, *names: str) -> bool:
    return any(error.field in names for error in draft.errors)


def _text(draft: Draft, name: str, value: Any) -> str:
    """Text, or a number as text; anything else is refused."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return as_text(value)
    draft.refuse(name, "wrong_type", f"{name} is text; this is {kind_of(value)}.")
    return ""


def _action(draft: Draft, name: str, value: Any) -> None:
    if (action := ACTIONS.get(value.strip().lower()) if isinstance(value, str) else None) is None:
        draft.refuse(name, "unknown_word", f"action is trigger, acknowledge or resolve, not {as_text(value)[:40]!r}.")
    else:
        draft.fields["action"] = action


def _key(draft: Draft, name: str, value: Any) -> None:
    draft.dedup_key(_text(draft, name, value))


def _line(draft: Draft, name: str, value: Any) -> None:
    draft.line("class_name" if name == "class" else name, _text(draft, name, value), name)


def _description(draft: Draft, name: str, value: Any) -> None:
    draft.description(_text(draft, name, value))


def _severity(draft: Draft, name: str, value: Any) -> None:
    word = _text(draft, name, value)
    if word.strip() and not draft.severity(word):
        draft.refuse(name, "unknown_word", f"severity is critical, error, warning or info, not {word[:40]!r}.")


def _risk_score(draft: Draft, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        draft.refuse(name, "wrong_type", f"risk_score is a number from 0 to 100; this is {kind_of(value)}.")
    elif not 0 <= value <= 100:
        draft.refuse(name, "out_of_range", "risk_score is a number from 0 to 100.")
    else:
        draft.fields["risk_score"] = float(value)


def _occurred_at(draft: Draft, name: str, value: Any) -> None:
    draft.occurred_at(value)


def _labels(draft: Draft, name: str, value: Any) -> None:
    if isinstance(value, dict):
        draft.labels(value)
    else:
        draft.refuse(name, "wrong_type", f"labels is an object of names and texts; this is {kind_of(value)}.")


def _attached(draft: Draft, name: str, value: Any) -> None:
    if isinstance(value, list):
        (draft.links if name == "links" else draft.images)(value)
    else:
        draft.refuse(name, "wrong_type", f"{name} is a list of objects; this is {kind_of(value)}.")


def _kept_already(draft: Draft, name: str, value: Any) -> None:
    """The details come first, so that they keep their names."""


READERS: dict[str, Callable[[Draft, str, Any], None]] = {
    "action": _action,
    "dedup_key": _key,
    "title": _line,
    "description": _description,
    "severity": _severity,
    "risk_score": _risk_score,
    "class": _line,
    "source": _line,
    "component": _line,
    "group": _line,
    "labels": _labels,
    "links": _attached,
    "images": _attached,
    "details": _kept_already,
    "occurred_at": _occurred_at,
}

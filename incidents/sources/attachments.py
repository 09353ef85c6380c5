"""What an event carries besides its title: labels, links, images, details; each within its limits.

Each reader gives back what it could use and, apart from it, what it could not: that goes to the details, so that
nothing is lost.
"""

import json
from collections.abc import Mapping
from typing import Any

from incidents.sources.texts import line, web_address

MAX_LABELS = 100
MAX_LABEL_NAME = 255
MAX_LABEL_VALUE = 1024
MAX_LINKS = 50
MAX_LINK_TEXT = 255
MAX_DETAILS = 256 * 1024  # characters of JSON


def as_text(value: Any) -> str:
    """Return a JSON value as text: text as it is, null as nothing, the rest as JSON writes it."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def labels(given: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return (labels, the rest): at most 100 flat labels; the rest holds in full what was cut or left out."""
    taken: dict[str, str] = {}
    rest: dict[str, Any] = {}
    for name, value in given.items():
        text = value if type(value) is str else as_text(value)
        if len(taken) == MAX_LABELS or not name or len(name) > MAX_LABEL_NAME:
            rest[name] = value
            continue
        if len(text) > MAX_LABEL_VALUE:
            rest[name] = value
        taken[name] = text[:MAX_LABEL_VALUE]
    return taken, rest


def links(given: list[Any]) -> tuple[list[dict[str, str]], list[Any]]:
    """Return (links, the rest): at most 50 of http and https, each {"href", "text"}; plain addresses count too."""
    return _addressed(given, "href", _link)


def images(given: list[Any]) -> tuple[list[dict[str, str]], list[Any]]:
    """Return (images, the rest): at most 50 of http and https, each {"src", "href", "alt"}; href may be ""."""
    return _addressed(given, "src", _image)


def _link(one: Mapping[str, Any]) -> dict[str, str]:
    return {"href": _address(one, "href"), "text": _caption(one.get("text"))}


def _image(one: Mapping[str, Any]) -> dict[str, str]:
    return {"src": _address(one, "src"), "href": _address(one, "href"), "alt": _caption(one.get("alt"))}


def _addressed(given: list[Any], needed: str, read: Any) -> tuple[list[dict[str, str]], list[Any]]:
    taken: list[dict[str, str]] = []
    rest: list[Any] = []
    for one in given:
        entry = one if isinstance(one, dict) else {needed: one}
        known = read(entry) if len(taken) < MAX_LINKS else {needed: ""}
        if known[needed]:
            taken.append(known)
        if not known[needed] or not entry.keys() <= known.keys():
            rest.append(one)  # useless as a link, or with members that a link has no place for
    return taken, rest


def _address(one: Mapping[str, Any], name: str) -> str:
    value = one.get(name)
    return web_address(value) if isinstance(value, str) else ""


def _caption(value: Any) -> str:
    return line(as_text(value))[:MAX_LINK_TEXT] if value else ""


def put(details: dict[str, Any], name: str, value: Any) -> None:
    """Add to the details under the first free name of: name, "name (2)", "name (3)"..."""
    free, number = name, 1
    while free in details:
        number += 1
        free = f"{name} ({number})"
    details[free] = value


def within_limit(details: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return (details of at most 256 Ki characters of JSON, the names that were cut or left out).

    The smallest are kept first, because what names the trouble is short; a text that does not fit is cut.
    """
    sizes = {name: _json_length(name, value) for name, value in details.items()}
    room, kept, short = MAX_DETAILS, dict[str, Any](), list[str]()
    for name in sorted(sizes, key=sizes.__getitem__):
        value, size = details[name], sizes[name]
        if size > room:
            short.append(name)
            value = _cut(value, room - len(name) * 6 - 6)
            if not value:
                continue
            size = _json_length(name, value)
        kept[name] = value
        room -= size
    return {name: kept[name] for name in details if name in kept}, short


def _cut(value: Any, room: int) -> str:
    if not isinstance(value, str) or room < 100:
        return ""
    cut = value[: room - 2]
    return cut if len(json.dumps(cut, ensure_ascii=False)) <= room else value[: room // 6 - 1]


def _json_length(name: str, value: Any) -> int:
    return len(json.dumps({name: value}, ensure_ascii=False))

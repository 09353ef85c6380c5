"""Forms of rows within rows, without script: fields are called by their place, "layers.0.users.1".

A button named `row` says what to do with the rows: "add layers.0.users", "remove layers.1", "up layers.1",
"down layers.0". The form comes back with that done and everything else as it was typed; nothing is stored.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.http import QueryDict

DEEPEST = 6
Tree = dict[str, Any]
Blank = Callable[[list[str], str], Any]  # (path of the list, the order's third word) -> a new row


def nested(fields: QueryDict | Mapping[str, str]) -> Tree:
    """Return fields with dotted names as objects and lists; a list is in the order of its numbers, without holes."""
    tree: Tree = {}
    for name, value in fields.items():
        *way, last = name.split(".")
        node = _down(tree, way) if len(way) < DEEPEST else None
        if node is not None and not isinstance(node.get(last), dict):
            node[last] = value
    return {name: _with_lists(value) for name, value in tree.items()}


def _down(tree: Tree, way: Iterable[str]) -> Tree | None:
    for step in way:
        below = tree.setdefault(step, {})
        if not isinstance(below, dict):
            return None
        tree = below
    return tree


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    parts = {key: _with_lists(part) for key, part in value.items()}
    if parts and all(key.isascii() and key.isdecimal() for key in parts):
        return [parts[key] for key in sorted(parts, key=int)]
    return parts


def arrange(tree: Tree, order: str, blank: Blank) -> Tree:
    """Do what a button says with the rows of a tree, in place, and return it. What makes no sense changes nothing."""
    verb, _, rest = order.partition(" ")
    path, _, word = rest.partition(" ")
    steps = path.split(".")
    if verb == "add":
        rows = _list_at(tree, steps)
        if rows is not None:
            rows.append(blank(steps, word))
        return tree
    rows, place = _list_at(tree, steps[:-1]), _place(steps[-1])
    if rows is not None and place is not None and place < len(rows):
        _move(rows, verb, place)
    return tree


def _move(rows: list[Any], verb: str, place: int) -> None:
    if verb == "remove":
        del rows[place]
    elif verb in {"up", "down"}:
        other = place + (1 if verb == "down" else -1)
        if 0 <= other < len(rows):
            rows[place], rows[other] = rows[other], rows[place]


def _place(step: str) -> int | None:
    return int(step) if step.isascii() and step.isdecimal() and len(step) < 6 else None


def _list_at(tree: Any, steps: list[str]) -> list[Any] | None:
    """Return the list at a path; a missing last one is made."""
    for depth, step in enumerate(steps):
        if isinstance(tree, list):
            place = _place(step)
            if place is None or place >= len(tree):
                return None
            tree = tree[place]
        elif isinstance(tree, dict):
            tree = tree.setdefault(step, []) if depth == len(steps) - 1 else tree.get(step)
        else:
            return None
    return tree if isinstance(tree, list) else None


def rows(tree: Tree, name: str) -> list[Tree]:
    """Return the rows of a form called `name`; none if there is no list of them."""
    found = tree.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def texts(tree: Tree, name: str) -> list[str]:
    """Return the rows of a form that are a single field each."""
    found = tree.get(name)
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def group(tree: Tree, name: str) -> Tree:
    """Return the fields whose names begin with `name` and a dot."""
    found = tree.get(name)
    return found if isinstance(found, dict) else {}


def whole(word: Any) -> Any:
    """Return a typed whole number as one, and anything else as it was typed, to be refused by its name."""
    text = str(word).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else word

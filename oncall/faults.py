"""What is wrong with a document: everything at once, each fault with its path and what to send instead. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong at one place of a document: `field` is a dotted path, "layers.0.users.2"."""

    field: str
    code: str
    detail: str


class Faulty(Exception):
    """A document that cannot be taken as it is; `faults` says all that is wrong with it."""

    def __init__(self, faults: Collection[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.detail}" for fault in faults))
        self.faults = tuple(faults)


class Faults:
    """Collects what is wrong while a document is read."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: str, detail: str, code: str = "invalid") -> None:
        """Note a fault at a path."""
        self.found.append(Fault(field=path, code=code, detail=detail))

    def settle(self) -> None:
        """Raise Faulty if there were any."""
        if self.found:
            raise Faulty(self.found)

    def mapping(self, value: Any, path: str, known: Collection[str]) -> Mapping[str, Any]:
        """Return the object at a path; unknown keys are faults, and anything else is an empty one with a fault."""
        if not isinstance(value, dict):
            self.add(path, f"Send an object with {', '.join(known)}.", "not_an_object")
            return {}
        for key in value:
            if key not in known:
                hint = f"There is no such field here; there are {', '.join(known)}."
                self.add(f"{path}.{key}".lstrip("."), hint, "unknown")
        return value

    def items(self, value: Any, path: str, most: int, least: int = 0) -> list[Any]:
        """Return the list at a path; a missing one is empty."""
        if value is None and least == 0:
            return []
        if not isinstance(value, list):
            self.add(path, "Send a list.", "not_a_list")
            return []
        if not least <= len(value) <= most:
            self.add(path, f"Send {least} to {most} entries; this has {len(value)}.", "wrong_count")
        return value[:most]

    def whole(self, value: Any, path: str, least: int, most: int) -> int:
        """Return the whole number at a path; `least` with a fault if it is none within the limits."""
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.add(path, f"Send a whole number from {least} to {most}.")
        return least

    def choice(self, value: Any, path: str, words: Collection[str]) -> str:
        """Return one of the words; any one of them with a fault if it is none."""
        for word in words:
            if value == word:
                return word
        self.add(path, f"Send one of {', '.join(words)}.", "not_a_choice")
        return next(iter(words))

    def text(self, value: Any, path: str, hint: str, longest: int, least: int = 1) -> str:
        """Return the text at a path: one line of printable characters; a missing one may be empty if `least` is 0."""
        if value is None and least == 0:
            return ""
        if isinstance(value, str) and least <= len(value) <= longest and value.isprintable():
            return value
        self.add(path, hint, "required" if value is None else "invalid")
        return ""

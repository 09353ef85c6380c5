"""An event while it is being read: what is understood, what is put aside for the details, and what is wrong."""

from collections.abc import Mapping
from typing import Any

from incidents.sources import attachments, texts
from incidents.sources.base import Event, FieldError, Refused, Settings
from incidents.sources.instants import UnreadableInstant, instant
from incidents.sources.severities import SEVERITIES, meaning

MAX_EVENT_BYTES = 512 * 1024
MAX_DESCRIPTION = 64 * 1024


def too_large(size: int) -> FieldError:
    """Return what is said of an event of so many bytes."""
    return FieldError("event", "too_large", f"An event may have {MAX_EVENT_BYTES // 1024} KB; this has {size // 1024}.")


class Draft:
    """Collects one event. The readers of a field never raise: they set it, put it aside, or note an error."""

    __slots__ = ("details", "errors", "fields", "notes", "settings")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.fields: dict[str, Any] = {}
        self.details: dict[str, Any] = {}
        self.errors: list[FieldError] = []
        self.notes: list[str] = []

    def refuse(self, field: str, code: str, detail: str) -> None:
        """Write down why this event cannot be taken."""
        self.errors.append(FieldError(field=field, code=code, detail=detail))

    def aside(self, name: str, value: Any) -> None:
        """Keep in the details what no field has a place for."""
        attachments.put(self.details, name, value)

    def keep_details(self, value: Any, name: str = "details") -> None:
        """Make the sender's own details ours; anything but an object is kept under `name`."""
        if isinstance(value, dict):
            self.details.update(value)
        elif value not in (None, "", []):
            self.details[name] = value

    def line(self, field: str, text: str, name: str = "") -> None:
        """Set a field to one line of at most 255 characters. What had to be cut stays whole in the details."""
        one = texts.line(text)
        self.fields[field] = one[: texts.MAX_LINE]
        if len(one) > texts.MAX_LINE:
            self.aside(name or field, text)

    def description(self, text: str) -> None:
        """Set the description, at most 64 Ki characters."""
        self.fields["description"] = text[:MAX_DESCRIPTION]
        if len(text) > MAX_DESCRIPTION:
            self.notes.append("The description was cut; the raw event has all of it.")

    def dedup_key(self, text: str) -> None:
        """Set the dedup key, shortened if it is longer than 255 characters; blanks alone are none."""
        self.fields["dedup_key"] = texts.dedup_key(text) if text.strip() else ""
        if len(text) > texts.MAX_KEY:
            self.aside("dedup_key", text)

    def severity(self, word: str) -> bool:
        """Set the severity from a tool's word; false if the word is not known, which leaves it to the source."""
        self.fields["severity"] = severity = meaning(word, self.settings.severity_map)
        return severity in SEVERITIES

    def occurred_at(self, value: Any) -> None:
        """Set the instant; one that cannot be read is no reason to refuse, and stays in the details."""
        try:
            self.fields["occurred_at"] = instant(value)
        except UnreadableInstant:
            self.aside("occurred_at", value)
            self.notes.append("The time in it could not be read.")

    def labels(self, given: Mapping[str, Any]) -> None:
        """Set the labels."""
        self.fields["labels"], rest = attachments.labels(given)
        if rest:
            self.aside("labels", rest)
            self.notes.append("Labels that are too long or too many are whole in the details.")

    def links(self, given: list[Any]) -> None:
        """Set the links; what cannot be one goes to the details."""
        self.fields["links"], rest = attachments.links(given)
        if rest:
            self.aside("links", rest)

    def images(self, given: list[Any]) -> None:
        """Set the images; what cannot be one goes to the details."""
        self.fields["images"], rest = attachments.images(given)
        if rest:
            self.aside("images", rest)

    def fits(self, size: int) -> bool:
        """Refuse an event of more than 512 KB, alone; return whether it may be read."""
        if size > MAX_EVENT_BYTES:
            self.errors.append(too_large(size))
        return size <= MAX_EVENT_BYTES

    def finish(self, raw: str) -> Event | Refused:
        """Return the event, or why it is refused. `raw` is its own part of the payload."""
        if self.errors:
            key = self.fields.get("dedup_key", "")
            return Refused(errors=tuple(self.errors), dedup_key=key, raw=raw[:MAX_EVENT_BYTES])
        if len(raw) > attachments.MAX_DETAILS // 2:  # fully spaced and escaped it may be longer than it came
            self._cut_details()
        return Event(**self.fields, details=self.details, note=" ".join(self.notes), raw=raw)

    def _cut_details(self) -> None:
        self.details, short = attachments.within_limit(self.details)
        if short:
            named = ", ".join(name[:40] for name in short[:5])
            self.notes.append(f"The details were cut for their size ({named}); the raw event has all of them.")

"""What the list of incidents can be narrowed by; labels by any name: `label.team=core`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.lookups import Exact

from config.filters import Choice, Filter, Flag, Ids, Reference, Search, Since
from config.problems import invalid
from incidents.models import Severity, Status

LABEL = "label."
STATUS_ALIASES = {"triggered": "PENDING", "acknowledged": "ACCEPTED", "open": "PENDING,ACCEPTED"}


@dataclass(frozen=True, kw_only=True)
class StatusFilter(Choice):
    """PENDING, ACCEPTED or RESOLVED in any case, or an alias: triggered, acknowledged, open."""

    column: str = "status"
    words: Any = tuple(Status.values)

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition for any of these statuses."""
        words = [STATUS_ALIASES.get(text.lower(), text.upper()) for text in texts]
        return super().condition(name, [word for some in words for word in some.split(",")])

    def schema(self) -> dict[str, Any]:
        """Return the schema of one value."""
        return {"type": "string"}


@dataclass(frozen=True, kw_only=True)
class LabelFilter(Filter):
    """A label that has one of these values."""

    key: str

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition; the key may hold dots, blanks and letters of any script."""
        found = Q()
        for text in texts:
            found |= Q(Exact(KeyTextTransform(self.key, self.column), text))
        return found


@dataclass(frozen=True, kw_only=True)
class WholeNumber(Filter):
    """A number such as the incident's."""

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition. Raises Invalid for what is no number."""
        if not all(text.isascii() and text.isdigit() and len(text) < 19 for text in texts):
            raise invalid(name, "Send a whole number.")
        return super().condition(name, texts)

    def schema(self) -> dict[str, Any]:
        """Return the schema of one value."""
        return {"type": "integer"}


class WithLabels(dict[str, Filter]):
    """The named filters, and `label.<key>` for every key."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (
            isinstance(name, str) and name.startswith(LABEL) and len(name) > len(LABEL)
        )

    def __missing__(self, name: str) -> Filter:
        return LabelFilter(column="labels", key=name.removeprefix(LABEL))

    def asked(self, names: Iterator[str] | Sequence[str]) -> list[str]:
        """Return the label parameters among these names."""
        return [name for name in names if name.startswith(LABEL) and name in self]


INCIDENT_FILTERS = WithLabels(
    id=Ids(),
    number=WholeNumber(column="pk"),
    status=StatusFilter(help="PENDING, ACCEPTED or RESOLVED; triggered, acknowledged and open are taken too."),
    severity=Choice(column="severity", words=Severity.values),
    urgency=Choice(column="urgency", words=("high", "low")),
    firing=Flag(column="firing"),
    told=Flag(column="told", help="false: nobody was told."),
    is_muted=Flag(column="is_muted"),
    snoozed=Flag(column="snoozed_until", null=True),
    assignee=Reference(column="assignments__user", by="username", many=True),
    acknowledged_by=Reference(column="acknowledged_by", by="username"),
    alert_source=Reference(column="alert_source"),
    escalation_policy=Reference(column="escalation_policy"),
    team=Reference(column="team"),
    dedup_key=Filter(column="dedup_key"),
    component=Filter(column="component"),
    group=Filter(column="group"),
    source=Filter(column="origin"),
    title=Filter(column="title"),
    search=Search(columns=("title", "description"), help="Words in title or description."),
    created_after=Since(column="opened_at", help="Inclusive."),
    created_before=Since(column="opened_at", sign="lt", help="Exclusive."),
    updated_after=Since(column="updated_at"),
    closed_after=Since(column="closed_at"),
    closed_before=Since(column="closed_at", sign="lt"),
)
INCIDENT_FILTERS["class"] = Filter(column="class_name")

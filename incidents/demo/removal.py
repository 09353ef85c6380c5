"""Taking the demo out again: exactly what it put in, with what belongs to that, and nothing that is somebody's own.

What a person's own things refer to stays (an own incident keeps the demo's source that it came from, that source its
policy, the policy its people), and is named, so that one can let go of it first.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.apps import apps
from django.db import models, transaction
from django.db.models import Q, QuerySet

from destinations.models import Connector, Delivery
from incidents.demo.uuids import OURS, SUBJECT
from incidents.models import AlertSource, Connection, Incident, RawEvent
from oncall.models import EscalationPolicy, Schedule, Team, User

Model = type[models.Model]
Kept = Mapping[Model, set[int]]

# What stands on its own, in the order in which it is taken away.
WHOLES: tuple[Model, ...] = (
    RawEvent, Delivery, Incident, Connection, Connector, AlertSource, EscalationPolicy, Schedule, Team, User,
)  # fmt: skip
# What is part of something else, and goes or stays with it: model -> the path to its whole.
PARTS: Mapping[str, str] = {
    "incidents.run": "incident",
    "incidents.execution": "run__incident",
    "incidents.page": "incident",
    "incidents.assignment": "incident",
    "incidents.timelineentry": "incident",
    "destinations.attempt": "delivery",
    "oncall.step": "policy",
    "oncall.steptarget": "step__policy",
    "oncall.layer": "schedule",
    "oncall.participant": "layer__schedule",
    "oncall.override": "schedule",
    "oncall.membership": "team",
    "oncall.connectorteam": "connector",
    "oncall.contactmethod": "user",
    "oncall.notificationrule": "user",
    "oncall.deactivation": "user",
    "oncall.token": "user",
    "oncall.user_groups": "user",
    "oncall.user_user_permissions": "user",
}


@dataclass(frozen=True)
class Reference:
    """A column by which rows of one model refer to a whole. `whole`, `path`: where those rows belong themselves."""

    model: Model
    column: str
    to: Model
    whole: Model | None  # None: to nothing that the demo has
    path: str = "pk"


@transaction.atomic
def remove() -> tuple[int, list[str]]:
    """Take the demo away; return how many rows went, and what stays because own things refer to it, in words."""
    kept: dict[Model, set[int]] = {model: set() for model in WHOLES}
    while _keep_what_is_needed(kept):
        pass
    removed = sum(_going(model, kept).delete()[0] for model in WHOLES)
    return removed, _in_words(kept)


def _going(model: Model, kept: Kept) -> QuerySet[Any]:
    """Return the rows of a whole that are taken away, with what playing with the demo has left."""
    ours = OURS
    if model is Delivery:
        ours |= Q(subject__startswith=SUBJECT)
    if model is RawEvent:
        ours |= Q(source__in=_going(AlertSource, kept))
    return model._default_manager.filter(ours).exclude(pk__in=kept[model]).order_by()


def _keep_what_is_needed(kept: dict[Model, set[int]]) -> bool:
    """Keep what rows that stay refer to; return whether that was anything new."""
    found = False
    for one in references():
        rows = one.model._default_manager.filter(**{f"{one.column}__in": _going(one.to, kept)})
        if one.whole is not None:
            rows = rows.exclude(**{f"{one.path}__in": _going(one.whole, kept)})
        needed = set(rows.order_by().values_list(one.column, flat=True))
        kept[one.to] |= needed
        found = found or bool(needed)
    told = Delivery.objects.filter(subject__in=[row.subject for row in Incident.objects.filter(pk__in=kept[Incident])])
    kept[Delivery] |= set(told.values_list("pk", flat=True))  # known to the incident by its name alone
    return found


def references() -> Iterator[Reference]:
    """Return every column of the database that refers to a whole."""
    for model in apps.get_models(include_auto_created=True):
        for column in model._meta.concrete_fields:
            if isinstance(column, models.ForeignKey) and column.related_model in WHOLES:
                yield _reference(model, column.name, column.related_model)


def _reference(model: Model, column: str, to: Any) -> Reference:
    if path := PARTS.get(model._meta.label_lower):
        return Reference(model, column, to, _whole(model, path), path)
    return Reference(model, column, to, model if model in WHOLES else None)


def _whole(model: Model, path: str) -> Model:
    found: Any = model
    for step in path.split("__"):
        found = found._meta.get_field(step).related_model
    return cast(Model, found)


def _in_words(kept: Kept) -> list[str]:
    return [
        f"{model._meta.verbose_name} {row}"
        for model in reversed(WHOLES)
        if model not in {RawEvent, Delivery}
        for row in model._default_manager.filter(pk__in=kept[model])
    ]

"""Who is on call, from the rows: schedules become Definitions in a number of queries that does not grow with them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, Q

from oncall import definition, document
from oncall.definition import LOOK_AHEAD, Definition, Inactive, OnCall, Shift
from oncall.hours import MOMENT
from oncall.models import Deactivation, Layer, Override, Participant, Schedule, User
from oncall.rotation import LATEST, Rotation, Unit

__all__ = [
    "Known",
    "OnCall",
    "Shift",
    "inactive",
    "known",
    "load",
    "on_call",
    "on_call_many",
    "on_call_until",
    "shifts",
    "value",
]

R = TypeVar("R", Layer, Override)


@dataclass(frozen=True)
class Known:
    """A schedule as a value for a range of time, and the people it names: its users are keys of `people`."""

    definition: Definition
    people: dict[str, User]

    def person(self, user: str | None) -> User | None:
        """Return the person behind a user of the definition."""
        return None if user is None else self.people[user]


def on_call(schedule: Schedule, at: datetime) -> OnCall[User]:
    """Return who is on call at an instant, by which layer or override, and until when."""
    return on_call_until([schedule], at)[schedule.pk]


def on_call_until(schedules: Iterable[Schedule], at: datetime) -> dict[int, OnCall[User]]:
    """Return for each schedule's pk who is on call, by what, and until when."""
    answers = {}
    for pk, one in load(schedules, at, min(at, LATEST - LOOK_AHEAD) + LOOK_AHEAD).items():
        found = definition.on_call(one.definition, at)
        answers[pk] = OnCall(one.person(found.user), found.until, found.source)
    return answers


def on_call_many(schedules: Iterable[Schedule], at: datetime) -> dict[int, User | None]:
    """Return for each schedule's pk who is on call, and no more: the quick answer that a page needs."""
    until = min(at, LATEST) + MOMENT
    return {pk: one.person(definition.who(one.definition, at)[0]) for pk, one in load(schedules, at, until).items()}


def shifts(schedule: Schedule, start: datetime, end: datetime) -> list[Shift[User]]:
    """Return the shifts of [start, end): they tile it, and one without a user is a gap."""
    one = known(schedule, start, end)
    return [
        Shift(shift.start, shift.end, one.person(shift.user), shift.source)
        for shift in definition.shifts(one.definition, start, end)
    ]


def known(schedule: Schedule, start: datetime, end: datetime) -> Known:
    """Return one schedule as a value that is right for [start, end)."""
    return load([schedule], start, end)[schedule.pk]


def load(schedules: Iterable[Schedule], start: datetime, end: datetime) -> dict[int, Known]:
    """Return schedules as values that are right for [start, end), by pk. Four queries, however many there are."""
    wanted = {schedule.pk: schedule for schedule in schedules}
    layers, overrides = _layers(wanted, start, end), _overrides(wanted, start, end)
    gone = inactive(_people(layers, overrides), start, end)
    own_layers, own_overrides = _by_schedule(layers), _by_schedule(overrides)
    found = {}
    for pk, schedule in wanted.items():
        people = _people(own_layers[pk], own_overrides[pk])
        found[pk] = Known(
            Definition(
                layers=tuple(value(row) for row in own_layers[pk]),
                overrides=tuple(_override(row) for row in own_overrides[pk]),
                inactive=tuple(span for user in people for span in gone[user]),
                time_zone=schedule.time_zone,
            ),
            people,
        )
    return found


def value(row: Layer) -> definition.Layer:
    """Return one generation of a layer as a value. Reads its participants."""
    return definition.Layer(
        users=tuple(_key(turn.user_id) for turn in row.participants.all()),
        rotation=Rotation(ZoneInfo(row.time_zone), Unit(row.unit), row.length, datetime.fromisoformat(row.anchor)),
        windows=document.read_windows(row.restrictions),
        effective_from=row.effective_from,
        effective_until=row.effective_until,
        name=row.name,
        position=row.position,
    )


def _layers(pks: Iterable[int], start: datetime, end: datetime) -> list[Layer]:
    rows = Layer.objects.filter(
        Q(effective_until=None) | Q(effective_until__gt=start),
        Q(effective_from=None) | Q(effective_from__lt=end),
        schedule__in=pks,
    )
    turns = Participant.objects.select_related("user").order_by("layer", "position")
    return list(rows.order_by("schedule", "position", "id").prefetch_related(Prefetch("participants", turns)))


def _overrides(pks: Iterable[int], start: datetime, end: datetime) -> list[Override]:
    rows = Override.objects.filter(schedule__in=pks, end__gt=start, start__lt=end)
    return list(rows.select_related("user", "replaces").order_by("schedule", "id"))


def _by_schedule(rows: Iterable[R]) -> defaultdict[int, list[R]]:
    found: defaultdict[int, list[R]] = defaultdict(list)
    for row in rows:
        found[row.schedule_id].append(row)
    return found


def _people(layers: Iterable[Layer], overrides: Iterable[Override]) -> dict[str, User]:
    named = [turn.user for layer in layers for turn in layer.participants.all()]
    named += [user for override in overrides for user in (override.user, override.replaces)]
    return {str(user.pk): user for user in named if user is not None}


def inactive(people: Iterable[str], start: datetime, end: datetime) -> dict[str, list[Inactive]]:
    """Return when these people (primary keys as text) are switched off within [start, end)."""
    gone: dict[str, list[Inactive]] = defaultdict(list)
    rows = Deactivation.objects.filter(
        Q(end=None) | Q(end__gt=start), user__in=[int(pk) for pk in people], start__lt=end
    )
    for row in rows:
        key = str(row.user_id)
        gone[key].append(Inactive(key, row.start, row.end))
    return gone


def _override(row: Override) -> definition.Override:
    return definition.Override(str(row.uuid), row.start, row.end, _key(row.user_id), _key(row.replaces_id))


def _key(user_pk: int | None) -> str | None:
    return None if user_pk is None else str(user_pk)

"""Putting the demo in: the cast at once, then its history in pieces, so that an installation at work is not held up."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from incidents.demo import cast as casting
from incidents.demo import people as team
from incidents.demo.cast import CONNECTIONS, POLICIES, SCHEDULES, SOURCES, Cast
from incidents.demo.record import Recorder
from incidents.demo.sent import Mailroom, Reach
from incidents.demo.story import Person, Step, World
from incidents.demo.telling import tell
from incidents.demo.troubles import DAYS, troubles
from incidents.demo.uuids import OURS, uuid_of
from incidents.models import AlertSource, Connection, Incident, Severity
from incidents.models.severity import RANKS
from oncall import shifts
from oncall.models import Schedule, User

PIECE = 25  # incidents in one transaction
Progress = Callable[[int, int], None]  # how many incidents are there, of how many


def fill(now: datetime, progress: Progress = lambda done, of: None) -> int:
    """Put in what of the demo is not there yet; return how many incidents that were.

    It tells of the three months before its first run. Raises Invalid if a name that it needs is taken.
    """
    with transaction.atomic():
        cast = casting.gather(now)
    known = set(Incident.objects.filter(OURS).values_list("uuid", flat=True))
    wanted = troubles(cast.began)
    missing = [trouble for trouble in wanted if uuid_of(trouble.name) not in known]
    world = _world(cast)
    recorder = Recorder(cast, Mailroom(cast, Reach.of(cast), now), _latest(), now)
    for start in range(0, len(missing), PIECE):
        piece = missing[start : start + PIECE]
        recorder.write([tell(trouble, world, cast.began) for trouble in piece])
        progress(len(wanted) - len(missing) + start + len(piece), len(wanted))
    if missing:
        _note_last_events(cast)
    return len(missing)


def _latest() -> dict[tuple[int, str], int]:
    rows = Incident.objects.filter(OURS).order_by("pk").values_list("alert_source_id", "dedup_key", "pk")
    return {(source, key): pk for source, key, pk in rows}


def _note_last_events(cast: Cast) -> None:
    for source in cast.sources.values():
        last = source.incidents.order_by("-last_event_at").values_list("last_event_at", flat=True).first()
        AlertSource.objects.filter(pk=source.pk).update(last_event_at=last)


def _world(cast: Cast) -> World:
    finders = {f"schedule {key}": _on_call(schedule, cast) for key, schedule in cast.schedules.items()}
    return World(
        urgency=lambda severity: str(Severity(severity).urgency),
        policy_of=lambda source: SOURCES[source][2],
        steps={key: tuple(_steps(key, finders)) for key in POLICIES},
        hears=lambda source, severity: _hears(cast, source, severity),
    )


def _steps(policy: str, finders: dict[str, Callable[[datetime], Person | None]]) -> Iterator[Step]:
    by_name = {name: key for key, name in SCHEDULES.items()}
    by_username = {person.username: person for person in team.PEOPLE.values()}
    for step in POLICIES[policy]["steps"]:
        [(kind, name)] = step["targets"][0].items()
        if kind == "schedule":
            yield Step(name, step["delay_minutes"], finders[f"schedule {by_name[name]}"])
        else:
            yield Step(by_username[name].name, step["delay_minutes"], _always(by_username[name]))


def _always(person: Person) -> Callable[[datetime], Person | None]:
    return lambda _: person


def _on_call(schedule: Schedule, cast: Cast) -> Callable[[datetime], Person | None]:
    """Return a quick answer to who was on call in the time the demo tells of."""
    tiles = shifts.shifts(schedule, cast.began - timedelta(days=DAYS + 1), cast.began + timedelta(days=1))
    begins = [tile.start for tile in tiles]
    people = {user.pk: team.PEOPLE[key] for key, user in cast.users.items()}

    def find(at: datetime) -> Person | None:
        user: User | None = tiles[bisect_right(begins, at) - 1].user
        return people.get(user.pk) if user else None

    return find


def _hears(cast: Cast, source: str, severity: str) -> Sequence[str]:
    return [
        key
        for key, (_, of, columns) in CONNECTIONS.items()
        if of == source
        and columns.get("mode") != Connection.Mode.MANUAL
        and RANKS[Severity(severity)] >= RANKS[Severity(columns.get("min_severity", "info"))]
    ]

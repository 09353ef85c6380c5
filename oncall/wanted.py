"""What somebody wants a schedule to be: its document, read, with the people and the team it names as rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from oncall import definition, document, references
from oncall.definition import Definition
from oncall.faults import Faults, Faulty
from oncall.models import Override, Schedule, Team, User

LONGEST_NAME = 100


@dataclass(frozen=True)
class Wanted:
    """A document, read: what the schedule shall be. The users of the definition are primary keys as text."""

    name: str
    team: Team | None
    definition: Definition
    people: dict[str, User]  # by those keys
    overrides: list[Override] | None  # not stored yet; None: the document does not speak of them


def read(given: Mapping[str, Any], schedule: Schedule | None, by: User | None) -> Wanted:
    """Return what the document says, or raise Invalid with everything that is wrong with it."""
    faults = Faults()
    name = faults.text(given.get("name"), "name", "Send a name of 1 to 100 printable characters.", LONGEST_NAME)
    others = Schedule.objects.filter(name=name)
    if (others if schedule is None else others.exclude(pk=schedule.pk)).exists():
        faults.add("name", f"Another schedule is called {name!r}. Choose another name.", "unique")
    if "inactive" in given:
        faults.add("inactive", "Deactivate people on their own page; a schedule only follows.", "unknown")
    team = references.team(faults, given.get("team"), by)
    found = Definition(())
    try:
        found = document.read({key: part for key, part in given.items() if key != "inactive"}, also=("name", "team"))
    except Faulty as exc:
        faults.found += exc.faults
    people = references.people(word for _, word in _words(found))
    for path, word in _words(found):
        if word not in people:
            faults.add(path, references.no_such("user", word), "unknown")
    if faults.found:
        raise references.as_problem(faults.found)
    stored = _in_keys(found, {word: str(person.pk) for word, person in people.items()})
    rows = [_override(one, people, schedule) for one in found.overrides] if "overrides" in given else None
    return Wanted(name, team, stored, {str(person.pk): person for person in people.values()}, rows)


def _words(spoken: Definition) -> list[tuple[str, str]]:
    """Return (path, word) for each person that the document names."""
    found = [
        (f"layers.{place}.users.{turn}", user)
        for place, layer in enumerate(spoken.layers)
        for turn, user in enumerate(layer.users)
    ]
    for place, one in enumerate(spoken.overrides):
        found += [(f"overrides.{place}.user", one.user), (f"overrides.{place}.replaces", one.replaces)]
    return [(path, word) for path, word in found if word is not None]


def _in_keys(spoken: Definition, keys: Mapping[str, str]) -> Definition:
    def key(word: str | None) -> str | None:
        return None if word is None else keys[word]

    layers = (replace(layer, users=tuple(key(user) for user in layer.users)) for layer in spoken.layers)
    covers = (replace(one, user=key(one.user), replaces=key(one.replaces)) for one in spoken.overrides)
    return replace(spoken, layers=tuple(layers), overrides=tuple(covers))


def _override(one: definition.Override, people: Mapping[str, User], schedule: Schedule | None) -> Override:
    return Override(
        uuid=references.as_uuid(one.id) or uuid4(),
        schedule=schedule,
        start=one.start,
        end=one.end,
        user=None if one.user is None else people[one.user],
        replaces=None if one.replaces is None else people[one.replaces],
    )

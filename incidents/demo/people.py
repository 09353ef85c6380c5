"""The team of the demo: who they are, where they live, how they are reached. Pure.

Addresses are of example.com, which the Internet keeps for examples and which takes no mail (RFC 2606, RFC 7505).
"""

from collections.abc import Mapping

from incidents.demo.story import Person, Way


def _ways(key: str) -> tuple[Way, ...]:
    """A push at once and a mail three minutes later; by low urgency a mail."""
    return Way("ntfy", f"https://ntfy.example.com/{key}-demo", 0, None), Way("email", f"{key}@example.com", 3, 0)


def _mail_only(key: str) -> tuple[Way, ...]:
    return (Way("email", f"{key}@example.com", 0, 0),)


def _person(key: str, name: str, zone: str, *, push: bool = True) -> Person:
    return Person(key, name, f"{key}.demo", zone, _ways(key) if push else _mail_only(key))


MARA = _person("mara", "Mara Lindqvist", "Europe/Stockholm")
INES = _person("ines", "Inês Carvalho", "Europe/Lisbon", push=False)
LUKAS = _person("lukas", "Lukas Brandt", "Europe/Berlin")
TOM = _person("tom", "Tom Okafor", "America/New_York")
SOFIA = _person("sofia", "Sofía Reyes", "America/Los_Angeles")
KENJI = _person("kenji", "Kenji Watanabe", "Asia/Tokyo")
PRIYA = _person("priya", "Priya Raman", "Asia/Kolkata")
DANA = Person("dana", "Dana Levi", "dana.demo", "Europe/London")  # looks on, and is not to be reached

PEOPLE: Mapping[str, Person] = {one.key: one for one in (MARA, INES, LUKAS, TOM, SOFIA, KENJI, PRIYA, DANA)}
ROLES = {MARA.key: "manager", KENJI.key: "manager", DANA.key: "stakeholder"}  # everyone else is a responder

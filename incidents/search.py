"""What people type to find incidents: words, and `key:value` pairs; quotes hold words together.

`disk status:open severity:critical label.team:core assignee:me source:"My shop"` - all parts must hold; one key given
twice means either. A part that cannot be understood is told in a sentence and left out.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q
from django.db.models.fields.json import KeyTransform

from incidents.models import Assignment, Incident, Severity, Status
from incidents.routing import our_severity
from oncall.models import Membership, User

PART = re.compile(r'(?:(?P<key>[A-Za-z][\w.-]*):(?!//))?(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S+))')
LABEL = "label."
STATUSES = {
    "open": Q(status__in=[Status.PENDING, Status.ACCEPTED]),
    "pending": Q(status=Status.PENDING),
    "triggered": Q(status=Status.PENDING),
    "accepted": Q(status=Status.ACCEPTED),
    "acknowledged": Q(status=Status.ACCEPTED),
    "resolved": Q(status=Status.RESOLVED),
    "closed": Q(status=Status.RESOLVED),
    "snoozed": Q(snoozed_until__isnull=False) & ~Q(status=Status.RESOLVED),
}
TOLD = {"yes": Q(told=True), "no": Q(told=False)}
NAMED = {  # found by name, whole or in part
    "source": "alert_source__name",
    "team": "team__name",
    "policy": "escalation_policy__name",
    "class": "class_name",
    "host": "origin",
    "component": "component",
    "group": "group",
    "key": "dedup_key",
}
KEYS = ("status", "severity", "assignee", "told", "label.<name>", *NAMED)
WORDS = ("title", "description", "origin", "component", "dedup_key", "alert_source__name")


@dataclass(frozen=True)
class Term:
    """One `key:value`."""

    key: str
    value: str


@dataclass(frozen=True)
class Query:
    """What was typed, understood; `faults` says in sentences what was not."""

    words: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    faults: tuple[str, ...] = ()

    def asks(self, key: str) -> bool:
        """Whether a key was named."""
        return any(term.key == key for term in self.terms)


def parse(text: str) -> Query:
    """Read what was typed. Never raises."""
    words, terms, faults = [], [], []
    for part in PART.finditer(text.replace("\0", "")):
        key = part["key"] or ""
        key = key if key.startswith(LABEL) else key.lower()
        value = part["quoted"] if part["quoted"] is not None else part["plain"]
        if not key:
            words += [value] if value else []
        elif fault := _fault(key, value):
            faults.append(fault)
        else:
            terms.append(Term(key, value))
    return Query(tuple(words), tuple(terms), tuple(faults))


def condition(query: Query, user: User) -> Q:
    """Return what the incidents must fulfil."""
    found = Q()
    for word in query.words:
        found &= _word(word)
    by_key: dict[str, Q] = {}
    for term in query.terms:
        by_key[term.key] = by_key.get(term.key, Q()) | _term(term, user)
    for one in by_key.values():
        found &= one
    return found


def mine(user: User) -> Q:
    """Return the condition for what this person has: assigned to them, to a team of theirs, or acknowledged by them."""
    return _assigned(Q(user=user) | Q(team__in=Membership.objects.filter(user=user).values("team"))) | Q(
        acknowledged_by=user
    )


def _fault(key: str, value: str) -> str:
    choices: dict[str, Iterable[str]] = {"status": STATUSES, "severity": Severity.values, "told": TOLD}
    if key in choices:
        word = our_severity(value) if key == "severity" else value.lower()
        return "" if word in choices[key] else f"{key}:{value} is not known. Use {', '.join(choices[key])}."
    if key.startswith(LABEL) and len(key) > len(LABEL):
        number = key.removeprefix(LABEL).lstrip("-").isdecimal()  # would be read as a place in a list
        return f"{key}: a label whose name is a number cannot be searched for." if number else ""
    if key not in NAMED and key != "assignee":
        return f"{key}: is not known. Use {', '.join(KEYS)}; or put it in quotes to search for the words."
    return "" if value else f"{key}: has no value."


def _word(word: str) -> Q:
    if re.fullmatch(r"#\d{1,18}", word):
        return Q(pk=int(word[1:]))
    found = Q(pk=int(word)) if re.fullmatch(r"\d{1,18}", word) else Q()
    for column in WORDS:
        found |= Q(**{f"{column}__icontains": word})
    return found


def _term(term: Term, user: User) -> Q:
    value = term.value
    if term.key == "status":
        return STATUSES[value.lower()]
    if term.key == "told":
        return TOLD[value.lower()]
    if term.key == "severity":
        return Q(severity=our_severity(value))
    if term.key == "assignee":
        return _assignee(value, user)
    if term.key.startswith(LABEL):
        name = term.key.removeprefix(LABEL)
        labelled = Incident.objects.annotate(
            said=KeyTransform(name, "labels"), added=KeyTransform(name, "contextual_labels")
        )
        return Q(pk__in=labelled.filter(Q(said=value) | Q(added=value)).values("pk"))
    return Q(**{f"{NAMED[term.key]}__icontains": value})


def _assignee(value: str, user: User) -> Q:
    match value.lower():
        case "me":
            return mine(user)
        case "nobody" | "none":
            return Q(acknowledged_by=None) & ~_assigned(Q())
        case _:
            people = Q(user__username__iexact=value) | Q(user__name__icontains=value) | Q(team__name__iexact=value)
            return _assigned(people)


def _assigned(condition: Q) -> Q:
    return Q(pk__in=Assignment.objects.filter(condition).values("incident"))

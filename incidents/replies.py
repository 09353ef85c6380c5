"""Signed answers: a link in a page lets its reader acknowledge, resolve or escalate that one incident, no more.

A token is bound to incident, person, action and the step it was sent for; it is good for seven days and void once the
incident is resolved (A5). GET changes nothing: mail scanners follow links.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.conf import settings
from django.core import signing

SALT = "tocsin.reply"
GOOD_FOR = timedelta(days=7)


class Answer(StrEnum):
    """What a person can answer to a page (A1)."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    ESCALATE = "escalate"


@dataclass(frozen=True)
class Reply:
    """What a signed link says."""

    incident: str  # uuid
    user: str  # uuid
    answer: Answer
    sequence: int  # the execution it was sent for: an "escalate" counts once for each (E6)


class BadLink(ValueError):
    """The link is not one of ours, was changed, or is too old. Its text says which."""


def sign(reply: Reply) -> str:
    """Return the token of a reply, safe in a URL."""
    return signing.dumps([reply.incident, reply.user, reply.answer.value, reply.sequence], salt=SALT, compress=False)


def read(token: str) -> Reply:
    """Return what a token says. Raises BadLink."""
    try:
        incident, user, answer, sequence = signing.loads(token, salt=SALT, max_age=GOOD_FOR)
        return Reply(incident, user, Answer(answer), sequence)
    except signing.SignatureExpired as exc:
        raise BadLink("This link is older than seven days. Open the incident in the console instead.") from exc
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise BadLink("This link is not valid. Copy it whole, or open the incident in the console.") from exc


def links(incident: str, user: str, sequence: int) -> dict[str, str]:
    """Return the address of each answer of this person to this page."""
    return {
        answer.value: f"{settings.PUBLIC_URL}/reply/{sign(Reply(incident, user, answer, sequence))}"
        for answer in Answer
    }

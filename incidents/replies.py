"""Signed answers: a link in a page lets its reader acknowledge, resolve or escalate that one incident, no more.

A token is bound to incident, person, action and the step it was sent for; it is good for seven days and void once the
incident is resolved (A5). GET changes nothing: mail scanners follow links.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
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
    page_at: int  # when the page was made, in Unix seconds: the link is good for seven days from then


class BadLink(ValueError):
    """The link is not one of ours, was changed, or is too old. Its text says which."""


def sign(reply: Reply) -> str:
    """Return the token of a reply, safe in a URL."""
    return signing.dumps(
        [reply.incident, reply.user, reply.answer.value, reply.sequence, reply.page_at], salt=SALT, compress=False
    )


def read(token: str, now: datetime) -> Reply:
    """Return what a token says. Raises BadLink."""
    try:
        incident, user, answer, sequence, page_at = signing.loads(token, salt=SALT)
        reply = Reply(incident, user, Answer(answer), sequence, page_at)
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise BadLink("This link is not valid. Copy it whole, or open the incident in the console.") from exc
    if now.timestamp() - reply.page_at > GOOD_FOR.total_seconds():
        raise BadLink("This link is older than seven days. Open the incident in the console instead.")
    return reply


def links(incident: str, user: str, sequence: int, page_at: datetime) -> dict[str, str]:
    """Return the address of each answer of this person to this page: good for seven days from the page."""
    at = int(page_at.timestamp())
    return {
        answer.value: f"{settings.PUBLIC_URL}/reply/{sign(Reply(incident, user, answer, sequence, at))}"
        for answer in Answer
    }

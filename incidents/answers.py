"""What a signed link does: GET shows who answers what, POST acts as that person."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from incidents import lifecycle, replies
from incidents.lifecycle import IllegalTransition
from incidents.models import Incident, Status
from incidents.replies import Answer, BadLink, Reply
from incidents.timeline import Actor
from oncall.models import User

WORDS = {Answer.ACKNOWLEDGE: "Acknowledge", Answer.RESOLVE: "Resolve", Answer.ESCALATE: "Escalate to the next"}


@dataclass(frozen=True)
class Told:
    """What the person is told: the truth as it is now (A6)."""

    text: str
    incident: Incident


def apply(reply: Reply, incident: Incident, user: User, *, now: datetime) -> Told:
    """Do what a person answered, once: answering again tells who was first and changes nothing (A4, A7).

    Who was paged may answer, whatever the role: a page without an answer would be half a page.
    """
    by = Actor.person(user, "link")
    before = incident.status
    if before == Status.RESOLVED:
        return Told(f"Already resolved{f' by {incident.closed_by}' if incident.closed_by else ''}.", incident)
    if reply.answer is Answer.ACKNOWLEDGE and before == Status.ACCEPTED:
        return Told(f"Already acknowledged by {_holder(incident, user)}.", incident)
    try:
        match reply.answer:
            case Answer.ACKNOWLEDGE:
                incident = lifecycle.single(lifecycle.acknowledge([incident], by=by, now=now))
                who = incident.acknowledged_by
                return Told("It is yours now." if who == user else f"Already acknowledged by {who}.", incident)
            case Answer.RESOLVE:
                incident = lifecycle.single(lifecycle.resolve([incident], by=by, now=now))
                return Told("Resolved.", incident)
            case Answer.ESCALATE:
                changes = lifecycle.escalate([incident], by=by, now=now, sent_for=reply.sequence)
                return Told("Escalated to the next.", lifecycle.single(changes))
    except IllegalTransition as refusal:
        return Told(str(refusal), refusal.incident)


def _holder(incident: Incident, user: User) -> str:
    if incident.acknowledged_by is None:
        return "its source or a machine"
    return "you" if incident.acknowledged_by == user else str(incident.acknowledged_by)


@csrf_exempt  # the signed token is the authority; there is no session to ride on
def reply(request: HttpRequest, token: str) -> HttpResponse:
    """`/reply/<token>`: GET and HEAD show and change nothing, POST acts."""
    try:
        said = replies.read(token, timezone.now())
    except BadLink as exc:
        return _page(request, {"problem": str(exc)}, status=404)
    incident = (
        Incident.objects.select_related("alert_source", "acknowledged_by", "closed_by")
        .filter(uuid=said.incident)
        .first()
    )
    user = User.objects.filter(uuid=said.user, is_active=True).first()
    if incident is None or user is None:
        return _page(request, {"problem": "This link is not valid any more."}, status=404)
    told = ""
    if request.method == "POST":
        outcome = apply(said, incident, user, now=timezone.now())
        told, incident = outcome.text, outcome.incident
    context = {
        "incident": incident,
        "user_name": str(user),
        "verb": WORDS[said.answer],
        "told": told,
        "zone": user.zone,
    }
    page_at = datetime.fromtimestamp(said.page_at, UTC)
    links = replies.links(said.incident, said.user, said.sequence, page_at)
    context["others"] = [(WORDS[answer], links[answer.value]) for answer in Answer if answer is not said.answer]
    return _page(request, context)


def _page(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    response = render(request, "incidents/reply.html", context, status=status)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response

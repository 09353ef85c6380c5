"""What the pages of this floor share on top of the console's shell: who acts, finding a row, and buttons that act."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from config import audit
from config.access import visible
from config.console import Person, demand, page
from config.problems import Problem
from oncall.models import User

P = ParamSpec("P")
M = TypeVar("M", bound=Model)
SAID = frozenset({"unique"})  # faults that a document's own words tell to people, too
Verb = Callable[Concatenate[Person, datetime, P], HttpResponse]


def verb(permission: str = "") -> Callable[[Verb[P]], Callable[Concatenate[Person, P], HttpResponse]]:
    """Let a function be what a button does: POST only, given the request and now, answering where to go next.

    A refusal in words is a message on the page that the button stands on.
    """

    def decorate(act: Verb[P]) -> Callable[Concatenate[Person, P], HttpResponse]:
        @page(permission, methods=("POST",))
        @wraps(act)
        def answer(request: Person, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                return act(request, timezone.now(), *args, **kwargs)
            except Problem as exc:
                messages.error(request, sentence(exc))
                return HttpResponseRedirect(came_from(request))

        return answer

    return decorate


def actor(request: Person) -> audit.Actor:
    """Return who is signed in, for the audit trail."""
    user: User = request.user
    return audit.Actor(user.username, str(user.uuid), "console")


def answers(request: HttpRequest) -> QueryDict | None:
    """Return what a form was sent with, also if that is nothing; None if it is only being looked at."""
    return request.POST if request.method == "POST" else None


def go(name: str, *args: Any, anchor: str = "") -> HttpResponseRedirect:
    """Return the way to a page by the name of its route."""
    return HttpResponseRedirect(reverse(name, args=args) + (f"#{anchor}" if anchor else ""))


def came_from(request: HttpRequest) -> str:
    """Return the page that a button stood on, if it is one of ours; else the first page."""
    referer = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(referer, {request.get_host()})
    return referer if ours else "/"


def find(request: Person, rows: QuerySet[M], uuid: object, permission: str) -> M:
    """Return the row with this uuid. Raises Http404 for what is not there or is hidden, else PermissionDenied."""
    row = get_object_or_404(visible(request.user, rows), uuid=uuid)
    demand(request, permission, row)
    return row


def sentence(problem: Problem) -> str:
    """Return what a refusal says, with what is wrong in each field."""
    return " ".join(error.detail for error in problem.errors) or problem.detail


def hinted(problem: Problem, hints: Mapping[str, str]) -> dict[str, str]:
    """Return field -> what is wrong with it, by the words for people where those of a document are for programs.

    `hints` is by the last word of the field's name.
    """
    found: dict[str, str] = {}
    for error in problem.errors:
        name = error.field.rpartition(".")[2]
        words = error.detail if error.code in SAID else hints.get(name, error.detail)
        found[error.field] = f"{found[error.field]} {words}" if error.field in found else words
    return found

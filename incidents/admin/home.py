"""The first page: what is still missing before anybody can be woken, what is open, who is on call, how sending goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, Max, Q, QuerySet, When
from django.http import HttpResponse
from django.utils import timezone

from config import access
from config.console import Person, etag, fragment, may, page, show
from config.health import state
from destinations.health import last_day
from destinations.models import Attempt, Connector
from incidents.checklist import checklist
from incidents.document import load
from incidents.models import Incident, Run, Status
from incidents.search import mine
from incidents.sentences import next_step
from oncall.models import Schedule, User
from oncall.watches import Watch, watches

MOST = 30  # open incidents on the first page
TABS = ("open", "mine", "snoozed")
OPEN = ~Q(status=Status.RESOLVED)
QUIET = Case(When(urgency="", then=1), default=0)  # recorded only
SNOOZED = Q(snoozed_until__isnull=False)


@dataclass(frozen=True)
class Row:
    """An incident in a list, with what happens next in a few words."""

    incident: Incident
    next: str

    @property
    def holders(self) -> list[str]:
        """Who has it, in words."""
        assigned = [str(one.user or one.team) for one in self.incident.assignments.all()]
        return assigned or ([str(self.incident.acknowledged_by)] if self.incident.acknowledged_by else [])


@dataclass(frozen=True)
class Turn:
    """A schedule and who is on call on it."""

    schedule: Schedule
    watch: Watch


@page()
def home(request: Person) -> HttpResponse:
    """`GET /`: the first page."""
    tab = _tab(request)
    context = {"tag": etag(request, (tab, _stamp())), **_live(request, tab)}
    return show(request, "incidents/home.html", context, title="Home")


@page()
def live(request: Person) -> HttpResponse:
    """`GET /live/`: what of the first page changes by itself."""
    tab = _tab(request)
    return fragment(request, "incidents/home_live.html", lambda: _live(request, tab), stamp=(tab, _stamp()))


def rows(incidents: Sequence[Incident], now: datetime) -> list[Row]:
    """Return incidents ready to be shown in a list; the queries do not grow with them."""
    load(incidents)
    return [Row(one, next_step(one, next(iter(one.live_runs), None), now)) for one in incidents]  # type: ignore[attr-defined]


def _tab(request: Person) -> str:
    asked = request.GET.get("tab", "open")
    return asked if asked in TABS else "open"


def _live(request: Person, tab: str) -> dict[str, Any]:
    user, now = request.user, timezone.now()
    context: dict[str, Any] = {"tab": tab, "now": now}
    if may(user, "incidents.add_alertsource"):
        tasks = checklist(user)
        following = next((task for task in tasks if not task.done and not task.optional), None)
        context |= {"tasks": tasks if following else [], "following": following}
        context["done"] = sum(task.done for task in tasks)
    if may(user, "incidents.view_incident"):
        visible = access.visible(user, Incident.objects.filter(OPEN))
        context |= {"counts": _counts(visible, user), "rows": rows(_chosen(visible, tab, user), now)}
    if may(user, "oncall.view_schedule"):
        schedules = list(access.visible(user, Schedule.objects.select_related("team")))
        found = watches(schedules, now)
        context["turns"] = [Turn(schedule, found[schedule.pk]) for schedule in schedules]
    if may(user, "destinations.view_connector"):
        context["deliveries"] = _deliveries(user, now)
        context["watch"] = state(now)
    return context


def _counts(visible: QuerySet[Incident], user: User) -> dict[str, int]:
    awake = visible.order_by()
    return awake.aggregate(
        open=Count("pk", filter=~SNOOZED), mine=Count("pk", filter=mine(user)), snoozed=Count("pk", filter=SNOOZED)
    )


def _chosen(visible: QuerySet[Incident], tab: str, user: User) -> list[Incident]:
    """Return the newest red ones first, then what pages nobody, then those that somebody has."""
    condition = {"open": ~SNOOZED, "mine": mine(user), "snoozed": SNOOZED}[tab]
    return list(visible.filter(condition).order_by("-status", QUIET, "-pk")[:MOST])


def _deliveries(user: User, now: datetime) -> list[tuple[Connector, Any]]:
    connectors = list(access.visible(user, Connector.objects.all()))
    found = last_day(connectors, now)
    return [(connector, found[connector.pk]) for connector in connectors]


def _stamp() -> tuple[object, ...]:
    """Return what changes whenever the page would, and each half minute: the sentences hold times."""
    newest = Incident.objects.aggregate(at=Max("updated_at"), last=Max("pk"), entries=Count("pk", filter=OPEN))
    runs = Run.objects.filter(due_at__isnull=False).aggregate(at=Max("due_at"), count=Count("pk"))
    attempt = Attempt.objects.order_by("-pk").values_list("pk", flat=True).first()
    half_minute = int(timezone.now().timestamp() // 30)
    return (*newest.values(), *runs.values(), attempt, half_minute)

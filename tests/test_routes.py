"""Every REST route with each role and with none. A route that is not in the table fails: say who may, then add it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from destinations.models import Connector, Delivery
from incidents.api import bulk
from incidents.models import AlertSource, Connection, Incident, RawEvent
from oncall import tokens
from oncall.models import ConnectorTeam, EscalationPolicy, NotificationRule, Override, Schedule, Team
from tests.callers import bearer, person, way_to

NOBODY: frozenset[str] = frozenset()
A = frozenset({"admin"})
M = A | {"manager"}
R = M | {"responder"}
S = R | {"stakeholder"}
ANY = S | {"none"}  # everybody who can sign in: for what is one's own

CRUD = {"list": S, "create": M, "retrieve": S, "partial_update": M, "destroy": M}
# view -> action -> who gets past the door for somebody else's row
TABLE: dict[str, dict[str, frozenset[str]]] = {
    "TeamViewSet": CRUD,
    "UserViewSet": {
        "list": ANY,
        "create": A,
        "retrieve": S,
        "partial_update": A,
        "destroy": A,
        "deactivate": A,
        "reactivate": A,
    },
    "ContactMethodViewSet": {
        "list": ANY,
        "create": ANY,
        "retrieve": M,
        "partial_update": M,
        "destroy": M,
        "send_code": M,
        "verify": M,
        "test": M,
    },
    "NotificationRuleViewSet": {"list": ANY, "create": ANY, "retrieve": M, "partial_update": M, "destroy": M},
    "TokenViewSet": {"list": ANY, "create": ANY, "retrieve": A, "destroy": A, "revoke": A, "rotate": NOBODY},
    "ScheduleViewSet": {
        **CRUD,
        "on_call": S,
        "shifts": S,
        "preview": S,
        "overrides": S,
        "add_override": R,
        "delete_override": M,
        "end_override": M,
    },
    "EscalationPolicyViewSet": {**CRUD, "sentences": S},
    "ConnectorViewSet": {
        "list": R,
        "create": M,
        "retrieve": R,
        "partial_update": M,
        "destroy": M,
        "kinds": R,
        "test": M,
        "try_out": M,
        "enable": M,
        "disable": M,
    },
}
INCIDENT_VERBS = (
    *("acknowledge", "unacknowledge", "snooze", "unsnooze", "escalate"),
    *("assign", "unassign", "resolve", "close", "notes"),
)
TABLE |= {
    "IncidentViewSet": {
        "list": S,
        "retrieve": S,
        "batch_get": S,
        "events": S,
        "timeline": S,
        "create": R,
        "partial_update": R,
        "destroy": A,
        **dict.fromkeys(INCIDENT_VERBS, R),
    },
    "AlertSourceViewSet": {
        "list": R,
        "create": M,
        "retrieve": R,
        "partial_update": M,
        "destroy": M,
        "rotate_key": M,
        "test_event": M,
    },
    "ConnectionViewSet": {"list": R, "create": M, "retrieve": R, "partial_update": M, "destroy": M},
    "DeliveryViewSet": {"list": R, "create": A, "retrieve": R, "replay": M, "replay_many": M},  # create: 405
    "RawEventViewSet": {"list": R, "retrieve": R},
    **{view.__name__: {"post": A if view.verb == "delete" else R} for view in bulk.VIEWS},
}
OF_INCIDENTS = {"IncidentViewSet", *(view.__name__ for view in bulk.VIEWS)}
OPEN = {"SpectacularJSONAPIView", "SpectacularSwaggerSplitView", "Metrics"}  # have doors of their own
EVENT_API = ("RawEventViewSet", "create")  # opens to the key of a source


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    view: str
    action: str
    reads: bool


def routes(patterns: Any = None, prefix: str = "") -> Iterator[Route]:
    for one in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, path)
        elif isinstance(one, URLPattern) and (view := getattr(one.callback, "cls", None)) and view.__name__ not in OPEN:
            actions = getattr(one.callback, "actions", None) or {
                name: name for name in view.http_method_names if hasattr(view, name) and name != "options"
            }
            for method, action in actions.items():
                if method in view.http_method_names and method != "head" and (view.__name__, action) != EVENT_API:
                    reads = method == "get" or action in view.reading
                    yield Route(method, simplify_regex(path), view.__name__, action, reads)


ALL = list(routes())


@pytest.fixture
def ids() -> dict[str, str]:
    """One row of each resource, all somebody else's."""
    eve = person("eve", "responder")
    method = way_to(eve)
    schedule = Schedule.objects.create(name="Primary")
    later = timezone.now() + timedelta(days=1)
    override = Override.objects.create(schedule=schedule, start=later, end=later + timedelta(hours=1), user=eve)
    source = AlertSource.objects.create(name="Shop")
    connector = Connector.objects.create(name="Hook", kind="webhook")
    raw = RawEvent.objects.create(source=source, outcome=RawEvent.Outcome.IGNORED)
    told = Delivery.objects.create(key="d", connector=connector, kind="webhook", message={"event": "x"}, due_at=later)
    rows: dict[str, Any] = {
        "incidents": Incident.objects.create(alert_source=source, dedup_key="k", title="Disk", severity="critical"),
        "alert-sources": source,
        "connections": Connection.objects.create(connector=connector),
        "events": raw,
        "deliveries": told,
        "teams": Team.objects.create(name="Core"),
        "users": eve,
        "contact-methods": method,
        "notification-rules": NotificationRule.objects.create(user=eve, urgency="high", contact_method=method),
        "schedules": schedule,
        "overrides": override,
        "escalation-policies": EscalationPolicy.objects.create(name="Shop"),
        "tokens": tokens.make(eve, "hers", ["read"], now=timezone.now())[0],
        "connectors": connector,
    }
    return {name: str(row.uuid) for name, row in rows.items()}


def address(route: Route, ids: dict[str, str]) -> str:
    path = re.sub(r"/([a-z-]+)/<(?:id|override)>", lambda found: f"/{found[1]}/{ids[found[1]]}", route.path)
    assert "<" not in path, f"{route.path}: make a row for it in this test"
    return path


def call(client: APIClient, route: Route, ids: dict[str, str]) -> int:
    with transaction.atomic():
        status: int = getattr(client, route.method)(address(route, ids), {}, format="json").status_code
        transaction.set_rollback(True)
    return status


def test_the_table_names_every_route() -> None:
    assert {(route.view, route.action) for route in ALL} == {
        (view, action) for view, actions in TABLE.items() for action in actions
    }


@pytest.mark.django_db
def test_nobody_comes_in_without_signing_in(ids: dict[str, str]) -> None:
    assert {call(APIClient(), route, ids) for route in ALL} == {401}


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["none", "stakeholder", "responder", "manager", "admin"])
def test_each_role_gets_past_its_own_doors_and_no_other(ids: dict[str, str], role: str) -> None:
    client = bearer(person("ann", *([] if role == "none" else [role])))
    wrong = []
    for route in ALL:
        status = call(client, route, ids)
        allowed = role in TABLE[route.view][route.action]
        if (status in {401, 403, 404}) == allowed:
            wrong.append(f"{route.method} {route.path} ({route.action}): {status}")
    assert wrong == []


@pytest.mark.django_db
def test_a_token_that_only_reads_changes_nothing(ids: dict[str, str]) -> None:
    client = bearer(person("ann", "admin"), "read")
    for route in ALL:
        assert (call(client, route, ids) == 403) != route.reads, route


@pytest.mark.django_db
def test_a_token_of_incidents_alone_opens_no_setting(ids: dict[str, str]) -> None:
    client = bearer(person("ann", "admin"), "incidents:read", "incidents:acknowledge")
    for route in ALL:
        if route.view not in OF_INCIDENTS:
            assert call(client, route, ids) == 403, route


@pytest.mark.django_db
def test_what_belongs_to_a_private_team_does_not_exist_for_others(ids: dict[str, str]) -> None:
    team = Team.objects.get()
    Team.objects.update(private=True)
    Schedule.objects.update(team=team)
    EscalationPolicy.objects.update(team=team)
    ConnectorTeam.objects.create(connector=Connector.objects.get(), team=team)
    hidden = {"TeamViewSet", "ScheduleViewSet", "EscalationPolicyViewSet", "ConnectorViewSet"}
    stranger = bearer(person("ann", "manager"))
    for route in ALL:
        if route.view in hidden and "<id>" in route.path:
            assert call(stranger, route, ids) == 404, route
        elif route.view in hidden and route.action == "list":
            assert stranger.get(route.path).json()["results"] == []
    member = person("bob", "manager")
    team.members.add(member)
    for route in ALL:
        if route.view in hidden and route.action == "retrieve":
            assert call(bearer(member), route, ids) == 200, route

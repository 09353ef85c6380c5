"""Every address of the alerting pages, with each role and with none: who gets in, and that looking changes nothing."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.models import AuditEntry
from destinations.models import Connector, Delivery
from incidents import console_urls
from incidents.models import AlertSource, Connection, Incident
from tests.callers import person
from tests.factories import make_source
from tests.incidents.admin.browsing import browser

pytestmark = pytest.mark.django_db
ROLES = ("admin", "manager", "responder", "stakeholder")
MANAGERS, RESPONDERS = {"admin", "manager"}, {"admin", "manager", "responder"}
# route -> (what it names, who may open it, who may press its button)
DOORS: dict[str, tuple[str, set[str], set[str]]] = {
    "console-sources": ("", RESPONDERS, set()),
    "console-source-new": ("", MANAGERS, MANAGERS),
    "console-source": ("source", RESPONDERS, set()),
    "console-source-live": ("source", RESPONDERS, set()),
    "console-source-edit": ("source", MANAGERS, MANAGERS),
    "console-source-rotate": ("source", set(), MANAGERS),
    "console-source-test": ("source", set(), MANAGERS),
    "console-source-switch": ("source", set(), MANAGERS),
    "console-source-delete": ("source", MANAGERS, set()),
    "console-source-deleted": ("source", set(), MANAGERS),
    "console-destinations": ("", RESPONDERS, set()),
    "console-destination-choose": ("", MANAGERS, set()),
    "console-destination-new": ("kind", MANAGERS, MANAGERS),
    "console-destination-test-new": ("kind", set(), MANAGERS),
    "console-destination": ("connector", RESPONDERS, MANAGERS),
    "console-destination-test": ("connector", set(), MANAGERS),
    "console-destination-switch": ("connector", set(), MANAGERS),
    "console-destination-delete": ("connector", MANAGERS, set()),
    "console-destination-deleted": ("connector", set(), MANAGERS),
    "console-connections": ("", RESPONDERS, set()),
    "console-connection-choose": ("", MANAGERS, set()),
    "console-connection-new": ("connector", MANAGERS, MANAGERS),
    "console-connection": ("connection", MANAGERS, MANAGERS),
    "console-connection-switch": ("connection", set(), MANAGERS),
    "console-connection-deleted": ("connection", set(), MANAGERS),
    "console-deliveries": ("", RESPONDERS, set()),
    "console-deliveries-replay": ("", set(), MANAGERS),
    "console-delivery": ("delivery", RESPONDERS, set()),
    "console-delivery-live": ("delivery", RESPONDERS, set()),
    "console-delivery-replay": ("delivery", set(), MANAGERS),
}


@pytest.fixture
def named() -> dict[str, Any]:
    source = make_source("Shop")
    connector = Connector.objects.create(name="Ops", kind="webhook", config={"url": "https://example.com/"})
    connection = Connection.objects.create(connector=connector, alert_source=source)
    delivery = Delivery.objects.create(
        key="d", connector=connector, kind="webhook", state="failed", message={"title": "x"}, due_at=timezone.now()
    )
    return {
        "source": source.uuid,
        "connector": connector.uuid,
        "connection": connection.uuid,
        "delivery": delivery.uuid,
        "kind": "email",
    }


def _state() -> list[Any]:
    """What is stored, as one value."""
    rows: list[Any] = [
        list(model._default_manager.order_by("pk").values())
        for model in (AlertSource, Connection, Connector, Delivery, Incident, AuditEntry)
    ]
    return rows


def _address(route: str, named: dict[str, Any]) -> str:
    thing = DOORS[route][0]
    return reverse(route, args=[named[thing]] if thing else [])


def test_no_address_is_forgotten() -> None:
    ours = ("console-source", "console-destination", "console-connection", "console-deliver")
    assert {pattern.name for pattern in console_urls.urlpatterns if str(pattern.name).startswith(ours)} == set(DOORS)


@pytest.mark.parametrize("route", DOORS)
def test_who_may_look_and_looking_changes_nothing(route: str, named: dict[str, Any]) -> None:
    _, lookers, pressers = DOORS[route]
    address, before = _address(route, named), _state()
    for role in ROLES:
        status = browser(person(role, role)).get(address).status_code
        wanted = 200 if role in lookers else 405 if not lookers else 403
        assert status == wanted, f"{role} gets {status} for GET {address}, not {wanted}"
    assert browser().get(address).status_code == 302
    assert pressers or lookers
    assert _state() == before


@pytest.mark.parametrize("route", [route for route, (_, _, pressers) in DOORS.items() if pressers])
def test_who_may_press_and_others_change_nothing(route: str, named: dict[str, Any]) -> None:
    _, _, pressers = DOORS[route]
    address = _address(route, named)
    before = _state()
    for client in [browser(), *(browser(person(role, role)) for role in ROLES if role not in pressers)]:
        response = client.post(address)
        assert response.status_code in {302, 403}
        if response.status_code == 302:
            assert response["Location"].startswith("/login/")
    assert _state() == before
    for role in pressers:
        assert browser(person(role, role)).post(address).status_code not in {403, 405}, f"{role} may not press {route}"
        break


@pytest.mark.parametrize("route", [route for route, (_, _, pressers) in DOORS.items() if not pressers])
def test_pages_that_only_show_take_no_post(route: str, named: dict[str, Any]) -> None:
    assert browser(person("root", "admin")).post(_address(route, named)).status_code == 405


@pytest.mark.parametrize("route", [route for route, (_, _, pressers) in DOORS.items() if pressers])
def test_a_post_from_elsewhere_is_refused(route: str, named: dict[str, Any]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("root", "admin"), backend="oncall.roles.RoleBackend")
    before = _state()
    assert client.post(_address(route, named)).status_code == 403
    assert _state() == before


def test_what_is_not_there_is_a_404_in_words(named: dict[str, Any]) -> None:
    client = browser(person("root", "admin"))
    for route, (thing, lookers, _) in DOORS.items():
        if thing not in {"", "kind"} and lookers:
            response = client.get(reverse(route, args=["00000000-0000-4000-8000-000000000000"]))
            assert response.status_code == 404, route

"""Who hears of an incident: a private team keeps its own to its own sources and connectors."""

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from destinations.models import Connector, Delivery
from incidents import broadcast
from incidents.messages import EVENTS
from incidents.models import AlertSource, Connection, Incident, TimelineEntry
from oncall.models import ConnectorTeam, Team
from tests.factories import T0, make_incident, make_source

pytestmark = pytest.mark.django_db
OPENING = [kind for kind, event in EVENTS.items() if event == "opened"]


def _hears(name: str, source: AlertSource | None, team: Team | None = None) -> Connection:
    connector = Connector.objects.create(name=name, kind="webhook", config={"url": "https://hooks.example.com/"})
    if team is not None:
        ConnectorTeam.objects.create(connector=connector, team=team)
    return Connection.objects.create(connector=connector, alert_source=source)


def _told() -> set[str]:
    return set(Delivery.objects.filter(event="opened").values_list("connector__name", flat=True))


def test_what_a_private_team_has_is_told_to_its_own_sources_and_connectors_alone() -> None:
    secret, shop = Team.objects.create(name="Secret", private=True), Team.objects.create(name="Shop")
    source = make_source("Hidden", team=secret)
    _hears("on the source", source)
    _hears("on all, of the team", None, secret)
    _hears("on all, of nobody", None)
    _hears("on all, of another", None, shop)
    make_incident(source)
    assert _told() == {"on the source", "on all, of the team"}
    make_incident(make_source("Open", team=shop))
    assert _told() == {"on the source", "on all, of the team", "on all, of nobody", "on all, of another"}


def test_an_incident_that_a_private_team_took_over_leaves_its_sources_hearers() -> None:
    secret = Team.objects.create(name="Secret", private=True)
    source = make_source("Shop", team=Team.objects.create(name="Shop"))
    incident = make_incident(source)
    _hears("on the source", source)
    _hears("on the source, of the team", source, secret)
    Incident.objects.filter(pk=incident.pk).update(team=secret)
    broadcast.tell([_opened(incident)], now=T0)
    assert _told() == {"on the source, of the team"}


def test_many_private_incidents_cost_no_more_queries_than_one() -> None:
    secret = Team.objects.create(name="Secret", private=True)
    source = make_source("Hidden", team=secret)
    entries = [_opened(make_incident(source)) for _ in range(6)]
    _hears("of the team", None, secret)
    _hears("of nobody", None)
    assert _queries(entries[:1]) == _queries(entries[1:])


def _opened(incident: Incident) -> Any:
    return TimelineEntry.objects.select_related("incident").filter(incident=incident, kind__in=OPENING)[0]


def _queries(entries: list[Any]) -> int:
    with CaptureQueriesContext(database) as asked:
        broadcast.tell(entries, now=T0)
    return len(asked)

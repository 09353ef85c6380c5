"""The pages of connections: sentences, a form without JSON, secrets that never come back."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from config.models import AuditEntry
from destinations.models import Connector
from incidents import connecting
from incidents.models import Connection
from oncall.models import ConnectorTeam, Membership, Team
from tests.callers import bearer, person
from tests.factories import make_source
from tests.incidents.admin.browsing import browser, said, same_queries, text

pytestmark = pytest.mark.django_db
KEY = "b1946ac92492d2347c6235b4d2611184"
FORM: dict[str, Any] = {
    "mode": "automatic",
    "enabled": "on",
    "events": ["opened", "resolved"],
    "severities": ["critical", "error"],
    "include_metadata": "on",
}


@pytest.fixture
def manager() -> Client:
    return browser(person("max", "manager"))


def _pagerduty(name: str = "PD") -> Connector:
    return Connector.objects.create(name=name, kind="pagerduty", config={}, secrets={"integration_key": KEY})


def _new(client: Client, connector: Connector, **changes: Any) -> Any:
    return client.post(reverse("console-connection-new", args=[connector.uuid]), {**FORM, **changes}, follow=True)


def test_an_empty_list_leads_to_what_is_needed_first(manager: Client) -> None:
    said(manager.get(reverse("console-connections")), "Nothing to connect yet", "Alert destinations")
    said(manager.get(reverse("console-connection-choose")), "First there has to be a system that can hear.")
    _pagerduty()
    said(manager.get(reverse("console-connections")), "No connections yet", "New connection")


def test_a_connection_of_every_setting_and_back_again(manager: Client) -> None:
    connector, source = _pagerduty(), make_source("Shop")
    page = _new(
        manager,
        connector,
        **{
            "alert_source": source.pk,
            "min_severity": "warning",
            "min_risk_score": "70.5",
            "classes": "auth.*\r\ndisk.full",
            "labels.label": ["team", ""],
            "labels.values": ["core, shop", ""],
            "mapping_critical": "P1",
            "runbook_links.class": ["disk.*"],
            "runbook_links.address": ["https://wiki.example.com/disk"],
            "setting_routing_key": KEY,
            "routing_rules.place": ["", "", ""],
            "routing_rules.events": ["auth.*, login", "", ""],
            "routing_rules.routing_key": ["first-key-of-rules", "last-key-of-rules", ""],
        },
    )
    said(page, "PD hears opened and resolved of Shop, only critical and error, warning and worse")
    row = Connection.objects.get()
    assert (row.alert_source, row.events, row.severities) == (source, ["opened", "resolved"], ["critical", "error"])
    assert (row.classes, row.labels) == (["auth.*", "disk.full"], {"team": ["core", "shop"]})
    assert (row.min_risk_score, row.severity_mapping) == (70.5, {"critical": "P1"})
    assert row.runbook_links == {"disk.*": "https://wiki.example.com/disk"}
    assert row.settings == {"routing_key": KEY}
    assert row.routing_rules == [
        {"events": ["auth.*", "login"], "routing_key": "first-key-of-rules"},
        {"events": [], "routing_key": "last-key-of-rules"},
    ]
    page = manager.get(reverse("console-connection", args=[row.uuid]))
    for secret in (KEY, "first-key-of-rules", "last-key-of-rules"):
        assert secret not in page.content.decode()
        assert secret not in str(list(AuditEntry.objects.values_list("changes", flat=True)))
    assert 'value="auth.*, login"' in page.content.decode()


def test_rules_change_places_and_keep_their_keys(manager: Client) -> None:
    connector = _pagerduty()
    rules = [{"events": ["a"], "routing_key": "key-of-a"}, {"events": ["b"], "routing_key": "key-of-b"}]
    row = connecting.save(Connection(connector=connector), routing_rules=rules, settings={"routing_key": KEY})
    swapped = {
        "routing_rules.place": ["1", "0", ""],
        "routing_rules.events": ["b, c", "a", "d"],
        "routing_rules.routing_key": ["", "", "key-of-d"],
    }
    manager.post(reverse("console-connection", args=[row.uuid]), {**FORM, **swapped})
    row.refresh_from_db()
    assert row.settings == {"routing_key": KEY}
    assert row.routing_rules == [
        {"events": ["b", "c"], "routing_key": "key-of-b"},
        {"events": ["a"], "routing_key": "key-of-a"},
        {"events": ["d"], "routing_key": "key-of-d"},
    ]


def test_everything_ticked_is_no_restriction(manager: Client) -> None:
    connector = _pagerduty()
    row = Connection.objects.create(connector=connector, events=[], severities=[])
    page = manager.get(reverse("console-connection", args=[row.uuid])).content.decode()
    assert page.count('name="events"') == page.count('name="events" value=') == 10
    ticked = [word for word in page.split("<input") if 'name="events"' in word and "checked" in word]
    assert len(ticked) == 10
    everything = {"events": [one.split('value="')[1].split('"')[0] for one in ticked]}
    everything["severities"] = ["critical", "error", "warning", "info"]
    manager.post(reverse("console-connection", args=[row.uuid]), {**FORM, **everything})
    row.refresh_from_db()
    assert (row.events, row.severities) == ([], [])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"events": []}, "Tick at least one."),
        ({"severities": []}, "Tick at least one."),
        ({"mode": "telepathic"}, "not one of the available choices"),
        ({"alert_source": "999"}, "not one of the available choices"),
        ({"classes": "a*b"}, "Write a class, or its beginning with a star at the end"),
        ({"min_risk_score": "101"}, "less than or equal to 100"),
        ({"min_risk_score": "nan"}, "Enter a number."),
        ({"labels.label": ["team"], "labels.values": [""]}, "Row 1: is one of (with commas between) is missing."),
        ({"labels.label": ["team"], "labels.values": [" , "]}, "Give the value a label must have"),
        (
            {"runbook_links.class": ["disk"], "runbook_links.address": ["wiki"]},
            "Give a whole address that begins with https:// or http://.",
        ),
        (
            {"routing_rules.place": [""], "routing_rules.events": ["auth"], "routing_rules.routing_key": [""]},
            "Row 1: Routing key is missing.",
        ),
        (
            {"routing_rules.place": ["7"], "routing_rules.events": ["auth"], "routing_rules.routing_key": [""]},
            "Row 1: Say what is different for these classes",
        ),
        (
            {"routing_rules.place": [""], "routing_rules.events": ["a*b"], "routing_rules.routing_key": [KEY]},
            "Row 1: Write a class, or its beginning",
        ),
        ({"mapping_critical": "x" * 256}, "at most 255 characters"),
    ],
)
def test_careless_input_is_answered_beside_the_field(manager: Client, changes: dict[str, Any], sentence: str) -> None:
    page = _new(manager, _pagerduty(), **changes)
    assert page.status_code == 400
    said(page, "Not saved yet", sentence)
    assert KEY not in page.content.decode()
    assert not Connection.objects.exists()


def test_a_kind_without_settings_asks_for_none(manager: Client) -> None:
    hook = Connector.objects.create(name="Hook", kind="webhook", config={"url": "https://example.com/"})
    assert "Routes by class" not in text(manager.get(reverse("console-connection-new", args=[hook.uuid])))
    said(_new(manager, hook), "Hook hears opened and resolved of all sources, only critical and error.")


def test_switching_and_deleting_are_recorded(manager: Client) -> None:
    row = Connection.objects.create(connector=_pagerduty())
    manager.post(reverse("console-connection-switch", args=[row.uuid]), {"on": "no"})
    row.refresh_from_db()
    assert not row.enabled
    said(manager.get(reverse("console-connections")), "Switch on")
    manager.post(reverse("console-connection-deleted", args=[row.uuid]))
    assert not Connection.objects.exists()
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["switched off", "deleted"]


def test_a_team_manager_connects_the_sources_of_the_team_alone() -> None:
    mine = Team.objects.create(name="Mine")
    user = person("tess", "responder")
    Membership.objects.create(user=user, team=mine, manager=True)
    client, connector = browser(user), _pagerduty()
    ours, theirs = make_source("Ours", team=mine), make_source("Theirs", team=Team.objects.create(name="Other"))
    assert _new(client, connector).status_code == 403
    assert _new(client, connector, alert_source=theirs.pk).status_code == 403
    assert _new(client, connector, alert_source=ours.pk).status_code == 200
    row = Connection.objects.get()
    moved = client.post(reverse("console-connection", args=[row.uuid]), {**FORM, "alert_source": theirs.pk})
    assert moved.status_code == 403
    row.refresh_from_db()
    assert row.alert_source == ours


def test_a_teams_own_destination_does_not_hear_of_others_sources() -> None:
    mine, other = Team.objects.create(name="Mine"), Team.objects.create(name="Other")
    user, connector = person("tess", "responder"), _pagerduty()
    Membership.objects.create(user=user, team=mine, manager=True)
    ConnectorTeam.objects.create(connector=connector, team=mine)
    client, door = browser(user), bearer(user)
    theirs = make_source("Theirs", team=other)
    assert _new(client, connector).status_code == 403
    assert _new(client, connector, alert_source=theirs.pk).status_code == 403
    for source in (None, theirs.name):
        given = {"connector": connector.name, "alert_source": source}
        answer = door.post("/api/v1/connections/", given, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert not Connection.objects.exists()
    assert _new(client, connector, alert_source=make_source("Ours", team=mine).pk).status_code == 200
    row = Connection.objects.get()
    for change in ({"alert_source": None}, {"alert_source": theirs.name}):
        assert door.patch(f"/api/v1/connections/{row.uuid}/", change, format="json").status_code == 403


def test_the_list_asks_the_same_number_of_queries_for_many(manager: Client) -> None:
    def more() -> None:
        Connection.objects.create(connector=_pagerduty(f"C{Connector.objects.count()}"), alert_source=make_source())

    same_queries(lambda: manager.get(reverse("console-connections")), more)

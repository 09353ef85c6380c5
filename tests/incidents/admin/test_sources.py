"""The pages of alert sources: who may, what they say, the key shown once, careless input."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from config.models import AuditEntry
from destinations.models import Connector
from incidents import keys
from incidents.models import AlertSource, Connection, Incident, RawEvent
from oncall.models import Membership, Team
from tests.callers import person
from tests.factories import event, make_incident, make_policy, make_source, send
from tests.incidents.admin.browsing import browser, said, same_queries, text

pytestmark = pytest.mark.django_db
KEY = re.compile(r"\b[0-9a-f]{32}\b")
FORM: dict[str, Any] = {
    "name": "Shop",
    "kind": "events",
    "rate_limit": "100",
    "default_severity": "error",
    "severity_map.word": ["P1", ""],
    "severity_map.severity": ["critical", ""],
    "urgency_warning": "high",
    "urgency_info": "rule",
}


@pytest.fixture
def manager() -> Client:
    return browser(person("max", "manager"))


def _made(client: Client, **changes: Any) -> tuple[AlertSource, str]:
    response = client.post(reverse("console-source-new"), {**FORM, **changes})
    assert response.status_code == 201, text(response)
    source = AlertSource.objects.get(name=changes.get("name", "Shop"))
    found = re.search(r'<pre id="key">([0-9a-f]{32})</pre>', response.content.decode())
    assert found
    return source, found[1]


def test_an_empty_list_teaches_and_offers_a_button_to_those_who_may(manager: Client) -> None:
    page = manager.get(reverse("console-sources"))
    said(page, "No alert sources yet", "New alert source", "its first event opens an incident")
    seen = text(browser(person("rob", "responder")).get(reverse("console-sources")))
    assert "A manager makes them" in seen
    assert "New alert source" not in seen


def test_the_list_says_state_policy_and_what_is_open(manager: Client) -> None:
    shop = make_source("Shop", policy=make_policy(name="Day and night"))
    make_incident(shop)
    make_source("Off", enabled=False)
    make_source("Fresh")
    page = manager.get(reverse("console-sources"))
    said(page, "sends events", "1 open", "pages Day and night", "switched off", "waits for its first event")
    said(page, "no policy: pages the catch-all")
    assert "Fresh" not in text(manager.get(reverse("console-sources"), {"search": "shop"}))
    said(manager.get(reverse("console-sources"), {"search": "zebra"}), "Nothing found")


def test_the_list_asks_the_same_number_of_queries_for_many(manager: Client) -> None:
    def more() -> None:
        make_incident(make_source(policy=make_policy(), team=Team.objects.create(name=f"T{Team.objects.count()}")))

    same_queries(lambda: manager.get(reverse("console-sources")), more)


def test_making_one_shows_the_key_once_in_the_lines_to_paste(manager: Client) -> None:
    connector = Connector.objects.create(name="Ops", kind="webhook", config={"url": "https://example.com/"})
    policy = make_policy()
    source, key = _made(manager, escalation_policy=policy.pk, connectors=[connector.pk])
    assert source.key_hash == keys.fingerprint(key)
    assert source.severity_map == {"p1": "critical"}
    assert source.urgency_map == {"warning": "high"}
    assert (source.rate_limit, source.default_severity, source.escalation_policy) == (100, "error", policy)
    assert [c.connector for c in source.connections.all()] == [connector]
    later = manager.get(reverse("console-source", args=[source.uuid]))
    said(later, "Authorization: Bearer <your key>", "Ops hears opened, accepted and resolved of Shop")
    assert not KEY.search(later.content.decode())
    assert sorted(AuditEntry.objects.values_list("kind", "action")) == [
        ("incidents.alertsource", "created"),
        ("incidents.connection", "created"),
    ]
    assert key not in str(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_a_source_without_a_policy_says_who_is_paged(manager: Client) -> None:
    source = make_source("Shop")
    said(
        manager.get(reverse("console-source", args=[source.uuid])),
        "No escalation policy.",
        "pages the catch-all at once",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "Taken"}, "Another alert source is called Taken. Choose another name."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"kind": "telepathy"}, "not one of the available choices"),
        ({"rate_limit": "-1"}, "greater than or equal to 0"),
        ({"rate_limit": "many"}, "Enter a whole number"),
        ({"escalation_policy": "999"}, "not one of the available choices"),
        ({"connectors": ["999"]}, "not one of the available choices"),
        ({"connectors": ["'; DROP"]}, "is not a valid value"),
        ({"severity_map.word": ["P1"], "severity_map.severity": [""]}, "Row 1: Severity is missing."),
        (
            {"severity_map.word": ["P1"], "severity_map.severity": ["loud"]},
            "Use one of critical, error, warning, info.",
        ),
        ({"urgency_info": "loud"}, "not one of the available choices"),
    ],
)
def test_careless_input_is_answered_beside_the_field(manager: Client, changes: dict[str, Any], sentence: str) -> None:
    make_source("Taken")
    page = manager.post(reverse("console-source-new"), {**FORM, **changes})
    assert page.status_code == 400
    said(page, "Not saved yet", sentence)
    assert AlertSource.objects.count() == 1


def test_editing_keeps_the_key_and_records_what_changed(manager: Client) -> None:
    source, key = _made(manager)
    address = reverse("console-source-edit", args=[source.uuid])
    page = manager.get(address)
    assert 'value="P1"' in page.content.decode() or 'value="p1"' in page.content.decode()
    manager.post(address, {**FORM, "name": "Shop EU", "page_again_on_rise": "on"})
    source.refresh_from_db()
    assert (source.name, source.page_again_on_rise, source.key_hash) == ("Shop EU", True, keys.fingerprint(key))
    changed = AuditEntry.objects.get(action="changed").changes
    assert changed == {"name": ["Shop", "Shop EU"], "page_again_on_rise": [False, True]}


def test_taking_a_tick_away_removes_the_connection(manager: Client) -> None:
    connector = Connector.objects.create(name="Ops", kind="webhook", config={"url": "https://example.com/"})
    source, _ = _made(manager, connectors=[connector.pk])
    manager.post(reverse("console-source-edit", args=[source.uuid]), FORM)
    assert not Connection.objects.exists()


def test_rotating_shows_the_new_key_once_and_a_reload_rotates_nothing(manager: Client) -> None:
    source, key = _made(manager)
    address, data = reverse("console-source-rotate", args=[source.uuid]), {"overlap_minutes": "60", "prefix": key[:8]}
    page = manager.post(address, data)
    said(page, "The key is new.", "The old key stays good until")
    again = manager.post(address, data)
    assert again.status_code == 409
    said(again, "rotated already")
    assert AuditEntry.objects.filter(action="rotated").count() == 1
    source.refresh_from_db()
    wrong = manager.post(address, {"overlap_minutes": "a week", "prefix": source.key_prefix})
    assert wrong.status_code == 400
    said(wrong, "0 to 10080 minutes")


def test_the_test_event_tells_what_really_came_of_it(manager: Client) -> None:
    source = make_source("Shop", policy=make_policy())
    address = reverse("console-source-test", args=[source.uuid])
    page = manager.post(address, {"severity": "critical"}, follow=True)
    number = Incident.objects.get().pk
    said(page, f"The test event opened incident #{number} , critical, so whoever its policy names is paged.")
    page = manager.post(address, {"severity": "info"}, follow=True)
    said(page, "nobody is paged")
    page = manager.post(address, {"severity": "loud"}, HTTP_REFERER=f"http://testserver/alert-sources/{source.uuid}/")
    assert Incident.objects.count() == 2


def test_a_source_that_is_off_says_so_and_refuses_the_test(manager: Client) -> None:
    source = make_source("Shop")
    here = reverse("console-source", args=[source.uuid])
    page = manager.post(reverse("console-source-switch", args=[source.uuid]), {"on": "no"}, follow=True)
    said(page, "Switched off.", "Switch on")
    page = manager.post(
        reverse("console-source-test", args=[source.uuid]),
        {"severity": "info"},
        HTTP_REFERER=f"http://testserver{here}",
        follow=True,
    )
    said(page, "Shop is switched off and takes no events. Switch it on first.")
    assert not RawEvent.objects.exists()


def test_the_live_part_is_a_304_until_an_event_comes(manager: Client) -> None:
    source = make_source("Shop")
    address = reverse("console-source-live", args=[source.uuid])
    first = manager.get(address)
    said(first, "Waiting for the first event")
    assert manager.get(address, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    send(source, event("<script>alert(1)</script>"))
    second = manager.get(address, HTTP_IF_NONE_MATCH=first["ETag"])
    assert second.status_code == 200
    said(second, "sends events", "opened an incident")
    assert "<script>alert" not in second.content.decode()


def test_a_source_with_incidents_is_not_deleted_but_an_empty_one_is(manager: Client) -> None:
    kept, gone = make_source("Kept"), make_source("Gone")
    make_incident(kept)
    said(manager.get(reverse("console-source-delete", args=[kept.uuid])), "has 1 incident,", "only switched off")
    manager.post(reverse("console-source-deleted", args=[kept.uuid]))
    said(manager.get(reverse("console-source-delete", args=[gone.uuid])), "This cannot be undone", "Keep it")
    said(manager.post(reverse("console-source-deleted", args=[gone.uuid]), follow=True), "Gone is deleted.")
    assert list(AlertSource.objects.values_list("name", flat=True)) == ["Kept"]


def test_a_team_manager_makes_sources_for_that_team_alone() -> None:
    mine, other = Team.objects.create(name="Mine"), Team.objects.create(name="Other")
    user = person("tess", "responder")
    Membership.objects.create(user=user, team=mine, manager=True)
    client = browser(user)
    assert client.post(reverse("console-source-new"), {**FORM, "team": other.pk}).status_code == 403
    assert client.post(reverse("console-source-new"), FORM).status_code == 403
    assert not AlertSource.objects.exists()
    source, _ = _made(client, team=mine.pk)
    moved = client.post(reverse("console-source-edit", args=[source.uuid]), {**FORM, "team": other.pk})
    assert moved.status_code == 403
    source.refresh_from_db()
    assert source.team == mine


def test_what_a_private_team_has_does_not_exist_for_others() -> None:
    hidden = make_source("Hidden", team=Team.objects.create(name="Secret", private=True))
    client = browser(person("max", "manager"))
    assert "Hidden" not in text(client.get(reverse("console-sources")))
    for name in ("console-source", "console-source-live", "console-source-edit", "console-source-delete"):
        assert client.get(reverse(name, args=[hidden.uuid])).status_code == 404
    assert client.post(reverse("console-source-rotate", args=[hidden.uuid])).status_code == 404

"""The pages of alert destinations: tiles, typed forms, secrets that never come back, real tests, health."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.models import AuditEntry
from destinations.base import kinds
from destinations.models import Attempt, Connector, Delivery
from incidents.models import Connection
from oncall.models import ConnectorTeam, ContactMethod, Membership, Team
from tests.callers import person
from tests.factories import make_source
from tests.incidents.admin.browsing import browser, said, same_queries, text
from tests.sinks import HttpSink, Reply

pytestmark = pytest.mark.django_db
SECRET = "whsec_" + "QUJD" * 11
PASSWORD = "correct-horse-battery"
FIRST: dict[str, Any] = {
    "first-listens": "all",
    "first-events": ["opened", "accepted", "resolved"],
    "first-severities": ["critical", "error", "warning", "info"],
}


@pytest.fixture
def manager() -> Client:
    return browser(person("max", "manager"))


def _form(url: str, **changes: Any) -> dict[str, Any]:
    return {"name": "Ops webhook", "config-url": url, "config-secret": SECRET, **FIRST, **changes}


def _webhook(url: str = "https://example.com/", **columns: Any) -> Connector:
    values = {
        "name": "Ops webhook",
        "kind": "webhook",
        "config": {"url": url},
        "secrets": {"secret": SECRET},
        **columns,
    }
    return Connector.objects.create(**values)


def test_each_kind_that_can_be_a_connector_has_a_tile_and_a_form(manager: Client) -> None:
    page = manager.get(reverse("console-destination-choose"))
    for name, kind in kinds().items():
        if kind.config_form is None:
            continue
        said(page, kind.label, kind.blurb, kind.group)
        form = manager.get(reverse("console-destination-new", args=[name]))
        assert form.status_code == 200
        said(form, *[str(field.label) for field in kind.config_form().fields.values() if field.label])
    assert manager.get(reverse("console-destination-new", args=["telepathy"])).status_code == 404


def test_saving_makes_the_destination_with_its_first_connection(manager: Client) -> None:
    page = manager.post(
        reverse("console-destination-new", args=["webhook"]),
        _form("https://example.com/hook", **{"first-severities": ["critical", "error"]}),
        follow=True,
    )
    said(page, "Ops webhook is saved.", "Ops webhook hears opened, accepted and resolved of all sources")
    row = Connector.objects.get()
    assert (row.config["url"], row.secrets["secret"]) == ("https://example.com/hook", SECRET)
    connection = Connection.objects.get()
    assert (connection.alert_source, connection.severities) == (None, ["critical", "error"])
    assert SECRET not in page.content.decode()
    assert sorted(AuditEntry.objects.values_list("kind", "action")) == [
        ("destinations.connector", "created"),
        ("incidents.connection", "created"),
    ]
    assert SECRET not in str(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_it_can_begin_with_some_sources_or_with_none(manager: Client) -> None:
    one, two, _ = make_source("One"), make_source("Two"), make_source("Three")
    some = {"first-listens": "some", "first-sources": [one.pk, two.pk]}
    manager.post(reverse("console-destination-new", args=["webhook"]), _form("https://example.com/", **some))
    assert {c.alert_source for c in Connection.objects.all()} == {one, two}
    none = {"name": "Quiet", "first-listens": "none", "first-events": [], "first-severities": []}
    manager.post(reverse("console-destination-new", args=["webhook"]), _form("https://example.com/", **none))
    assert Connection.objects.filter(connector__name="Quiet").count() == 0
    page = manager.get(reverse("console-destination", args=[Connector.objects.get(name="Quiet").uuid]))
    said(page, "Nothing yet: it is never told of anything.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "Taken"}, "Another alert destination is called Taken."),
        ({"config-url": ""}, "This field is required."),
        ({"config-url": "not an address"}, "Enter a valid URL."),
        ({"config-secret": "hunter2"}, "Not whsec_ followed by base64."),
        ({"config-headers": "no colon here"}, "Write one `Name: value` a line."),
        ({"config-headers": "webhook-id: x"}, "is set by Tocsin and cannot be set here"),
        (
            {"config-username": "x", "config-headers": "Authorization: Bearer y"},
            "Authorization is made from the username.",
        ),
        ({"first-listens": "some"}, "Tick at least one alert source, or choose all of them."),
        ({"first-events": []}, "Tick at least one."),
        ({"first-severities": []}, "Tick at least one."),
        ({"first-events": ["exploded"]}, "not one of the available choices"),
        ({"first-sources": ["x"], "first-listens": "some"}, "is not a valid value"),
        ({"team": "77"}, "not one of the available choices"),
    ],
)
def test_careless_input_is_answered_beside_the_field(manager: Client, changes: dict[str, Any], sentence: str) -> None:
    _webhook(name="Taken")
    page = manager.post(reverse("console-destination-new", args=["webhook"]), _form("https://example.com/", **changes))
    assert page.status_code == 400
    said(page, "Not saved yet", sentence)
    assert SECRET not in page.content.decode()
    assert Connector.objects.count() == 1


def test_an_unsaved_form_sends_a_real_test_and_shows_the_real_answer(manager: Client, http_sink: HttpSink) -> None:
    http_sink.script(Reply(status=202, body="thanks <b>a lot</b>"))
    page = manager.post(
        reverse("console-destination-test-new", args=["webhook"]),
        _form(f"{http_sink.url}/hook", severity="warning"),
        HTTP_HX_REQUEST="true",
    )
    said(page, "It arrived.", "Answered 202 after 0.")
    assert "thanks &lt;b&gt;a lot&lt;/b&gt;" in page.content.decode()
    assert "<html" not in page.content.decode()
    sent = http_sink.requests[0].json
    assert (sent["type"], sent["test"], sent["data"]["incident"]["severity"]) == ("test", True, "warning")
    assert http_sink.requests[0].headers["webhook-signature"].startswith("v1,")
    assert not Connector.objects.exists()
    assert not Delivery.objects.exists()


def test_resolve_afterwards_sends_two_of_one_key(manager: Client, http_sink: HttpSink) -> None:
    data = _form(http_sink.url, resolve="on")
    manager.post(reverse("console-destination-test-new", args=["webhook"]), data, HTTP_HX_REQUEST="true")
    sent = [request.json["data"]["incident"] for request in http_sink.requests]
    assert [one["status"] for one in sent] == ["PENDING", "RESOLVED"]
    assert sent[0]["dedup_key"] == sent[1]["dedup_key"]


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(status=500, body="broken"), "Answered 500"),
        (Reply(status=404, body="no such hook"), "It did not arrive."),
        (Reply(fault="reset"), "No status after"),
    ],
)
def test_a_test_that_fails_says_what_happened(
    manager: Client, http_sink: HttpSink, reply: Reply, sentence: str
) -> None:
    http_sink.default = reply
    page = manager.post(
        reverse("console-destination-test-new", args=["webhook"]), _form(http_sink.url), HTTP_HX_REQUEST="true"
    )
    said(page, sentence)
    assert "It arrived" not in text(page)
    assert len(http_sink.requests) == 1  # a test is never tried again


def test_a_wrong_form_sends_nothing_and_says_what_to_mend(manager: Client, http_sink: HttpSink) -> None:
    data = _form(http_sink.url, **{"config-secret": "hunter2"})
    page = manager.post(reverse("console-destination-test-new", args=["webhook"]), data, HTTP_HX_REQUEST="true")
    said(page, "Nothing was sent.", "Signing secret : Not whsec_ followed by base64.")
    assert "hunter2" not in page.content.decode()
    assert not http_sink.requests


def test_without_a_script_the_whole_page_comes_back_with_the_answer(manager: Client, http_sink: HttpSink) -> None:
    page = manager.post(reverse("console-destination-test-new", args=["webhook"]), _form(http_sink.url))
    said(page, "It arrived.", "First connection")
    assert 'value="Ops webhook"' in page.content.decode()
    assert f'value="{http_sink.url}"' in page.content.decode()
    assert SECRET not in page.content.decode()


def test_a_stored_secret_stays_when_left_blank_and_is_used_for_tests(manager: Client, http_sink: HttpSink) -> None:
    row = _webhook(
        http_sink.url,
        secrets={"secret": SECRET, "password": PASSWORD},
        config={"url": http_sink.url, "username": "ann"},
    )
    here = reverse("console-destination", args=[row.uuid])
    page = manager.get(here)
    assert SECRET not in page.content.decode()
    assert PASSWORD not in page.content.decode()
    said(page, "set; leave it empty to keep it", "Remove the stored Signing secret")
    data = {"name": "Renamed", "config-url": http_sink.url, "config-username": "ann"}
    manager.post(reverse("console-destination-test", args=[row.uuid]), data, HTTP_HX_REQUEST="true")
    assert http_sink.requests[0].headers["webhook-signature"].startswith("v1,")
    manager.post(here, data)
    row.refresh_from_db()
    assert (row.name, row.secrets) == ("Renamed", {"secret": SECRET, "password": PASSWORD})
    assert AuditEntry.objects.get(action="changed").changes == {"name": ["Ops webhook", "Renamed"]}


def test_a_secret_can_be_changed_or_removed_and_the_trail_shows_only_that(manager: Client) -> None:
    row, other = _webhook(), "whsec_" + "REVG" * 11
    here = reverse("console-destination", args=[row.uuid])
    data = {"name": "Ops webhook", "config-url": "https://example.com/"}
    manager.post(here, {**data, "config-secret": other})
    row.refresh_from_db()
    assert row.secrets == {"secret": other}
    manager.post(here, {**data, "config-forget_secret": "on"})
    row.refresh_from_db()
    assert row.secrets == {}
    trail = str(list(AuditEntry.objects.values_list("changes", flat=True)))
    assert SECRET not in trail
    assert other not in trail
    assert "•••" in trail


def test_a_required_secret_may_be_left_blank_only_when_it_is_stored(manager: Client) -> None:
    blank = {"name": "PD", "config-region": "us", **FIRST}
    page = manager.post(reverse("console-destination-new", args=["pagerduty"]), blank)
    said(page, "Integration Key", "This field is required.")
    row = Connector.objects.create(
        name="PD", kind="pagerduty", config={"region": "eu"}, secrets={"integration_key": "k" * 32}
    )
    page = manager.get(reverse("console-destination", args=[row.uuid]))
    assert "k" * 32 not in page.content.decode()
    manager.post(reverse("console-destination", args=[row.uuid]), {"name": "PD", "config-region": "us"})
    row.refresh_from_db()
    assert (row.config["region"], row.secrets["integration_key"]) == ("us", "k" * 32)


def test_the_list_shows_health_and_the_reason_in_words(manager: Client) -> None:
    row = _webhook()
    delivery = Delivery.objects.create(key="d", connector=row, kind="webhook", message={}, due_at=timezone.now())
    for outcome in ("sent", "sent", "retry"):
        Attempt.objects.create(delivery=delivery, connector=row, at=timezone.now(), outcome=outcome, answer="busy")
    said(manager.get(reverse("console-destinations")), "66 % in 24 h", "Last error", "busy")
    Connector.objects.update(enabled=False, off="failures", off_reason="12 of 12 failed.", off_at=timezone.now())
    page = manager.get(reverse("console-destinations"))
    said(page, "Switched itself off", "12 of 12 failed.", "Send test")
    assert "Switch on again" not in text(page)


def test_a_good_test_of_one_that_is_off_offers_to_switch_it_on(manager: Client, http_sink: HttpSink) -> None:
    row = _webhook(http_sink.url, enabled=False, off="failures", off_reason="All failed.")
    http_sink.script(500)
    test = reverse("console-destination-test", args=[row.uuid])
    assert "Switch on again" not in text(manager.post(test, HTTP_HX_REQUEST="true"))
    said(manager.post(test, HTTP_HX_REQUEST="true"), "It arrived.", "Switch on again")
    manager.post(reverse("console-destination-switch", args=[row.uuid]), {"on": "yes"})
    row.refresh_from_db()
    assert (row.enabled, row.off_reason) == (True, "")
    assert AuditEntry.objects.get().action == "switched on"


def test_saving_may_switch_it_on_again(manager: Client) -> None:
    row = _webhook(enabled=False, off="failures", off_reason="All failed.")
    data = {"name": "Ops webhook", "config-url": "https://example.com/new", "switch_on": "yes"}
    manager.post(reverse("console-destination", args=[row.uuid]), data)
    row.refresh_from_db()
    assert (row.enabled, row.config["url"]) == (True, "https://example.com/new")


def test_switching_off_keeps_everything_and_deleting_takes_all(manager: Client) -> None:
    row = _webhook()
    Connection.objects.create(connector=row)
    Delivery.objects.create(key="d", connector=row, kind="webhook", message={}, due_at=timezone.now())
    manager.post(reverse("console-destination-switch", args=[row.uuid]), {"on": "no"})
    row.refresh_from_db()
    assert (row.enabled, row.off_reason) == (False, "switched off by max")
    assert (Connection.objects.count(), Delivery.objects.count()) == (1, 1)
    page = manager.get(reverse("console-destination-delete", args=[row.uuid]))
    said(page, "1 connection and the record of 1 delivery", "1 that waits will never be sent", "Keep it")
    said(manager.post(reverse("console-destination-deleted", args=[row.uuid]), follow=True), "Ops webhook is deleted.")
    assert (Connector.objects.count(), Connection.objects.count(), Delivery.objects.count()) == (0, 0, 0)


def test_one_that_people_are_reached_through_is_not_deleted(manager: Client) -> None:
    row = _webhook()
    ContactMethod.objects.create(user=person("ann"), kind="webhook", address="x", connector=row)
    here = reverse("console-destination", args=[row.uuid])
    page = manager.post(
        reverse("console-destination-deleted", args=[row.uuid]), HTTP_REFERER=f"http://testserver{here}", follow=True
    )
    said(page, "Contact methods of people go through Ops webhook.")
    assert Connector.objects.exists()


def test_a_team_manager_keeps_to_the_team() -> None:
    mine, other = Team.objects.create(name="Mine"), Team.objects.create(name="Other")
    user = person("tess", "responder")
    Membership.objects.create(user=user, team=mine, manager=True)
    client, source = browser(user), make_source("Ours", team=mine)
    address = reverse("console-destination-new", args=["webhook"])
    ours = {"first-listens": "some", "first-sources": [source.pk]}
    assert client.post(address, _form("https://example.com/", **ours)).status_code == 403
    assert client.post(address, _form("https://example.com/", team=other.pk, **ours)).status_code == 403
    assert not Connector.objects.exists()
    assert client.post(address, _form("https://example.com/", team=mine.pk, **ours)).status_code == 302
    row = Connector.objects.get()
    assert ConnectorTeam.objects.get(connector=row).team == mine
    moved = {"name": "Ops webhook", "config-url": "https://example.com/", "team": other.pk}
    assert client.post(reverse("console-destination", args=[row.uuid]), moved).status_code == 403
    assert ConnectorTeam.objects.get(connector=row).team == mine


def test_who_may_only_look_gets_a_form_that_cannot_be_used() -> None:
    row = _webhook()
    client = browser(person("rob", "responder"))
    page = client.get(reverse("console-destination", args=[row.uuid]))
    assert '<fieldset class="plain" disabled>' in page.content.decode()
    assert "Send test" not in text(page)
    assert client.post(reverse("console-destination", args=[row.uuid]), {"name": "X"}).status_code == 403
    row.refresh_from_db()
    assert row.name == "Ops webhook"


def test_the_list_asks_the_same_number_of_queries_for_many(manager: Client) -> None:
    def more() -> None:
        row = _webhook(name=f"C{Connector.objects.count()}")
        delivery = Delivery.objects.create(
            key=row.name, connector=row, kind="webhook", message={}, due_at=timezone.now()
        )
        at = timezone.now() - timedelta(minutes=1)
        Attempt.objects.create(delivery=delivery, connector=row, at=at, outcome="retry")

    same_queries(lambda: manager.get(reverse("console-destinations")), more)

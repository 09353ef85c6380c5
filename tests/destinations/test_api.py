"""Connectors over REST: typed settings, secrets that only go in, real tests, switching off and on."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from config.models import AuditEntry
from destinations.base import kinds
from destinations.models import Attempt, Connector, Delivery
from tests.callers import bearer, person
from tests.destinations.making import SECRET
from tests.sinks import HttpSink, Reply

pytestmark = pytest.mark.django_db
PATH = "/api/v1/connectors/"


@pytest.fixture
def admin() -> APIClient:
    return bearer(person("ann", "admin"))


def hook(client: APIClient, url: str = "https://hooks.example.com/x", **more: Any) -> dict[str, Any]:
    body = {"name": "Ops webhook", "kind": "webhook", "enabled": True, "config": {"url": url, "secret": SECRET}, **more}
    answer = client.post(PATH, body, format="json")
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_connector_shows_what_was_sent_but_its_secrets(admin: APIClient) -> None:
    made = hook(admin)
    assert (made["name"], made["kind"], made["enabled"]) == ("Ops webhook", "webhook", True)
    assert made["config"]["url"] == "https://hooks.example.com/x"
    assert made["config"]["secret"] == {"set": True}
    stored = Connector.objects.get()
    assert stored.secrets == {"secret": SECRET}
    assert SECRET not in json.dumps(stored.config)


def test_a_secret_is_in_no_answer_and_no_trail(admin: APIClient) -> None:
    made = hook(admin)
    path = f"{PATH}{made['id']}/"
    answers = [
        admin.get(PATH),
        admin.get(path),
        admin.patch(path, {"name": "Other"}, format="json"),
        admin.patch(path, {"config": {"url": "nonsense", "secret": SECRET}}, format="json"),
        admin.post(PATH, {"name": "Other", "kind": "webhook", "config": {"secret": SECRET}}, format="json"),
        admin.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400, 204]
    assert not [answer for answer in answers if SECRET in answer.content.decode()]
    assert AuditEntry.objects.count() == 3
    assert SECRET not in str(list(AuditEntry.objects.values()))


def test_a_secret_stays_unless_another_is_sent(admin: APIClient) -> None:
    made = hook(admin)
    path = f"{PATH}{made['id']}/"
    for config in (
        {"url": "https://hooks.example.com/"},
        {"url": "https://HOOKS.example.com:443/y", "secret": {"set": True}},
    ):
        assert admin.patch(path, {"config": config}, format="json").status_code == 200
        assert Connector.objects.get().secrets == {"secret": SECRET}
    other = "whsec_" + SECRET[6:][::-1]
    changed = admin.patch(path, {"config": {"url": "https://a.example.com/", "secret": other}}, format="json")
    if changed.status_code == 200:
        assert Connector.objects.get().secrets == {"secret": other}
    assert (
        admin.patch(path, {"config": {"url": "https://a.example.com/", "secret": ""}}, format="json").status_code == 200
    )
    assert Connector.objects.get().secrets == {}


@pytest.mark.parametrize(
    "url", ["https://evil.example.com/x", "http://hooks.example.com/x", "https://hooks.example.com:8443/x"]
)
@pytest.mark.parametrize("secret", [{}, {"secret": {"set": True}}])
def test_a_stored_secret_does_not_follow_to_another_server(
    admin: APIClient, url: str, secret: dict[str, object]
) -> None:
    path = f"{PATH}{hook(admin)['id']}/"
    refused = admin.patch(path, {"config": {"url": url, **secret}}, format="json")
    assert refused.status_code == 400
    assert refused.json()["errors"] == [
        {"field": "config.secret", "code": "address_changed", "detail": "Enter it again: the address changed."}
    ]
    assert Connector.objects.get().config["url"] == "https://hooks.example.com/x"
    for given in (SECRET, None):  # given again, or given up
        assert admin.patch(path, {"config": {"url": url, "secret": given}}, format="json").status_code == 200


def test_a_stored_key_does_not_follow_from_the_vendors_own_server(admin: APIClient) -> None:
    body = {"name": "Duty", "kind": "pagerduty", "config": {"integration_key": "k" * 32}}
    path = f"{PATH}{admin.post(PATH, body, format='json').json()['id']}/"
    refused = admin.patch(path, {"config": {"api_url": "https://evil.example.com"}}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "config.integration_key")


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"kind": "pigeon"}, "kind", "invalid_choice"),
        ({"kind": "ntfy"}, "kind", "invalid_choice"),
        ({"config": {}}, "config.url", "required"),
        ({"config": {"url": "nonsense"}}, "config.url", "invalid"),
        ({"config": {"url": 7}}, "config.url", "wrong_type"),
        ({"config": {"url": "https://a.example.com", "colour": "red"}}, "config.colour", "unknown_field"),
        ({"config": "x"}, "config", "not_a_dict"),
        ({"name": ""}, "name", "blank"),
        ({"colour": "red"}, "colour", "unknown_field"),
    ],
)
def test_wrong_settings_are_refused_by_field(admin: APIClient, body: dict[str, Any], field: str, code: str) -> None:
    if body.get("kind") == "ntfy" and kinds()["ntfy"].config_form is not None:
        pytest.skip("ntfy can be a connector")
    full = {"name": "Hook", "kind": "webhook", "config": {"url": "https://a.example.com/"}, **body}
    answer = admin.post(PATH, full, format="json")
    assert answer.status_code == 400
    assert (field, code) in {(one["field"], one["code"]) for one in answer.json()["errors"]}
    assert not Connector.objects.exists()


def test_the_name_is_taken_and_the_kind_stays(admin: APIClient) -> None:
    made = hook(admin)
    again = admin.post(
        PATH, {"name": "Ops webhook", "kind": "webhook", "config": {"url": "https://a.example.com"}}, format="json"
    )
    assert (again.status_code, again.json()["errors"][0]["field"]) == (400, "name")
    other = admin.patch(f"{PATH}{made['id']}/", {"kind": "slack"}, format="json")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (400, "kind")


def test_every_kind_is_listed_with_a_schema_of_its_settings(admin: APIClient) -> None:
    listed = {one["name"]: one for one in admin.get(f"{PATH}kinds/").json()}
    assert list(listed) == list(kinds())
    config = listed["webhook"]["config_schema"]
    assert config["required"] == ["url"]
    assert config["properties"]["secret"]["writeOnly"] is True
    assert config["additionalProperties"] is False
    assert listed["ntfy"]["address_schema"]["properties"]["address"]["type"] == "string"


def test_a_test_tells_what_the_other_side_really_said(admin: APIClient, http_sink: HttpSink) -> None:
    made = hook(admin, f"{http_sink.url}/hook")
    http_sink.script(Reply(status=202, body="thanks"), Reply(status=403, body="no"))
    first = admin.post(f"{PATH}{made['id']}/test/", {"severity": "critical"}, format="json")
    assert first.status_code == 200
    assert {name: first.json()[name] for name in ("outcome", "status", "answer")} == {
        "outcome": "sent",
        "status": 202,
        "answer": "thanks",
    }
    assert first.json()["seconds"] >= 0
    assert http_sink.requests[0].json["data"]["incident"]["severity"] == "critical"
    second = admin.post(f"{PATH}{made['id']}/test/").json()
    assert (second["outcome"], second["status"]) == ("rejected", 403)
    assert not Delivery.objects.exists()
    assert not Attempt.objects.exists()


def test_a_connector_that_is_not_stored_is_tested_and_stays_unstored(admin: APIClient, http_sink: HttpSink) -> None:
    body = {"name": "Ops", "kind": "webhook", "enabled": True, "config": {"url": f"{http_sink.url}/hook"}}
    answer = admin.post(f"{PATH}test/", body, format="json")
    assert (answer.status_code, answer.json()["outcome"], answer.json()["status"]) == (200, "sent", 200)
    assert len(http_sink.requests) == 1
    assert not Connector.objects.exists()
    assert not AuditEntry.objects.exists()
    wrong = admin.post(f"{PATH}test/", {**body, "config": {"url": "x"}}, format="json")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "config.url")


def test_a_replayed_test_is_not_sent_again(admin: APIClient, http_sink: HttpSink) -> None:
    made = hook(admin, f"{http_sink.url}/hook")
    answers = [
        admin.post(f"{PATH}{made['id']}/test/", {}, format="json", headers={"Idempotency-Key": "once"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len(http_sink.requests) == 1


def test_switching_off_and_on(admin: APIClient) -> None:
    path = f"{PATH}{hook(admin)['id']}/"
    off = admin.post(f"{path}disable/").json()
    assert (off["enabled"], off["off"]) == (False, "person")
    assert "ann" in off["off_reason"]
    assert admin.post(f"{path}enable/").json()["enabled"] is True
    assert admin.patch(path, {"enabled": False}, format="json").json()["off"] == "person"
    assert admin.patch(path, {"enabled": True}, format="json").json()["off"] == ""
    verbs = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert verbs.count("switched off") == verbs.count("switched on") == 2


def test_the_list_is_filtered_and_costs_the_same_for_many(admin: APIClient) -> None:
    counts = []
    for place in range(4):
        hook(admin, name=f"Hook {place}", enabled=place != 2)
        with CaptureQueriesContext(connection) as queries:
            assert len(admin.get(PATH).json()["results"]) == place + 1
        counts.append(len(queries))
    assert len(set(counts)) == 1, counts
    assert [one["name"] for one in admin.get(f"{PATH}?enabled=false").json()["results"]] == ["Hook 2"]
    assert len(admin.get(f"{PATH}?name=Hook%200&name=Hook%201&kind=webhook").json()["results"]) == 2
    assert admin.get(f"{PATH}?kind=pigeon").status_code == 400

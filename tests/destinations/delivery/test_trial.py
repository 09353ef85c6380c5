"""Test sends: a full sample, one try, nothing written."""

from datetime import timedelta

import pytest

from destinations import delivery
from destinations.base import TEST_PREFIX, Outcome
from destinations.models import Attempt, Connector, Delivery
from tests.destinations.making import NOW, make_message
from tests.sinks import HttpSink, Reply

pytestmark = pytest.mark.django_db


def test_a_sample_is_a_full_incident_with_a_key_of_its_own() -> None:
    sample, another = (delivery.sample_message("info", NOW) for _ in range(2))
    assert sample.title.startswith(TEST_PREFIX)
    assert sample.key.startswith("test:")
    assert sample.key != another.key
    assert (sample.severity, sample.status, sample.test) == ("info", "PENDING", True)
    for name in ("class_name", "links", "details", "labels", "source", "component", "group", "url", "document", "text"):
        assert getattr(sample, name), name


def test_an_unsaved_form_is_tried_once_and_nothing_is_written(http_sink: HttpSink) -> None:
    http_sink.default = Reply(500, "out of order")
    result = delivery.send_test("webhook", {"url": http_sink.url}, delivery.sample_message("error", NOW), now=NOW)
    assert (result.outcome, result.status, result.answer) == (Outcome.RETRY, 500, "out of order")
    assert result.seconds > 0
    assert len(http_sink.requests) == 1
    body = http_sink.requests[0].json
    assert (body["type"], body["test"]) == ("test", True)
    assert [one.objects.count() for one in (Connector, Delivery, Attempt)] == [0, 0, 0]


def test_any_message_gets_the_prefix(http_sink: HttpSink) -> None:
    address = {"address": f"{http_sink.url}/topic"}
    result = delivery.send_test("ntfy", {}, make_message("page", number=None), now=NOW, address=address)
    assert result.outcome is Outcome.SENT
    body = http_sink.requests[0].json
    assert body["title"] == f"{TEST_PREFIX} Disk 96% full on db-1"
    assert body["priority"] == 2


def test_it_stays_open_unless_it_is_resolved_afterwards(http_sink: HttpSink) -> None:
    http_sink.default = Reply(202, {"status": "success"})
    config, sample = {"api_url": http_sink.url, "integration_key": "k1"}, delivery.sample_message("critical", NOW)
    delivery.send_test("pagerduty", config, sample, now=NOW)
    assert [one.json["event_action"] for one in http_sink.requests] == ["trigger"]
    delivery.send_test("pagerduty", config, sample, now=NOW, resolve_afterwards=True)
    opened, resolved = (one.json for one in http_sink.requests[1:])
    assert (opened["event_action"], opened["payload"]["severity"]) == ("trigger", "critical")
    assert resolved == {"routing_key": "k1", "event_action": "resolve", "dedup_key": sample.key}


def test_a_resolve_that_does_not_work_is_told(http_sink: HttpSink) -> None:
    http_sink.script(Reply(202, {"status": "success"}), Reply(429))
    config = {"api_url": http_sink.url, "integration_key": "k1"}
    sample = delivery.sample_message("info", NOW)
    result = delivery.send_test("pagerduty", config, sample, now=NOW, resolve_afterwards=True)
    assert result.outcome is Outcome.RETRY
    assert result.detail.startswith("The test arrived, but resolving it did not work. 429")


def test_a_test_is_no_attempt_and_switches_nothing_off(http_sink: HttpSink) -> None:
    http_sink.default = Reply(404)
    hook = Connector.objects.create(name="Hook", kind="webhook", config={"url": http_sink.url})
    for minutes in range(100):
        at = NOW + timedelta(minutes=minutes)
        delivery.send_test("webhook", hook.settings, delivery.sample_message("info", at), now=at)
    hook.refresh_from_db()
    assert hook.enabled
    assert not Attempt.objects.exists()

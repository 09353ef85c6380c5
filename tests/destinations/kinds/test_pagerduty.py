"""What PagerDuty gets, and which key it gets it by."""

import json
from pathlib import Path
from typing import Any

import pytest

from destinations.base import Action, Message, Outcome, kinds
from destinations.kinds.pagerduty import PagerDutyConfig
from tests.destinations.making import make_message, make_target
from tests.sinks import HttpSink, Reply

GOLDEN = Path(__file__).parents[2] / "golden" / "outbound"
KEY = "R0UT1NG_KEY_PLACEHOLDER"
OTHER = "AN0THER_KEY_PLACEHOLDER"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"pagerduty-{name}.json").read_text())


def send(sink: HttpSink, message: Message, reference: dict[str, Any] | None = None, **config: Any) -> Any:
    sink.default = Reply(202, golden("response-202"))
    settings = {"api_url": sink.url, "integration_key": KEY, **config}
    return kinds()["pagerduty"].send(make_target(settings, reference=reference or {}), message)


def test_a_trigger_has_the_names_and_shapes_of_the_sample(http_sink: HttpSink) -> None:
    message = make_message(
        component="postgres",
        group="shop",
        details={"free_gb": 2, "risk_score": 95},
        links=[{"href": "https://graph.example.org/1", "text": "Graph"}, {"text": "no address"}],
        images=[{"src": "https://graph.example.org/1.png"}, {"src": "http://not-https.example.org/1.png"}],
    )
    assert send(http_sink, message).outcome is Outcome.SENT
    found, sample = http_sink.requests[0], golden("trigger")
    assert (found.method, found.path, found.headers["content-type"]) == ("POST", "/v2/enqueue", "application/json")
    event = found.json
    assert event.keys() == sample.keys()
    assert event["payload"].keys() == sample["payload"].keys()
    assert event["dedup_key"] == sample["dedup_key"]
    assert event["payload"]["custom_details"] == {
        "description": "Only 2 GB are left.",
        "labels": {"team": "core"},
        "free_gb": 2,
        "risk_score": 95,
    }
    assert event["links"] == [
        {"href": message.url, "text": "View in Tocsin"},
        {"href": "https://graph.example.org/1", "text": "Graph"},
    ]
    assert [image["src"] for image in event["images"]] == ["https://graph.example.org/1.png"]


@pytest.mark.parametrize(("event", "sample"), [("accepted", "acknowledge"), ("resolved", "resolve")])
def test_what_follows_is_exactly_three_names(event: str, sample: str, http_sink: HttpSink) -> None:
    send(http_sink, make_message(event))
    assert http_sink.requests[0].json == golden(sample)


@pytest.mark.parametrize(
    ("rule", "routing_key", "integration_key", "used"),
    [
        (KEY, OTHER, OTHER, KEY),  # the first routing rule that matched
        ("", KEY, OTHER, KEY),
        ("", "", KEY, KEY),
        ("", "", "short", "short"),  # never refused for its length
        ("x" * 150, "", OTHER, "x" * 150),
    ],
)
def test_which_key_a_trigger_is_sent_by(
    rule: str, routing_key: str, integration_key: str, used: str, http_sink: HttpSink
) -> None:
    message = make_message(settings={"routing_key": rule} if rule else {})
    send(http_sink, message, routing_key=routing_key, integration_key=integration_key)
    assert http_sink.requests[0].json["routing_key"] == used
    given = {"integration_key": integration_key, "routing_key": routing_key}
    assert PagerDutyConfig(given).is_valid()
    assert kinds()["pagerduty"].reference_for(given, message) == {"routing_key": used}


@pytest.mark.parametrize("event", ["accepted", "resolved"])
def test_what_follows_goes_where_the_trigger_went(event: str, http_sink: HttpSink) -> None:
    message = make_message(event, settings={"routing_key": OTHER})
    send(http_sink, message, {"routing_key": KEY}, integration_key=OTHER)
    assert http_sink.requests[0].json["routing_key"] == KEY
    assert kinds()["pagerduty"].reference_for({"integration_key": OTHER}, message) == {}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("critical", "critical"),
        ("high", "error"),
        ("medium", "warning"),
        ("LOW", "info"),
        ("P1", "error"),
        ("", "error"),
    ],
)
def test_severity_is_one_of_pagerdutys_four(given: str, sent: str, http_sink: HttpSink) -> None:
    send(http_sink, make_message(severity=given))
    assert http_sink.requests[0].json["payload"]["severity"] == sent


def test_limits(http_sink: HttpSink) -> None:
    send(http_sink, make_message(title="x" * 2000, key="k" * 300, source="", details={"dump": "y" * 600_000}))
    found = http_sink.requests[0]
    assert len(found.body) < 512_000
    assert len(found.json["payload"]["summary"]) == 1024
    assert found.json["payload"]["summary"].endswith("…")
    assert len(found.json["dedup_key"]) == 255
    assert found.json["payload"]["source"] == "Tocsin"
    assert "left out" in found.json["payload"]["custom_details"]["note"]


def test_a_note_is_not_sent_and_says_so(http_sink: HttpSink) -> None:
    result = send(http_sink, make_message("noted"))
    assert make_message("noted").action is Action.NOTE
    assert result.outcome is Outcome.SENT
    assert "nothing was sent" in result.detail
    assert http_sink.requests == []


def test_a_refusal_is_told_in_pagerdutys_words(http_sink: HttpSink) -> None:
    http_sink.default = Reply(400, golden("response-400"))
    target = make_target({"api_url": f"{http_sink.url}/v2/enqueue", "integration_key": KEY})
    result = kinds()["pagerduty"].send(target, make_message())
    assert (result.outcome, result.error_code) == (Outcome.REJECTED, "Unrecognized object")
    assert "JSON parse error" in result.detail


@pytest.mark.parametrize(("region", "host"), [("us", "events.pagerduty.com"), ("eu", "events.eu.pagerduty.com")])
def test_the_region_names_the_host(region: str, host: str) -> None:
    result = kinds()["pagerduty"].send(make_target({"integration_key": KEY, "region": region}), make_message())
    assert host in result.detail  # names are not looked up in tests: the refusal says which one it was

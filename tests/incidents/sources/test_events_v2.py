import json
from typing import Any

import pytest

from incidents.sources import events_v2
from incidents.sources.base import Answer, Event, FieldError, Refused, Settings, Unreadable
from tests.incidents.sources import golden

FOLDER = "pagerduty-events-v2"
KEY = "0123456789abcdef0123456789abcdef"
TABLE = [row for row in golden.table(FOLDER, "requests-and-answers.json") if "request" in row or "request_text" in row]


def answered(body: bytes) -> Answer:
    """What a door says that knows no key."""
    try:
        read = events_v2.event(events_v2.read(body, {}), Settings())
    except Unreadable:
        return events_v2.answer_unreadable()
    return events_v2.answer_invalid(read.errors) if isinstance(read, Refused) else events_v2.answer_ok(read.dedup_key)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["case"])
def test_bad_requests_and_their_answers(row: dict[str, Any]) -> None:
    body = row["request_text"] if "request_text" in row else json.dumps(row["request"])
    answer = answered(body.encode())
    assert (answer.status, answer.body) == (row["status"], row["response"])


def test_the_table_is_played() -> None:
    assert len(TABLE) == 14


def request(**changes: Any) -> bytes:
    payload = {"summary": "s", "source": "x", "severity": "info"} | changes.pop("payload", {})
    return json.dumps({"routing_key": KEY, "event_action": "trigger", "payload": payload} | changes).encode()


def errors(body: bytes) -> list[str]:
    return [error.detail for error in events_v2.read(body, {}).errors]


def event(body: bytes, settings: Settings = golden.PLAIN) -> Event:
    [read] = events_v2.parse(body, {}, settings)
    assert isinstance(read, Event), read
    return read


def test_further_faults() -> None:
    assert errors(b"{}") == [
        "'routing_key' is missing or blank",
        "'event_action' is missing or blank",
        "'payload' is missing or blank",
    ]
    assert errors(request(payload={"summary": " ", "source": None, "severity": ""})) == [
        "'payload.summary' is missing or blank",
        "'payload.source' is missing or blank",
        "'payload.severity' is missing or blank",
    ]
    assert errors(request(payload={"summary": [], "source": True, "severity": 5})) == [
        "'payload.summary' is invalid (must be a string)",
        "'payload.source' is invalid (must be a string)",
        "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
    ]
    assert errors(request(dedup_key=5, links={}, images=["x"])) == [
        "'dedup_key' is invalid (must be a string)",
        "'links' is invalid (must be an array)",
        "'images[0]' is invalid (must be an object)",
    ]
    assert errors(json.dumps({"routing_key": "a-b", "event_action": "trigger", "payload": "x"}).encode()) == [
        "Length of 'routing_key' is incorrect (should be 32 characters)",
        "'routing_key' cannot contain non-alphanumeric characters.",
        "'payload' is invalid (must be an object)",
    ]
    assert len(errors(request(links=[{}] * 100_000))) == 50


def test_acknowledge_and_resolve_need_no_payload_and_check_none() -> None:
    for action in ("acknowledge", "resolve"):
        body = {"routing_key": KEY, "event_action": action, "dedup_key": "k"}
        assert event(json.dumps(body).encode()).action == action
        assert event(json.dumps(body | {"payload": {"severity": "bad"}, "links": 5}).encode()).action == action
        assert event(json.dumps(body | {"payload": "text", "images": [5]}).encode()).dedup_key == "k"


def test_where_the_routing_key_is_found() -> None:
    keyless = b'{"event_action": "resolve", "dedup_key": "k"}'
    assert events_v2.read(request(), {"x-routing-key": "other"}).routing_key == KEY
    assert events_v2.read(keyless, {"x-routing-key": KEY}).routing_key == KEY
    assert events_v2.read(keyless, {"x-routing-key": KEY}).errors == ()
    assert events_v2.read(keyless, {}).routing_key == ""
    written_as_uuid = events_v2.read(request(routing_key="01234567-89AB-cdef-0123-456789abcdef"), {})
    assert (written_as_uuid.routing_key, written_as_uuid.errors) == (KEY, ())


def test_the_routing_key_is_kept_nowhere() -> None:
    escaped = request().replace(KEY.encode(), b"\\u0030" + KEY[1:].encode())
    for body in (request(), escaped, request(payload={"summary": ""})):
        [read] = events_v2.parse(body, {}, Settings())
        assert KEY not in repr(read)
        assert KEY[1:] not in read.raw
        assert "event_action" in read.raw


def test_every_field_of_a_full_request() -> None:
    [read] = golden.events(FOLDER, "full-trigger.json")
    assert (read.source, read.component, read.group, read.class_name) == (
        "prod-datapipe03.example.com",
        "mysql",
        "prod-datapipe",
        "disk",
    )
    assert read.occurred_at is not None
    assert read.occurred_at.isoformat() == "2015-07-17T08:42:58.315000+00:00"
    assert read.details == {
        "free space": "1%",
        "ping time": "1500ms",
        "load avg": 0.75,
        "client": "Sample Monitoring Service",
    }
    assert read.links == [
        {"href": "https://monitoring.example.com", "text": "Sample Monitoring Service"},
        {"href": "http://pagerduty.example.com", "text": "An example link."},
    ]
    assert read.images == [
        {
            "src": "https://chart.example.com/chart?chs=600x400",
            "href": "https://google.com",
            "alt": "An example link with an image",
        }
    ]


def test_odd_values_are_taken() -> None:
    read = event(
        request(
            payload={"summary": "s" * 1025, "source": 12345, "severity": "CRITICAL", "timestamp": "noon", "extra": 1}
        )
    )
    assert (read.title, read.source, read.severity) == ("s" * 255, "12345", "critical")
    assert read.details == {"summary": "s" * 1025, "occurred_at": "noon", "extra": 1}
    assert event(request(payload={"custom_details": "plain text"})).details == {"custom_details": "plain text"}
    assert event(request(payload={"custom_details": [1]})).details == {"custom_details": [1]}
    assert event(request(client_url="javascript:x", client="C")).links == []


def test_the_map_of_the_source_applies_to_the_four_words() -> None:
    assert event(request(payload={"severity": "info"}), Settings({"info": "warning"})).severity == "warning"


def test_an_event_over_its_size() -> None:
    answer = answered(request(payload={"custom_details": {"x": "y" * 524_288}}))
    assert answer.status == 400
    assert answer.body["errors"] == ["An event may have 512 KB; this has 512."]


def test_answers() -> None:
    assert events_v2.answer_ok("k") == Answer(
        202, {"status": "success", "message": "Event processed", "dedup_key": "k"}
    )
    assert events_v2.answer_unknown_key().body["errors"] == ["Invalid routing key"]
    throttled = events_v2.answer_throttled(7)
    row = next(row for row in golden.table(FOLDER, "requests-and-answers.json") if row["case"] == "too many calls")
    assert (throttled.status, throttled.body, throttled.headers) == (
        row["status"],
        row["response"],
        {"Retry-After": "7"},
    )
    invalid = events_v2.answer_invalid((FieldError(field="a", code="b", detail="c"),))
    assert (invalid.status, invalid.body["errors"]) == (400, ["c"])

"""The push that wakes a person, and ntfy's own errors."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.base import Message, Outcome, kinds
from destinations.kinds.ntfy import NtfyAddress, notification, split
from tests.destinations.making import make_message, make_target
from tests.sinks import HttpSink, Reply

LINKS = {
    "acknowledge": "https://tocsin.example.org/reply/a",
    "resolve": "https://tocsin.example.org/reply/r",
    "escalate": "https://tocsin.example.org/reply/e",
}


def page(sink: HttpSink, message: Message, topic: str = "/oncall-alice-T0PIC", **secret: Any) -> Any:
    return kinds()["ntfy"].send(make_target(address={"address": sink.url + topic, **secret}), message)


def test_a_page_is_json_to_the_servers_root_with_buttons(http_sink: HttpSink) -> None:
    http_sink.default = Reply(200, {"id": "x7", "topic": "oncall-alice-T0PIC"})
    result = page(http_sink, make_message("page", reply_links=LINKS), token="tk_secret")
    assert (result.outcome, result.reference, result.answer) == (Outcome.SENT, {"id": "x7"}, "id x7")
    found = http_sink.requests[0]
    assert (found.method, found.path, found.headers["authorization"]) == ("POST", "/", "Bearer tk_secret")
    assert found.json == {
        "topic": "oncall-alice-T0PIC",
        "title": "#1042 Disk 96% full on db-1",
        "message": "Only 2 GB are left.\nPENDING · critical · db-1",
        "priority": 5,
        "tags": ["rotating_light"],
        "actions": [
            {"action": "http", "label": label, "url": LINKS[verb], "method": "POST", "clear": True}
            for verb, label in (("acknowledge", "Acknowledge"), ("resolve", "Resolve"), ("escalate", "Escalate"))
        ],
        "click": "https://tocsin.example.org/incidents/1042/",
    }


@pytest.mark.parametrize(
    ("address", "root", "topic"),
    [
        ("https://ntfy.sh/alerts", "https://ntfy.sh/", "alerts"),
        ("https://ntfy.sh/alerts/", "https://ntfy.sh/", "alerts"),
        ("https://example.org:8443/push/alerts?x=1", "https://example.org:8443/push/", "alerts"),
        ("https://ntfy.sh/", "https://ntfy.sh/", ""),
        ("https://ntfy.sh", "https://ntfy.sh/", ""),
    ],
)
def test_an_address_is_a_server_and_a_topic(address: str, root: str, topic: str) -> None:
    assert split(address) == (root, topic)
    assert NtfyAddress({"address": address}).is_valid() is bool(topic)


@pytest.mark.parametrize(
    ("severity", "event", "test", "priority"),
    [
        ("critical", "page", False, 5),
        ("error", "page", False, 4),
        ("warning", "page", False, 3),
        ("info", "page", False, 2),
        ("P1", "page", False, 4),  # somebody's own word is taken seriously
        ("critical", "resolved", False, 3),  # good news wakes nobody
        ("critical", "test", True, 2),
    ],
)
def test_priority(severity: str, event: str, test: bool, priority: int) -> None:
    assert notification(make_message(event, severity=severity, test=test))["priority"] == priority


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (429, 42908, Outcome.REJECTED),  # the day is used up: another way to the person is better
        (429, 42901, Outcome.RETRY),
        (403, 40301, Outcome.REJECTED),
        (500, 50001, Outcome.RETRY),
    ],
)
def test_ntfys_own_errors(status: int, code: int, outcome: Outcome, http_sink: HttpSink) -> None:
    http_sink.default = Reply(status, {"code": code, "http": status, "error": "limit reached"})
    result = page(http_sink, make_message("page"))
    assert (result.outcome, result.error_code, result.status) == (outcome, str(code), status)
    assert "limit reached" in result.detail


@given(st.text(max_size=6000))
def test_a_message_is_at_most_4096_bytes(text: str) -> None:
    assert len(notification(make_message("page", text=text))["message"].encode()) <= 4096

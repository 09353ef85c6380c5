"""The webhook's body, headers and signature."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Oracle

from destinations.base import kinds
from destinations.kinds.webhook import WebhookConfig, sign
from tests.destinations.making import NOW, SECRET, make_message, make_target
from tests.sinks import HttpSink

VECTOR_BODY = (
    b'{"type":"incident.acknowledged","timestamp":"2026-01-15T09:30:00Z","data":{"incident":{"id":"INC-1042"}}}'
)


def test_the_published_vector() -> None:
    at = datetime.fromtimestamp(1768469400, UTC)
    found = sign(SECRET, "msg_01JH8Y6Q0000000000000000", at, VECTOR_BODY)
    assert found == "v1,qV4OzsjP8aWk6T7mBOtlT90Lyla6gILiSxjBSyfQQPA="


@given(key=st.binary(min_size=24, max_size=64), body=st.text(max_size=200))
def test_the_reference_library_believes_what_we_sign(key: bytes, body: str) -> None:
    secret, now = f"whsec_{base64.b64encode(key).decode()}", datetime.now(UTC)
    assert sign(secret, "msg_1", now, body.encode()) == Oracle(secret).sign("msg_1", now, body)


def send(sink: HttpSink, at: datetime = NOW, **config: Any) -> None:
    kinds()["webhook"].send(make_target({"url": f"{sink.url}/in", **config}, now=at), make_message("accepted"))


def test_the_body_is_the_event_and_the_incident(http_sink: HttpSink) -> None:
    message = make_message("accepted", actor="Alice Ahn", channel="web")
    kinds()["webhook"].send(make_target({"url": http_sink.url}), message)
    assert http_sink.requests[0].json == {
        "type": "incident.accepted",
        "timestamp": "2026-11-21T03:47:00.000Z",
        "data": {
            "incident": {"number": 1042, "title": "Disk 96% full on db-1"},
            "actor": {"name": "Alice Ahn"},
            "channel": "web",
        },
        "test": False,
    }


def test_a_retry_has_the_same_id_and_its_own_time(http_sink: HttpSink) -> None:
    send(http_sink, NOW, secret=SECRET)
    send(http_sink, NOW + timedelta(minutes=5), secret=SECRET)
    first, second = (one.headers for one in http_sink.requests)
    assert first["webhook-id"] == second["webhook-id"] == "msg_0a1b2c3d000040008000000000000001"
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 300
    assert first["webhook-signature"] != second["webhook-signature"]


def test_what_arrives_passes_the_reference_library(http_sink: HttpSink) -> None:
    send(http_sink, datetime.now(UTC), secret=SECRET)
    one = http_sink.requests[0]
    assert Oracle(SECRET).verify(one.body, one.headers)["type"] == "incident.accepted"


def test_while_secrets_change_both_sign(http_sink: HttpSink) -> None:
    new = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
    send(http_sink, datetime.now(UTC), secret=new, old_secret=SECRET)
    one = http_sink.requests[0]
    assert len(one.headers["webhook-signature"].split(" ")) == 2
    for secret in (new, SECRET):
        assert Oracle(secret).verify(one.body, one.headers)


def test_without_a_secret_it_is_not_signed(http_sink: HttpSink) -> None:
    send(http_sink)
    assert "webhook-signature" not in http_sink.requests[0].headers


def test_basic_authentication_and_headers_of_ones_own(http_sink: HttpSink) -> None:
    send(http_sink, username="ops", password="pä:ss", headers={"X-Room": "7"})
    headers = http_sink.requests[0].headers
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode() == "ops:pä:ss"
    assert headers["x-room"] == "7"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-id": "forged"},
        {"Host": "elsewhere"},
        {"Content-Length": "3"},
        {"Transfer-Encoding": "chunked"},
        {"X-A": "b\r\nX-Evil: c"},
        {"X A": "b"},
        {"": "b"},
        {"X-A": 7},
        {"X-A": "čau"},
        {f"X-{number}": "a" for number in range(21)},
        "no colon here",
        "X-A b",
        [1],
    ],
)
def test_headers_that_would_break_the_request_are_refused(headers: object) -> None:
    form = WebhookConfig({"url": "https://example.org", "headers": headers})
    assert "headers" in form.errors


@pytest.mark.parametrize("headers", [{"X-A": "b", "X-C": "d:e"}, "X-A: b\n\n X-C:  d:e ", '{"X-A": "b", "X-C": "d:e"}'])
def test_headers_are_an_object_or_lines(headers: object) -> None:
    form = WebhookConfig({"url": "https://example.org", "headers": headers})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["headers"] == {"X-A": "b", "X-C": "d:e"}


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_short", "whsec_!!!!", f"whsec_{base64.b64encode(b'x' * 65).decode()}"]
)
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    assert "secret" in WebhookConfig({"url": "https://example.org", "secret": secret}).errors


def test_two_ways_of_authorization_are_refused() -> None:
    given = {"url": "https://example.org", "username": "a", "headers": {"authorization": "Bearer b"}}
    assert "headers" in WebhookConfig(given).errors

"""Every HTTP kind against the same table of answers: what is sent, what is tried again, what needs a person."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from destinations.base import Kind, Outcome, Result, kinds
from destinations.delivery.handing import hand_over
from tests.destinations.making import NOW, SECRET, make_message, make_target
from tests.servers import free_port
from tests.sinks import HttpSink, Reply

TOKEN = "s3cr3t-t0ken-of-this-test"
CONFIGS: dict[str, dict[str, Any]] = {
    "webhook": {"url": f"{{}}/in/{TOKEN}?key={TOKEN}", "secret": SECRET, "headers": {"X-Token": TOKEN}},
    "slack": {"url": f"{{}}/services/T0/B0/{TOKEN}"},
    "pagerduty": {"api_url": "{}", "integration_key": TOKEN},
    "ntfy": {"url": "{}/alerts", "token": TOKEN},
}
GOOD: dict[str, Reply] = {
    "webhook": Reply(200, "whatever"),
    "slack": Reply(200, "ok"),
    "pagerduty": Reply(202, {"status": "success", "message": "Event processed", "dedup_key": "incident:5"}),
    "ntfy": Reply(200, {"id": "x7", "event": "message", "topic": "alerts"}),
}
EVERY = sorted(CONFIGS)


def ours() -> dict[str, Kind]:
    return {name: kind for name, kind in kinds().items() if type(kind).__module__.startswith("destinations.")}


def send(name: str, url: str, *, seconds: float = 10) -> Result:
    config = {key: value.format(url) if isinstance(value, str) else value for key, value in CONFIGS[name].items()}
    return hand_over(name, make_target(config, timeout=timedelta(seconds=seconds)), make_message())


def test_every_kind_is_in_the_table() -> None:
    assert set(ours()) - {"email"} == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_a_good_answer_is_sent(name: str, http_sink: HttpSink) -> None:
    http_sink.default = GOOD[name]
    result = send(name, http_sink.url)
    assert (result.outcome, result.status) == (Outcome.SENT, GOOD[name].status)
    assert result.seconds > 0
    assert len(http_sink.requests) == 1
    assert http_sink.requests[0].headers["user-agent"] == "Tocsin/0.1.0"


STATUSES = [
    (301, Outcome.REJECTED),
    (302, Outcome.REJECTED),
    (307, Outcome.REJECTED),
    (400, Outcome.REJECTED),
    (401, Outcome.REJECTED),
    (403, Outcome.REJECTED),
    (404, Outcome.REJECTED),
    (405, Outcome.REJECTED),
    (408, Outcome.RETRY),
    (410, Outcome.REJECTED),
    (413, Outcome.REJECTED),
    (422, Outcome.REJECTED),
    (425, Outcome.RETRY),
    (429, Outcome.RETRY),
    (500, Outcome.RETRY),
    (502, Outcome.RETRY),
    (503, Outcome.RETRY),
    (599, Outcome.RETRY),
]


@pytest.mark.parametrize("name", EVERY)
def test_each_status_has_its_outcome(name: str, http_sink: HttpSink) -> None:
    elsewhere = {"Location": f"{http_sink.url}/elsewhere"}
    http_sink.script(*(Reply(status, "no such thing", elsewhere if status < 400 else {}) for status, _ in STATUSES))
    results = [send(name, http_sink.url) for _ in STATUSES]
    assert [(one.status, one.outcome) for one in results] == STATUSES
    assert all(one.detail.startswith(str(one.status)) for one in results)
    assert len(http_sink.requests) == len(STATUSES), "no redirect is followed"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        ("Sat, 21 Nov 2026 03:48:30 GMT", 90),  # the clock says 03:47
        ("Sat, 21 Nov 2026 03:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, 10**7),
    ],
)
def test_retry_after_is_seconds_or_a_date(name: str, header: str, seconds: int | None, http_sink: HttpSink) -> None:
    http_sink.default = Reply(429, "later", {"Retry-After": header})
    assert send(name, http_sink.url).retry_after == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("fault", ["reset", "drip"])
def test_a_break_after_the_request_is_unknown(name: str, fault: str, http_sink: HttpSink) -> None:
    http_sink.default = Reply(fault=fault)
    result = send(name, http_sink.url, seconds=0.4)
    assert (result.outcome, result.error_code) == (Outcome.UNKNOWN, {"reset": "reset", "drip": "timeout"}[fault])
    assert result.seconds < 2, "the limit is for the whole send, not for each byte"


@pytest.mark.parametrize("name", EVERY)
def test_silence_is_unknown_after_the_time_limit(name: str, http_sink: HttpSink) -> None:
    http_sink.default = Reply(hold=http_sink.stopping)
    result = send(name, http_sink.url, seconds=0.3)
    assert (result.outcome, result.error_code, result.status) == (Outcome.UNKNOWN, "timeout", None)


@pytest.mark.parametrize("name", EVERY)
def test_an_endless_answer_is_cut(name: str, http_sink: HttpSink) -> None:
    http_sink.default = Reply(500, "no", fault="endless")
    result = send(name, http_sink.url)
    assert result.outcome is Outcome.RETRY
    assert len(result.answer) <= 500


@pytest.mark.parametrize("name", EVERY)
def test_nothing_was_sent_if_there_is_no_connection(name: str) -> None:
    result = send(name, f"http://127.0.0.1:{free_port()}")
    assert (result.outcome, result.error_code) == (Outcome.RETRY, "connect")


@pytest.mark.parametrize("name", EVERY)
def test_nothing_was_sent_if_the_name_is_unknown(name: str) -> None:
    result = send(name, "https://no-such-host.invalid")
    assert (result.outcome, result.error_code) == (Outcome.RETRY, "dns")


@pytest.mark.parametrize("name", EVERY)
def test_nothing_was_sent_if_the_certificate_is_not_trusted(name: str, https_sink: HttpSink) -> None:
    result = send(name, https_sink.url)
    assert (result.outcome, result.error_code) == (Outcome.RETRY, "tls")
    assert "TOCSIN_CA_BUNDLE" in result.detail
    assert https_sink.requests == []


@pytest.mark.parametrize("name", EVERY)
def test_an_inner_address_is_refused(name: str, http_sink: HttpSink, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    result = send(name, http_sink.url)
    assert result.outcome is Outcome.REJECTED
    assert "TOCSIN_ALLOW_PRIVATE_ADDRESSES" in result.detail
    assert http_sink.requests == []


@pytest.mark.parametrize("name", EVERY)
def test_what_an_answer_repeats_of_a_secret_is_masked(name: str, http_sink: HttpSink) -> None:
    http_sink.default = Reply(400, {"message": f"bad {TOKEN}", "errors": [TOKEN], "code": TOKEN, "error": TOKEN})
    assert TOKEN not in repr(send(name, http_sink.url))


@pytest.mark.parametrize("name", EVERY)
def test_a_fault_inside_a_kind_is_unknown_and_tells_no_secret(name: str, caplog: pytest.LogCaptureFixture) -> None:
    result = hand_over(name, make_target({"url": object(), "api_url": object(), "secret": TOKEN}), make_message())
    assert result.outcome in {Outcome.UNKNOWN, Outcome.REJECTED}
    assert TOKEN not in repr(result) + caplog.text


def test_a_kind_that_nobody_knows_is_a_result_too() -> None:
    result = hand_over("carrier-pigeon", make_target(now=NOW), make_message())
    assert result.outcome is Outcome.REJECTED
    assert "carrier-pigeon" in result.detail


@pytest.mark.parametrize("name", sorted(ours()))
def test_every_field_has_words_and_every_secret_is_a_field(name: str) -> None:
    kind = ours()[name]
    forms = [form for form in (kind.config_form, kind.address_form, kind.settings_form) if form]
    assert forms
    assert kind.secret_fields <= {field for form in forms for field in form.base_fields}
    assert kind.label
    assert kind.blurb
    assert kind.help
    assert 2 <= len(kind.blurb.split()) <= 8

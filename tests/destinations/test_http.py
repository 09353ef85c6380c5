"""The one door: what it trusts, what it sends, what it keeps."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from destinations import http
from destinations.base import Outcome
from tests.destinations.making import NOW
from tests.sinks import HttpSink, Reply

TEN = timedelta(seconds=10)


def post(url: str, body: bytes = b"{}") -> http.Answer:
    return http.call("POST", url, body, timeout=TEN, now=NOW)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_authority_of_ones_own_is_trusted_once_it_is_named(
    host: str, https_sink: HttpSink, authority_file: Path, settings: Settings
) -> None:
    settings.CA_BUNDLE = str(authority_file)
    assert post(f"https://{host}:{https_sink.port}/").result.outcome is Outcome.SENT
    assert https_sink.requests[0].headers["host"] == f"{host}:{https_sink.port}"


def test_a_certificate_of_another_name_is_not_trusted(
    https_sink: HttpSink, authority_file: Path, settings: Settings
) -> None:
    settings.CA_BUNDLE = str(authority_file)
    result = post(f"https://127.1:{https_sink.port}/").result
    assert (result.outcome, result.error_code) == (Outcome.RETRY, "tls")
    assert https_sink.requests == []


@pytest.mark.parametrize("content", [None, "this is no certificate"])
def test_a_bundle_that_cannot_be_read_is_named(
    content: str | None, https_sink: HttpSink, settings: Settings, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content:
        bundle.write_text(content)
    settings.CA_BUNDLE = str(bundle)
    result = post(https_sink.url).result
    assert result.outcome is Outcome.REJECTED
    assert "TOCSIN_CA_BUNDLE" in result.detail


def test_the_environment_has_no_say(http_sink: HttpSink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert post(http_sink.url).result.outcome is Outcome.SENT
    assert "authorization" not in http_sink.requests[0].headers


@pytest.mark.parametrize("url", ["", "ftp://example.org/", "file:///etc/passwd", "http://", "http://[::1", "//x/y"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    result = post(url).result
    assert (result.outcome, result.error_code) == (Outcome.REJECTED, "bad_url")


def test_json_is_bytes_that_are_built_once(http_sink: HttpSink) -> None:
    payload = {"title": "Čau – 96 %", "n": [1, 2]}
    http.post_json(http_sink.url, payload, timeout=TEN, now=NOW)
    assert http_sink.requests[0].body == '{"title":"Čau – 96 %","n":[1,2]}'.encode() == http.to_bytes(payload)
    assert http.to_bytes("\ud800") == b'"?"'


def test_a_large_answer_is_read_to_64_kilobytes(http_sink: HttpSink) -> None:
    http_sink.default = Reply(200, "x" * 200_000)
    answer = post(http_sink.url)
    assert len(answer.body) == 64 * 1024
    assert len(answer.result.answer) == 500


def test_an_excerpt_is_one_printable_line(http_sink: HttpSink) -> None:
    http_sink.default = Reply(500, b"a\x00b\r\n\tc\xff \xf0\x9f\x94\xa5")
    assert post(http_sink.url).result.answer == "a b c\ufffd 🔥"


def test_no_thread_and_no_socket_is_left(http_sink: HttpSink) -> None:
    post(http_sink.url)
    names = {thread.name for thread in threading.enumerate()}
    assert not {name for name in names if name.startswith(("Timer", "resolver"))}

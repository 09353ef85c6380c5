"""Slack's answers are judged by their token, and messages stay within Block Kit's limits."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.base import Message, Outcome, kinds
from destinations.kinds.slack import blocks
from tests.destinations.making import make_message, make_target
from tests.sinks import HttpSink, Reply


def send(sink: HttpSink, message: Message | None = None, **config: Any) -> Any:
    target = make_target({"url": f"{sink.url}/services/T/B/x", **config})
    return kinds()["slack"].send(target, message or make_message())


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (200, "ok", Outcome.SENT, ""),
        (200, "ok\n", Outcome.SENT, ""),
        (200, "<html>Sign in</html>", Outcome.REJECTED, ""),  # a captive page
        (200, "", Outcome.REJECTED, ""),
        (200, "invalid_token", Outcome.REJECTED, "invalid_token"),
        (403, "invalid_token", Outcome.REJECTED, "invalid_token"),
        (404, "no_service", Outcome.REJECTED, "no_service"),
        (410, "channel_is_archived", Outcome.REJECTED, "channel_is_archived"),
        (400, "invalid_payload", Outcome.REJECTED, "invalid_payload"),
        (200, "rate_limited", Outcome.RETRY, "rate_limited"),
        (500, "no_service", Outcome.REJECTED, "no_service"),  # the token decides
        (500, "rollup_error", Outcome.RETRY, "rollup_error"),
        (503, "<html>", Outcome.RETRY, ""),
    ],
)
def test_the_token_decides(status: int, body: str, outcome: Outcome, code: str, http_sink: HttpSink) -> None:
    http_sink.default = Reply(status, body)
    result = send(http_sink)
    assert (result.outcome, result.error_code, result.status) == (outcome, code, status)
    assert bool(result.detail) is (outcome is not Outcome.SENT)


def test_what_is_posted(http_sink: HttpSink) -> None:
    send(http_sink, channel="#ops", username="Tocsin", icon=":bell:")
    body = http_sink.requests[0].json
    assert body["text"] == "🔴 #1042 Disk 96% full on db-1 is PENDING"
    assert (body["channel"], body["username"], body["icon_emoji"]) == ("#ops", "Tocsin", ":bell:")
    assert body["blocks"][0]["text"]["text"] == body["text"]
    assert "<https://tocsin.example.org/incidents/1042/|View in Tocsin>" in str(body["blocks"][-1])


def test_an_icon_may_be_a_picture_and_a_connection_may_name_another_channel(http_sink: HttpSink) -> None:
    message = make_message(settings={"channel": "#night"})
    send(http_sink, message, channel="#ops", icon="https://example.org/bell.png")
    body = http_sink.requests[0].json
    assert (body["channel"], body["icon_url"]) == ("#night", "https://example.org/bell.png")


def test_markup_in_a_title_is_no_markup(http_sink: HttpSink) -> None:
    send(http_sink, make_message(title="<!channel> a & b <https://evil|click>"))
    body = http_sink.requests[0].json
    assert "<!channel>" not in body["text"]
    assert "&lt;!channel&gt; a &amp; b" in body["text"]
    assert "<https://evil" not in str(body["blocks"][1])


@given(
    title=st.text(max_size=400),
    text=st.text(max_size=5000),
    labels=st.dictionaries(st.text(max_size=50), st.text(max_size=3000), max_size=3),
    href=st.text(max_size=2000).map(lambda path: f"https://example.org/{path}"),
)
def test_no_message_is_over_a_limit_or_cut_inside_an_entity(
    title: str, text: str, labels: dict[str, str], href: str
) -> None:
    made = blocks(make_message(title=title, text=text, labels=labels, links=[{"href": href, "text": title}]))
    header, section = made[0]["text"]["text"], made[1]
    assert len(header) <= 150
    assert len(section["text"]["text"]) <= 3000
    assert all(len(one["text"]) <= 2000 for one in section["fields"])
    assert len(section["fields"]) <= 10
    for written in (section["text"]["text"], *(one["text"] for one in section["fields"])):
        assert not re.search(r"&(?!amp;|lt;|gt;)", written)

"""What holds for every parser, whatever it is given."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.sources import base
from incidents.sources.base import Event, Refused, Settings, Unreadable
from incidents.sources.events import READERS
from tests.incidents.sources import golden

KINDS = list(golden.KINDS.values())
NAMES = [
    *READERS,
    *("alerts", "status", "annotations", "fingerprint", "groupKey", "groupLabels", "externalURL", "truncatedAlerts"),
    *("routing_key", "event_action", "payload", "client_url", "custom_details", "timestamp", "summary"),
    *("href", "src", "startsAt", "endsAt", "alertname"),
]
WORDS = ["trigger", "resolve", "critical", "resolved", "0123456789abcdef0123456789abcdef", "https://x", "Watchdog"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS)
ANYTHING = st.recursive(
    SCALARS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), part, max_size=8),
    max_leaves=30,
)


def parsed(kind: str, body: bytes) -> list[Event | Refused]:
    try:
        return base.kind(kind).parse(body, {}, Settings())
    except Unreadable:
        return []


def check(read: list[Event | Refused]) -> None:
    for one in read:
        text = json.dumps(one.raw)
        if isinstance(one, Refused):
            assert one.errors
            assert all(error.field and error.code and error.detail for error in one.errors)
        else:
            lines = (one.title, one.class_name, one.source, one.component, one.group, one.dedup_key)
            assert max(map(len, lines)) <= 255
            assert one.title or one.action != "trigger"
            assert one.dedup_key or one.action == "trigger"
            assert one.severity in {"", "critical", "error", "warning", "info"}
            assert all(link["href"].lower().startswith(("http://", "https://")) for link in one.links)
            assert all(isinstance(value, str) for value in one.labels.values())
            assert len(one.note) < 2000
            text += json.dumps(
                [one.title, one.labels, one.links, one.images, one.details, one.description], allow_nan=False
            )
        text.encode()  # no lone surrogate
        assert "\\u0000" not in text.replace("\\\\u0000", "")  # no NUL


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary())
def test_any_bytes_are_read_or_unreadable(kind: str, body: bytes) -> None:
    check(parsed(kind, body))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300)
@given(document=ANYTHING)
def test_any_json_gives_sound_events_or_refusals(kind: str, document: Any) -> None:
    check(parsed(kind, json.dumps(document).encode()))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_broken_payload_harms_nobody(kind: str, data: st.DataObject) -> None:
    folder, case = data.draw(st.sampled_from([row for row in golden.cases() if golden.KINDS[row[0]] == kind]))
    body = bytearray(golden.body(folder, case["file"]))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    check(parsed(kind, bytes(body)))


def test_kinds_tell_where_they_are_and_what_to_paste() -> None:
    kind = base.kind("alertmanager")
    assert (
        kind.address("https://tocsin.example.org/", "abc") == "https://tocsin.example.org/integrations/alertmanager/abc"
    )
    assert "url: https://tocsin.example.org/integrations/alertmanager/abc" in kind.instructions(
        "https://tocsin.example.org", "abc"
    )
    assert base.kind("pagerduty").address("https://x", "abc") == "https://x/v2/enqueue"
    for name, each in base.kinds().items():
        assert each.name == name
        assert "KEY" in each.instructions("https://x", "KEY")


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two source kinds are called events"):
        base.register("events", label="again")(lambda body, headers, own: [])

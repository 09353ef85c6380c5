import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.sources.base import Action, Event, Refused, Settings, Unreadable
from incidents.sources.events import READERS, parse
from tests.incidents.sources import golden

FULL = {
    "action": "trigger",
    "dedup_key": "db-1/disk",
    "title": "Disk 96% full on db-1",
    "description": "Two\nlines",
    "severity": "critical",
    "risk_score": 95,
    "class": "disk.full",
    "source": "db-1",
    "component": "postgres",
    "group": "shop",
    "labels": {"team": "core"},
    "links": [{"href": "https://x.example.org/1", "text": "Graph"}],
    "images": [{"src": "https://x.example.org/1.png", "href": "", "alt": "Graph"}],
    "details": {"free_gb": 2},
    "occurred_at": "2026-11-21T03:47:00Z",
}


def one(given_event: Any, settings: Settings = golden.PLAIN) -> Event:
    [event] = parse(json.dumps(given_event).encode(), {}, settings)
    assert isinstance(event, Event), event
    return event


def faults(given_event: Any) -> list[tuple[str, str]]:
    [refused] = parse(json.dumps([given_event]).encode(), {}, Settings())
    assert isinstance(refused, Refused), refused
    return [(error.field, error.code) for error in refused.errors]


def test_every_field() -> None:
    assert one(FULL) == Event(
        action=Action.TRIGGER,
        dedup_key="db-1/disk",
        title="Disk 96% full on db-1",
        description="Two\nlines",
        severity="critical",
        risk_score=95.0,
        class_name="disk.full",
        source="db-1",
        component="postgres",
        group="shop",
        labels={"team": "core"},
        links=[{"href": "https://x.example.org/1", "text": "Graph"}],
        images=[{"src": "https://x.example.org/1.png", "href": "", "alt": "Graph"}],
        details={"free_gb": 2},
        occurred_at=datetime(2026, 11, 21, 3, 47, tzinfo=UTC),
        raw=json.dumps(FULL),
    )


def test_only_a_title_is_needed() -> None:
    assert one({"title": "x"}) == Event(title="x", raw='{"title": "x"}')
    assert one(dict.fromkeys(READERS) | {"title": "x"}).title == "x"  # null is as good as absent


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("trigger", "trigger"),
        ("Triggered", "trigger"),
        ("firing", "trigger"),
        ("ACK", "acknowledge"),
        ("acknowledged", "acknowledge"),
        (" accept ", "acknowledge"),
        ("resolve", "resolve"),
        ("closed", "resolve"),
    ],
)
def test_action_words(word: str, action: str) -> None:
    assert one({"action": word, "dedup_key": "k", "title": "x"}).action == action


@pytest.mark.parametrize(
    ("given_event", "wanted"),
    [
        ({}, [("title", "required")]),
        ({"title": None}, [("title", "required")]),
        ({"title": " \n\x07"}, [("title", "required")]),
        ({"title": ["x"]}, [("title", "wrong_type")]),
        ({"title": True}, [("title", "wrong_type")]),
        ({"action": "explode"}, [("action", "unknown_word")]),  # what else it needs is not known
        ({"action": 5, "title": "x"}, [("action", "unknown_word")]),
        ({"action": "resolve", "title": "x"}, [("dedup_key", "required")]),
        ({"action": "ack", "dedup_key": "  "}, [("dedup_key", "required")]),
        ({"action": "resolve", "dedup_key": {}}, [("dedup_key", "wrong_type")]),
        ({"title": "x", "severity": "banana"}, [("severity", "unknown_word")]),
        ({"title": "x", "severity": ["error"]}, [("severity", "wrong_type")]),
        ({"title": "x", "risk_score": 100.1}, [("risk_score", "out_of_range")]),
        ({"title": "x", "risk_score": -1}, [("risk_score", "out_of_range")]),
        ({"title": "x", "risk_score": 10**400}, [("risk_score", "out_of_range")]),
        ({"title": "x", "risk_score": True}, [("risk_score", "wrong_type")]),
        ({"title": "x", "risk_score": "95"}, [("risk_score", "wrong_type")]),
        ({"title": "x", "labels": "team=core"}, [("labels", "wrong_type")]),
        ({"title": "x", "links": {"href": "https://x"}}, [("links", "wrong_type")]),
        ({"title": "x", "images": "https://x"}, [("images", "wrong_type")]),
        ({"title": "x", "source": []}, [("source", "wrong_type")]),
        ({"title": "x", "class": {}}, [("class", "wrong_type")]),
        ({"title": "x", "description": []}, [("description", "wrong_type")]),
        (
            {"severity": "x", "risk_score": 101},
            [("severity", "unknown_word"), ("risk_score", "out_of_range"), ("title", "required")],
        ),
        (5, [("event", "wrong_type")]),
        (None, [("event", "wrong_type")]),
        ([FULL], [("event", "wrong_type")]),
    ],
)
def test_a_wrong_event_is_refused_with_every_fault(given_event: Any, wanted: list[tuple[str, str]]) -> None:
    assert faults(given_event) == wanted


def test_the_good_ones_of_a_list_stand() -> None:
    body = b'[{"title": "a"}, {"dedup_key": "k"}, 5, {"title": "b"}]'
    read = parse(body, {}, Settings())
    assert [type(each) for each in read] == [Event, Refused, Refused, Event]
    assert isinstance(read[1], Refused)
    assert (read[1].dedup_key, read[1].raw) == ("k", '{"dedup_key": "k"}')
    assert "title" in read[1].errors[0].detail


def test_an_event_over_its_size_is_refused_alone() -> None:
    bodies = [{"title": "a"}, {"title": "b", "text": "é" * 262_200}, {"title": "c"}]
    first, large, last = parse(json.dumps(bodies, ensure_ascii=False).encode(), {}, Settings())
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(large, Refused)
    assert [error.code for error in large.errors] == ["too_large"]
    fits = json.dumps({"title": "x", "text": ""}, ensure_ascii=False)
    room = 512 * 1024 - len(fits)
    assert one({"title": "x", "text": "y" * room}).title == "x"
    assert faults({"title": "x", "text": "y" * (room + 1)}) == [("event", "too_large")]


def test_a_thousand_events_and_no_more() -> None:
    assert len(parse(json.dumps([{"title": "x"}] * 1000).encode(), {}, Settings())) == 1000
    with pytest.raises(Unreadable, match="at most 1000"):
        parse(json.dumps([{"title": "x"}] * 1001).encode(), {}, Settings())


def test_severity_from_the_risk_score_unless_it_is_told() -> None:
    assert one({"title": "x", "risk_score": 70}).severity == "error"
    assert one({"title": "x", "risk_score": 0}).severity == "info"
    assert one({"title": "x", "risk_score": 99, "severity": "info"}).severity == "info"
    assert one({"title": "x", "risk_score": 99, "severity": " "}).severity == "critical"
    assert one({"title": "x"}).severity == ""


def test_severity_words_and_the_map_of_the_source() -> None:
    assert one({"title": "x", "severity": "High"}).severity == "error"
    assert one({"title": "x", "severity": "banana"}, Settings({"banana": "warning"})).severity == "warning"


def test_what_is_cut_stays_in_the_details() -> None:
    event = one(
        {
            "title": "t" * 300,
            "dedup_key": "k" * 300,
            "source": "s" * 300,
            "class": "c" * 300,
            "description": "d" * 70_000,
        }
    )
    assert (event.title, len(event.dedup_key), event.source) == ("t" * 255, 243, "s" * 255)
    assert event.class_name == "c" * 255
    assert event.details == {"title": "t" * 300, "dedup_key": "k" * 300, "source": "s" * 300, "class": "c" * 300}
    assert len(event.description) == 64 * 1024
    assert "description" in event.note


def test_what_cannot_be_used_is_no_reason_to_refuse() -> None:
    event = one(
        {
            "title": "x",
            "occurred_at": "noon",
            "links": ["mailto:a@b"],
            "labels": {"a": 1},
            "details": "text",
            "dedup_key": 7,
        }
    )
    assert event.occurred_at is None
    assert event.note == "The time in it could not be read."
    assert event.details == {"details": "text", "occurred_at": "noon", "links": ["mailto:a@b"]}
    assert event.labels == {"a": "1"}
    assert event.dedup_key == "7"


def test_unknown_members_go_to_the_details_and_overwrite_nothing() -> None:
    event = one({"title": "x", "host": "a", "details": {"host": "b", "title": 5}, "null": None})
    assert event.details == {"host": "b", "title": 5, "host (2)": "a", "null": None}


def test_characters_that_no_database_keeps_are_replaced() -> None:
    [event] = parse(b'{"title": "a\\u0000b\\ud800", "dedup_key": "\\u0000", "k\\u0000": ["\\udfff"]}', {}, Settings())
    assert isinstance(event, Event)
    assert event.title == "a\ufffdb\ufffd"
    assert event.details == {"k\ufffd": ["\ufffd"]}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text().filter(lambda name: name not in READERS), VALUES, max_size=6),
    st.dictionaries(st.text(), VALUES, max_size=4),
)
def test_nothing_is_dropped(unknown: dict[str, Any], details: dict[str, Any]) -> None:
    event = one({"title": "x", "details": details, **unknown})
    cleaned = json.loads(json.dumps({"u": unknown, "d": details}).replace("\\u0000", "\\ufffd"))
    for name, value in cleaned["d"].items():
        assert event.details[name] == value
    for name, value in cleaned["u"].items():
        assert value in [kept for key, kept in event.details.items() if key == name or key.startswith(f"{name} (")]

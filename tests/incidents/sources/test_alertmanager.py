import json
from typing import Any

import pytest

from incidents.sources.alertmanager import fingerprint, parse
from incidents.sources.base import Event, Refused, Settings, Unreadable
from tests.incidents.sources import golden

FOLDER = "alertmanager"
CAPTURED = ["firing-group.json", "resolved-group.json", "firing-warning.json"]


def read(document: Any, settings: Settings = golden.PLAIN) -> list[Event]:
    events = parse(json.dumps(document).encode(), {}, settings)
    assert all(isinstance(one, Event) for one in events), events
    return [one for one in events if isinstance(one, Event)]


def one(alert: dict[str, Any], **group: Any) -> Event:
    [event] = read({"alerts": [alert], **group})
    return event


@pytest.mark.parametrize("name", CAPTURED)
def test_the_fingerprint_is_the_one_that_alertmanager_makes(name: str) -> None:
    for alert in golden.table(FOLDER, name)["alerts"]:
        assert fingerprint(alert["labels"]) == alert["fingerprint"]


def test_an_alert_without_fingerprint_has_the_same_key_as_with_it() -> None:
    [alert, _] = golden.table(FOLDER, "firing-group.json")["alerts"]
    assert one({**alert, "fingerprint": None}).dedup_key == one(alert).dedup_key == "ef736dbeb0a643f4"


def test_every_field() -> None:
    event, _ = golden.events(FOLDER, "firing-group.json")
    assert event.labels["instance"] == event.source == "kafka-1.example.org:9308"
    assert event.class_name == "KafkaUnderReplicated"
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-11-21T05:55:23+00:00"
    assert event.links[0] == {"href": "http://prometheus.example.org:9090/graph?g0.expr=kafka_urp", "text": "Source"}
    assert event.links[1]["text"] == "Silence"
    assert event.links[1]["href"].startswith(
        "http://alertmanager.example.org:9093/#/silences/new?filter=%7Balertname%3D%22KafkaUnderReplicated%22%2C%20"
    )
    assert event.details == {
        "annotations": {"summary": "12 under-replicated partitions on kafka-1"},
        "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=kafka_urp",
        "receiver": "webhook",
        "groupLabels": {"alertname": "KafkaUnderReplicated", "cluster": "eu-2"},
        "externalURL": "http://alertmanager.example.org:9093",
        "version": "4",
        "truncatedAlerts": 0,
        "groupKey": '{}/{alertname=~".+"}:{alertname="KafkaUnderReplicated", cluster="eu-2"}',
    }
    assert event.note == ""


def test_a_resolve_happened_when_the_alert_ended() -> None:
    event, _ = golden.events(FOLDER, "partly-resolved-group.json")
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-11-21T05:57:31+00:00"


@pytest.mark.parametrize(
    ("alert", "title"),
    [
        ({"annotations": {"summary": "S", "title": "T"}}, "S"),
        ({"annotations": {"summary": " ", "title": "T", "message": "M"}}, "T"),
        ({"annotations": {"message": "M", "description": "D"}}, "M"),
        ({"annotations": {"description": "\nD1\nD2"}, "labels": {"alertname": "A"}}, "D1"),
        ({"labels": {"alertname": "A", "x": "y"}}, "A eu-2"),
        ({"labels": {"x": "y"}, "fingerprint": "f"}, "Alert f"),
        ({}, "Alert cbf29ce484222325"),
    ],
)
def test_titles(alert: dict[str, Any], title: str) -> None:
    assert one(alert, groupLabels={"alertname": "A", "cluster": "eu-2"}).title == title


@pytest.mark.parametrize(
    ("labels", "severity"),
    [
        ({"severity": "none"}, "info"),
        ({"severity": "PAGE"}, "critical"),
        ({"priority": "P3"}, "warning"),
        ({"level": "error"}, "error"),
        ({"severity": "", "level": "warn"}, "warning"),
        ({"severity": "odd"}, ""),
        ({}, ""),
    ],
)
def test_severities(labels: dict[str, str], severity: str) -> None:
    event = one({"labels": labels})
    assert event.severity == severity
    assert ("'odd' is not known" in event.note) == (labels.get("severity") == "odd")


def test_the_map_of_the_source() -> None:
    [event] = read({"alerts": [{"labels": {"severity": "odd"}}]}, Settings({"odd": "error"}))
    assert event.severity == "error"


def test_links_in_their_order() -> None:
    annotations = {"runbook": "https://r", "dashboard_url": "https://d", "summary": "s"}
    event = one({"annotations": annotations, "generatorURL": "https://g"}, externalURL="https://a/am/")
    assert [(link["href"], link["text"]) for link in event.links] == [
        ("https://g", "Source"),
        ("https://r", "Runbook"),
        ("https://d", "Dashboard"),
        ("https://a/am/#/silences/new?filter=%7B%7D", "Silence"),
    ]
    assert one({"annotations": {"runbook_url": "javascript:x"}}).links == []


def test_what_max_alerts_cut_off_is_told() -> None:
    for event in golden.events(FOLDER, "firing-truncated.json"):
        assert event.note.startswith("48 more alerts of this group were not sent")


def test_a_watchdog_is_told_to_be_one() -> None:
    [event] = golden.events(FOLDER, "no-annotations.json")
    assert event.title == "Watchdog"
    assert "Make it a heartbeat" in event.note


def test_odd_status_and_missing_status() -> None:
    odd = one({"status": "pending"})
    assert (odd.action, odd.note) == ("trigger", "Its status is 'pending', which is taken as firing.")
    assert one({}, status="resolved").action == "resolve"
    assert one({}).action == "trigger"


def test_odd_shapes_are_still_alerts() -> None:
    [event] = read({"commonLabels": {"alertname": "A", "severity": "warning"}, "status": "firing", "extra": {"a": 1}})
    assert (event.title, event.severity, event.details["extra"]) == ("A", "warning", {"a": 1})
    assert "no list of alerts" in event.note
    [empty] = read({})
    assert empty.title == "A message in an unknown form from Alertmanager"
    assert [bare.title for bare in read([{"labels": {"alertname": "A"}}])] == ["A"]
    assert read({"alerts": []}) == []
    assert one({"labels": ["x"], "annotations": "y", "status": {}, "fingerprint": 5, "startsAt": []}).dedup_key == "5"


def test_a_member_that_is_no_alert_is_refused_alone() -> None:
    good, bad = parse(b'{"alerts": [{"labels": {"alertname": "A"}}, 5]}', {}, Settings())
    assert isinstance(good, Event)
    assert isinstance(bad, Refused)


@pytest.mark.parametrize("body", [b"", b"x", b"5", b'"x"', b"null"])
def test_what_is_no_notification(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(body, {}, Settings())


def test_what_a_group_shares_is_copied_to_its_events_within_a_limit() -> None:
    long = {f"n{number}": "r" * 1000 for number in range(50)}
    events = read({"alerts": [{"fingerprint": str(i)} for i in range(50)], "groupKey": "g" * 100_000, **long})
    assert {len(event.details["groupKey"]) for event in events} == {243}
    assert {len(event.details) for event in events} == {1 + 8}


def test_more_alerts_than_can_be_read_are_told() -> None:
    read_all = parse(json.dumps({"alerts": [{}] * 10_002}).encode(), {}, Settings())
    assert len(read_all) == 10_001
    last = read_all[-1]
    assert isinstance(last, Refused)
    assert "2 alerts" in last.errors[0].detail

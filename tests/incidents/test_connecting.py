"""A connection is checked as a whole, put in its normal form, and keeps its secrets."""

from typing import Any

import pytest
from django.db import connection as database

from config.problems import Invalid
from destinations.connectors import SET
from destinations.models import Connector
from incidents import connecting, hearing
from incidents.models import Connection
from tests.factories import make_source

pytestmark = pytest.mark.django_db
KEY = "b1946ac92492d2347c6235b4d2611184"


def _connection(kind: str = "pagerduty", **columns: Any) -> Connection:
    connector, _ = Connector.objects.get_or_create(name=f"My {kind}", kind=kind)
    return Connection(connector=connector, **columns)


def _stored(one: Connection) -> Connection:
    return Connection.objects.select_related("connector", "alert_source").get(pk=one.pk)


def test_everything_is_put_in_its_normal_form() -> None:
    saved = connecting.save(
        _connection(),
        events=["resolved", "opened"],
        classes=[" auth.* ", "auth.*", "", "disk.full"],
        labels={"team": ["core", "core"], "host": ["a", "b"]},
        severities=["low", "High", "critical"],
        min_severity="medium",
        min_risk_score=70.0,
        severity_mapping={"high": " P2 "},
        runbook_links={"disk.*": "https://wiki.example.com/disk"},
        routing_rules=[{"events": ["auth.*"], "routing_key": KEY}],
    )
    one = _stored(saved)
    assert one.events == ["opened", "resolved"]
    assert one.classes == ["auth.*", "disk.full"]
    assert one.labels == {"team": "core", "host": ["a", "b"]}
    assert one.severities == ["critical", "error", "info"]
    assert one.min_severity == "warning"
    assert one.severity_mapping == {"error": "P2"}
    assert one.routing_rules == [{"events": ["auth.*"], "routing_key": KEY}]
    assert one.settings == {}


@pytest.mark.parametrize(
    ("columns", "paths"),
    [
        ({"events": ["opened", "exploded"]}, ["events"]),
        ({"classes": ["a*b", "ok.*"]}, ["classes.0"]),
        ({"labels": {"team": []}}, ["labels.team"]),
        ({"labels": {"team": [1]}}, ["labels.team"]),
        ({"severities": ["loud"]}, ["severities"]),
        ({"min_severity": "loud"}, ["min_severity"]),
        ({"min_risk_score": 101}, ["min_risk_score"]),
        ({"severity_mapping": {"loud": "P1"}}, ["severity_mapping.loud"]),
        ({"severity_mapping": {"error": ""}}, ["severity_mapping.error"]),
        ({"runbook_links": {"disk": "wiki/disk"}}, ["runbook_links.disk"]),
        ({"runbook_links": {"disk": "javascript:alert(1)"}}, ["runbook_links.disk"]),
        ({"runbook_links": {"disk": "https://[bad"}}, ["runbook_links.disk"]),
        ({"settings": {"project": "X"}}, ["settings.project"]),
        ({"routing_rules": ["auth"]}, ["routing_rules.0"]),
        ({"routing_rules": [{"events": "auth", "routing_key": KEY}]}, ["routing_rules.0"]),
        ({"routing_rules": [{"events": ["auth"]}]}, ["routing_rules.0"]),
        ({"routing_rules": [{"events": ["a*b"], "routing_key": KEY}]}, ["routing_rules.0.events.0"]),
        ({"routing_rules": [{"events": [], "queue": "x"}]}, ["routing_rules.0.queue"]),
        ({"events": ["x"], "severities": ["y"]}, ["events", "severities"]),  # all faults at once
    ],
)
def test_each_fault_names_its_field(columns: dict[str, Any], paths: list[str]) -> None:
    with pytest.raises(Invalid) as caught:
        connecting.save(_connection(), **columns)
    assert [error.field for error in caught.value.errors] == paths
    assert all(error.detail.endswith((".", "*", "}")) or ":" in error.detail for error in caught.value.errors)
    assert not Connection.objects.exists()


def test_a_kind_without_settings_takes_none() -> None:
    with pytest.raises(Invalid) as caught:
        connecting.save(_connection("webhook"), settings={"channel": "#ops"})
    assert caught.value.errors[0].detail == "My webhook takes no settings of its own here."


def test_routing_keys_are_not_readable_in_the_database_and_shown_only_as_set() -> None:
    saved = connecting.save(
        _connection(), settings={"routing_key": KEY}, routing_rules=[{"events": [], "routing_key": KEY}]
    )
    with database.cursor() as cursor:
        cursor.execute("SELECT settings, routing_rules FROM incidents_connection WHERE id = %s", [saved.pk])
        assert KEY not in str(cursor.fetchone())
    assert connecting.shown(saved) == ({"routing_key": SET}, [{"events": [], "routing_key": SET}])


def test_a_secret_sent_back_as_set_stays_also_when_rules_change_places() -> None:
    rules = [{"events": ["a"], "routing_key": "key-of-a"}, {"events": ["b"], "routing_key": "key-of-b"}]
    saved = _stored(connecting.save(_connection(), settings={"routing_key": KEY}, routing_rules=rules))
    back = [{"events": ["b"], "routing_key": SET}, {"events": ["a"], "routing_key": SET}]
    one = _stored(connecting.save(saved, settings={"routing_key": SET}, routing_rules=back))
    assert one.settings == {"routing_key": KEY}
    assert one.routing_rules == [rules[1], rules[0]]


def test_set_without_anything_stored_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        connecting.save(_connection(), routing_rules=[{"events": ["new"], "routing_key": SET}])
    assert [error.field for error in caught.value.errors] == ["routing_rules.0"]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"events": ["opened", "accepted", "resolved"], "min_severity": "error"},
            "My webhook hears opened, accepted and resolved of all sources, error and worse.",
        ),
        ({"events": []}, "My webhook hears everything of all sources."),
        (
            {"events": ["opened"], "severities": ["critical", "error"], "min_risk_score": 70.0},
            "My webhook hears opened of all sources, only critical and error, risk score 70 and above.",
        ),
        (
            {"events": ["nobody_told"], "classes": ["auth.*", "disk"], "labels": {"team": ["core", "shop"], "a": "b"}},
            "My webhook hears nobody was told of all sources, class auth.* or disk, with team=core or shop and a=b.",
        ),
        (
            {"events": [], "mode": "manual", "name": "Ask"},
            "The button “Ask” on incidents of all sources tells My webhook; from then on it hears everything.",
        ),
    ],
)
def test_a_connection_is_a_sentence(columns: dict[str, Any], sentence: str) -> None:
    assert hearing.sentence(_connection("webhook", **columns)) == sentence


def test_the_sentence_names_its_source() -> None:
    one = _connection("webhook", events=["opened"], alert_source=make_source("Shop"))
    assert hearing.sentence(one) == "My webhook hears opened of Shop."

"""The verbs of alert sources, against a real database."""

from datetime import timedelta

import pytest

from config.audit import Actor
from config.models import AuditEntry
from config.problems import Conflict, Invalid
from destinations.models import Connector
from incidents import keys, sourcing
from incidents.models import AlertSource, Connection, Incident, RawEvent
from tests.factories import T0, make_incident, make_policy, make_source

pytestmark = pytest.mark.django_db
ANN = Actor("ann", "", "console")


def _webhook(name: str) -> Connector:
    return Connector.objects.create(name=name, kind="webhook", config={"url": "https://example.com/"})


def test_a_new_source_gets_a_key_that_opens_it_and_an_edit_gives_none() -> None:
    source = AlertSource(name="Shop")
    key = sourcing.save(source)
    assert key is not None
    assert keys.sources_of([key], T0) == {key: source}
    assert sourcing.save(source, rate_limit=5) is None
    source.refresh_from_db()
    assert (source.rate_limit, source.key_hash) == (5, keys.fingerprint(key))


def test_maps_take_the_words_of_other_products_and_refuse_the_rest_by_field() -> None:
    source = AlertSource(name="Shop")
    sourcing.save(
        source, severity_map={" P1 ": "High", "kaputt": "critical"}, urgency_map={"medium": "high", "info": ""}
    )
    assert source.severity_map == {"p1": "error", "kaputt": "critical"}
    assert source.urgency_map == {"warning": "high", "info": ""}
    with pytest.raises(Invalid) as caught:
        sourcing.save(source, severity_map={"x": "loud"})
    assert [error.field for error in caught.value.errors] == ["severity_map.x"]
    with pytest.raises(Invalid) as caught:
        sourcing.save(source, severity_map={}, urgency_map={"critical": "loud", "dire": "high"})
    assert {error.field for error in caught.value.errors} == {"urgency_map.critical", "urgency_map.dire"}
    with pytest.raises(Invalid, match="1 field"):
        sourcing.save(source, urgency_map={}, kind="telepathy")


def test_the_built_in_source_cannot_be_renamed_rotated_switched_off_or_deleted() -> None:
    manual = make_source("Manual", built_in=True)
    for verb in (
        lambda: sourcing.save(manual, name="Mine"),
        lambda: sourcing.rotate_key(manual, overlap=timedelta(0), actor=ANN, now=T0),
        lambda: sourcing.switch(manual, on=False, actor=ANN, now=T0),
        lambda: sourcing.remove(manual),
    ):
        with pytest.raises(Conflict, match="built in"):
            verb()
    sourcing.save(manual, default_severity="warning")
    manual.refresh_from_db()
    assert (manual.name, manual.enabled, manual.default_severity) == ("Manual", True, "warning")


def test_a_rotated_key_lets_the_old_one_in_until_the_overlap_ends() -> None:
    source = AlertSource(name="Shop")
    old = sourcing.save(source)
    new = sourcing.rotate_key(source, overlap=timedelta(minutes=60), actor=ANN, now=T0)
    assert old is not None
    assert new != old
    assert set(keys.sources_of([old, new], T0 + timedelta(minutes=59))) == {old, new}
    assert set(keys.sources_of([old, new], T0 + timedelta(minutes=60))) == {new}
    entry = AuditEntry.objects.get(action="rotated")
    assert (entry.actor, entry.name) == ("ann", "Shop")
    assert old not in str(entry.changes)
    assert new not in str(entry.changes)


@pytest.mark.parametrize("overlap", [timedelta(minutes=-1), timedelta(days=7, seconds=1)])
def test_an_overlap_is_at_most_seven_days(overlap: timedelta) -> None:
    source = make_source("Shop")
    with pytest.raises(Invalid):
        sourcing.rotate_key(source, overlap=overlap, actor=ANN, now=T0)


def test_a_switch_is_recorded_once() -> None:
    source = make_source("Shop")
    assert sourcing.switch(source, on=False, actor=ANN, now=T0)
    assert not sourcing.switch(source, on=False, actor=ANN, now=T0)
    assert not source.enabled
    assert sourcing.switch(source, on=True, actor=ANN, now=T0)
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["switched off", "switched on"]


def test_a_test_event_opens_a_real_incident_each_time() -> None:
    source = make_source("Shop", policy=make_policy())
    first = sourcing.send_test_event(source, severity="critical", now=T0)
    second = sourcing.send_test_event(source, severity="critical", now=T0)
    assert first.outcome == second.outcome == RawEvent.Outcome.OPENED
    assert Incident.objects.count() == 2
    assert all(one.title.startswith("[Test message]") for one in Incident.objects.all())
    assert RawEvent.objects.filter(source=source).count() == 2


def test_a_test_event_of_a_source_that_is_off_is_refused_and_leaves_nothing() -> None:
    source = make_source("Shop", enabled=False)
    with pytest.raises(Conflict, match="switched off"):
        sourcing.send_test_event(source, now=T0)
    with pytest.raises(Invalid):
        sourcing.send_test_event(make_source(), severity="loud", now=T0)
    assert not RawEvent.objects.exists()


def test_picked_connectors_get_a_connection_and_others_lose_theirs() -> None:
    source, other = make_source("Shop"), make_source("Other")
    one, two, three = _webhook("One"), _webhook("Two"), _webhook("Three")
    everywhere = Connection.objects.create(connector=three, alert_source=None)
    elsewhere = Connection.objects.create(connector=one, alert_source=other)
    kept = Connection.objects.create(connector=one, alert_source=source, classes=["auth.*"])
    Connection.objects.create(connector=three, alert_source=source)
    sourcing.connect(source, [one, two], actor=ANN, now=T0)
    of_source = Connection.objects.filter(alert_source=source).order_by("pk")
    assert [(c.connector.name, c.events) for c in of_source] == [
        ("One", []),
        ("Two", ["opened", "accepted", "resolved"]),
    ]
    assert {kept.pk, everywhere.pk, elsewhere.pk} <= set(Connection.objects.values_list("pk", flat=True))
    assert sorted(AuditEntry.objects.values_list("action", flat=True)) == ["created", "deleted"]


def test_a_source_with_incidents_stays() -> None:
    source = make_source("Shop")
    make_incident(source)
    with pytest.raises(Conflict, match="an incident"):
        sourcing.remove(source)
    empty = make_source("Empty")
    sourcing.remove(empty)
    assert list(AlertSource.objects.values_list("name", flat=True)) == ["Shop"]

"""What counts as due and not done: only what the engine could do now."""

from datetime import timedelta

import pytest

from config.health import Waiting
from destinations.models import Connector, Delivery
from incidents import gauges
from incidents.models import Incident, Run
from tests.conftest import Clock
from tests.factories import make_incident

pytestmark = pytest.mark.django_db
NOTHING = Waiting(0, None)


def delivery(key: str, clock: Clock, **values: object) -> Delivery:
    columns = {"kind": "webhook", "message": {}, "due_at": clock.now - timedelta(minutes=5), **values}
    return Delivery.objects.create(key=key, **columns)


def test_an_empty_installation_waits_for_nothing(clock: Clock) -> None:
    assert gauges.due(clock.now) == {"escalation": NOTHING, "timers": NOTHING, "deliveries": NOTHING}


def test_deliveries_behind_others_and_for_switched_off_connectors_do_not_count(clock: Clock) -> None:
    off = Connector.objects.create(name="Off", kind="webhook", enabled=False)
    delivery("off", clock, connector=off)
    delivery("first", clock, lane="a", due_at=clock.now + timedelta(minutes=1))
    delivery("behind", clock, lane="a")
    delivery("sent", clock, state=Delivery.State.SENT)
    assert gauges.due(clock.now)["deliveries"] == NOTHING
    free = delivery("free", clock)
    assert gauges.due(clock.now)["deliveries"] == Waiting(1, free.due_at)
    lost = delivery("lost", clock, state=Delivery.State.SENDING, lease_until=clock.now - timedelta(hours=1))
    assert gauges.due(clock.now)["deliveries"] == Waiting(2, lost.lease_until)
    assert gauges.counts()["deliveries"]["queued"] == 4


def test_runs_and_timers_count_from_when_they_were_due(clock: Clock) -> None:
    incident = make_incident(now=clock.now)
    Run.objects.all().update(due_at=clock.now)
    Incident.objects.filter(pk=incident.pk).update(snoozed_until=clock.now + timedelta(minutes=1))
    later = clock.advance(minutes=3)
    found = gauges.due(later)
    assert found["escalation"].age(later) == timedelta(minutes=3)
    assert found["timers"].age(later) == timedelta(minutes=2)
    assert gauges.counts()["open_incidents"] == {"PENDING": 1, "ACCEPTED": 0}

"""Whose lease is whose: those of dead processes end at once, all others in their time."""

import subprocess
import sys
from datetime import timedelta

import pytest

from destinations import delivery
from destinations.delivery.leases import new_holder
from destinations.models import Delivery
from tests.destinations.making import NOW, page, send
from tests.sinks import HttpSink

LATER = NOW + timedelta(seconds=20)


def lease(holder: str) -> None:
    Delivery.objects.update(state=Delivery.State.SENDING, lease_by=holder, lease_until=LATER, tries=1)


def ended() -> str:
    """Name a process of this machine that has ended."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    place, _, rest = new_holder().partition(":")
    return f"{place}:{process.pid}:{rest.split(':')[1]}"


def test_a_holder_is_new_each_time_and_fits_its_column() -> None:
    assert new_holder() != new_holder()
    longest = Delivery._meta.get_field("lease_by").max_length
    assert longest is not None
    assert len(new_holder()) <= longest


def test_the_lease_of_a_dead_process_ends_at_once(each_database: str, http_sink: HttpSink) -> None:
    delivery.enqueue([page("a", f"{http_sink.url}/t")], now=NOW)
    lease(ended())
    assert send() == 0
    assert delivery.free_dead_leases(NOW) == 1
    assert send() == 1


def test_the_lease_of_a_process_id_that_was_given_away_ends_too(each_database: str) -> None:
    delivery.enqueue([page("a", "http://127.0.0.1/t")], now=NOW)
    alive, _, claim = new_holder().partition("#")
    lease(f"{alive.rpartition(':')[0]}:1#{claim}")  # our own process id, but begun at another time
    assert delivery.free_dead_leases(NOW) == 1


def test_the_lease_of_a_living_process_stays(each_database: str) -> None:
    delivery.enqueue([page("a", "http://127.0.0.1/t")], now=NOW)
    lease(new_holder())
    assert delivery.free_dead_leases(NOW) == 0


@pytest.mark.usefixtures("postgres_database")
@pytest.mark.postgres
def test_another_machines_lease_stays_where_the_database_is_shared() -> None:
    delivery.enqueue([page("a", "http://127.0.0.1/t")], now=NOW)
    lease("elsewhere/1234/5:77:88#0123")
    assert delivery.free_dead_leases(NOW) == 0


@pytest.mark.usefixtures("sqlite_database")
def test_another_containers_lease_ends_where_it_cannot_be() -> None:
    delivery.enqueue([page("a", "http://127.0.0.1/t")], now=NOW)
    lease("elsewhere/1234/5:77:88#0123")
    assert delivery.free_dead_leases(NOW) == 1

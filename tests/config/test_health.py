"""/healthz, /readyz, /metrics: the platform says when nobody would be paged."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from config import health
from config.models import Tick
from tests.callers import bearer, person

pytestmark = pytest.mark.django_db


def ticked(age: timedelta = timedelta(0), difference: float = 0) -> None:
    Tick.objects.update_or_create(
        pk=1,
        defaults={"at": timezone.now() - age, "process": "here:1", "clock_difference_seconds": difference},
    )


@pytest.mark.parametrize("path", ["/healthz", "/healthz/", "/readyz", "/readyz/", "/metrics", "/metrics/"])
def test_both_spellings_are_routed(client: Client, path: str) -> None:
    assert client.get(path).status_code in {200, 503}


def test_the_process_answers(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"


def test_nobody_is_ready_before_the_first_tick(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "has not ticked yet" in answer.json()["reasons"][0]
    health.beat(timezone.now(), 1)
    assert client.get("/readyz").json()["ready"] is True


@pytest.mark.parametrize(
    ("age", "difference", "says"),
    [
        (timedelta(seconds=29), 4.9, None),
        (timedelta(seconds=31), 0.0, "has not ticked for 31 s"),
        (timedelta(0), 5.1, "clock is +5.1 s"),
        (timedelta(0), -5.1, "clock is -5.1 s"),
    ],
)
def test_a_late_tick_and_clocks_apart_are_told(
    client: Client, age: timedelta, difference: float, says: str | None
) -> None:
    ticked(age, difference)
    answer = client.get("/readyz")
    assert answer.status_code == (503 if says else 200)
    assert says is None or says in answer.json()["reasons"][0]
    assert says is None or says in health.lag(timezone.now())


def test_metrics_are_for_this_machine_or_a_token(client: Client) -> None:
    ticked()
    body = client.get("/metrics").content.decode()
    assert "tocsin_ready 1.0" in body
    assert 'tocsin_due_rows{what="deliveries"} 0.0' in body
    assert 'tocsin_open_incidents{status="PENDING"} 0.0' in body
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code in {401, 403}
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code in {401, 403}
    assert client.get("/metrics", REMOTE_ADDR="").status_code in {401, 403}


def test_a_token_that_may_read_gets_the_metrics_from_anywhere() -> None:
    ticked()
    admin = person("ann", "admin")
    assert bearer(admin, "read").get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 200
    assert bearer(admin, "incidents:close").get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 403

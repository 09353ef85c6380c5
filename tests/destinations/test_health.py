"""A connector's last day, hour by hour."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from destinations import health
from destinations.models import Attempt, Connector, Delivery

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


def _connector(name: str) -> Connector:
    return Connector.objects.create(name=name, kind="webhook", config={})


def _attempt(connector: Connector, at: datetime, outcome: str = "sent", answer: str = "") -> Attempt:
    delivery, _ = Delivery.objects.get_or_create(
        key=f"d{connector.pk}", connector=connector, kind="webhook", defaults={"message": {}, "due_at": at}
    )
    return Attempt.objects.create(delivery=delivery, connector=connector, at=at, outcome=outcome, answer=answer)


def test_hours_are_whole_and_the_present_one_is_last() -> None:
    one = _connector("One")
    _attempt(one, datetime(2026, 11, 21, 12, 0, tzinfo=UTC))  # this hour begins
    _attempt(one, datetime(2026, 11, 21, 11, 59, 59, tzinfo=UTC), "retry")  # the hour before ends
    _attempt(one, datetime(2026, 11, 20, 13, 0, tzinfo=UTC), "unknown")  # the first of the 24
    _attempt(one, datetime(2026, 11, 20, 12, 59, 59, tzinfo=UTC), "retry")  # a day and an hour: gone
    found = health.last_day([one], NOW)[one.pk]
    assert len(found.hours) == 24
    assert [(hour.sent, hour.failed) for hour in (found.hours[0], *found.hours[-2:])] == [(0, 1), (0, 1), (1, 0)]
    assert (found.sent, found.failed, found.tried, found.percent) == (1, 2, 3, 33)


def test_one_failure_in_a_thousand_is_not_a_hundred_percent() -> None:
    hours = (health.Hour(NOW, sent=999, failed=1),)
    assert health.Health(hours).percent == 99
    assert health.Health((health.Hour(NOW, sent=3),)).percent == 100
    assert health.Health((health.Hour(NOW),)).percent is None


def test_the_last_error_is_the_latest_and_each_connector_has_its_own() -> None:
    one, two, quiet = _connector("One"), _connector("Two"), _connector("Quiet")
    _attempt(one, NOW - timedelta(hours=3), "retry", "old")
    _attempt(one, NOW - timedelta(hours=1), "rejected", "latest")
    _attempt(one, NOW)
    _attempt(two, NOW)
    found = health.last_day([one, two, quiet], NOW)
    error = found[one.pk].last_error
    assert error is not None
    assert error.answer == "latest"
    assert found[two.pk].last_error is None
    assert found[quiet.pk].percent is None


def test_two_queries_however_many(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    connectors = [_connector(f"C{place}") for place in range(5)]
    for connector in connectors:
        _attempt(connector, NOW, "retry")
    with django_assert_num_queries(2):
        health.last_day(connectors, NOW)

"""The calendars and the switch-off rule, as figures."""

from datetime import timedelta

import pytest

from destinations.retry import Floors, Health, must_switch_off, wait_after

SECONDS, HOUR = timedelta(seconds=1), timedelta(hours=1)


def test_a_connector_follows_the_whole_calendar_and_then_is_given_up() -> None:
    waits = [wait_after(failures, page=False) for failures in range(1, 17)]
    minutes = [60, 60, 180, 300, 600, 1800]
    assert [wait // SECONDS for wait in waits if wait is not None] == [1, 3, 5, 10, 10, 0, 1, 3, 5, 30, *minutes]
    assert wait_after(17, page=False) is None


def test_a_connector_follows_it_even_when_it_was_rejected() -> None:
    assert wait_after(1, page=False, rejected=True) == SECONDS


def test_a_page_is_tried_three_more_times_15_seconds_apart() -> None:
    assert [wait_after(failures, page=True) for failures in (1, 2, 3, 4)] == [15 * SECONDS] * 3 + [None]


def test_a_page_that_was_rejected_is_given_up_at_once() -> None:
    assert wait_after(1, page=True, rejected=True) is None


@pytest.mark.parametrize(
    ("page", "asked", "waits"),
    [
        (False, 5, 5),  # longer than the calendar's second
        (False, 0, 1),  # shorter: the calendar holds
        (False, 10**9, 86400),  # a wait of years is not believed
        (True, 5, 15),
        (True, 40, 40),
        (True, 3600, 60),  # another way to the person is better
    ],
)
def test_retry_after_is_obeyed_when_longer(page: bool, asked: int, waits: int) -> None:
    assert wait_after(1, page=page, retry_after=asked * SECONDS) == waits * SECONDS


@pytest.mark.parametrize(
    ("attempts", "failed", "deliveries", "failing_for", "off"),
    [
        (10, 6, 3, HOUR, True),  # exactly on every line
        (10, 5, 3, HOUR, False),  # 50 %
        (9, 9, 3, HOUR, False),  # too few attempts
        (10, 10, 2, HOUR, False),  # two deliveries only: one bad message proves nothing
        (10, 10, 3, HOUR - SECONDS, False),  # a short outage
        (1000, 599, 300, 3 * HOUR, False),  # 59.9 %
        (1000, 600, 300, 3 * HOUR, True),
        (0, 0, 0, HOUR, False),
    ],
)
def test_switch_off(attempts: int, failed: int, deliveries: int, failing_for: timedelta, off: bool) -> None:
    health = Health(attempts=attempts, failed=failed, deliveries=deliveries, failing_for=failing_for)
    assert must_switch_off(health, Floors()) is off


@pytest.mark.parametrize(("attempts", "failed", "off"), [(1, 1, True), (2, 1, False), (5, 3, True), (1, 0, False)])
def test_floors_of_1_1_0_give_the_plain_60_percent(attempts: int, failed: int, off: bool) -> None:
    plain = Floors(attempts=1, deliveries=1, failing_for=timedelta(0))
    health = Health(attempts=attempts, failed=failed, deliveries=1, failing_for=timedelta(0))
    assert must_switch_off(health, plain) is off

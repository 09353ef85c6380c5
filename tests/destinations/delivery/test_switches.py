"""A connector goes off, by a person or by its failures, and comes back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from destinations import delivery, pruning
from destinations.models import Attempt, Connector, Delivery
from tests.destinations.making import NOW, make_connector, order, page, row, send, states
from tests.sinks import HttpSink, Reply

pytestmark = pytest.mark.django_db
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FAILURES = Connector.Off.FAILURES


@pytest.fixture
def hook(http_sink: HttpSink) -> Connector:
    return make_connector(http_sink.url)


def attempted(hook: Connector, outcomes: str, *, since: timedelta, deliveries: int = 3) -> None:
    """Write attempts, "s"ent or "r"ejected or "u"nknown, evenly from so long ago until a minute ago."""
    rows = [
        Delivery.objects.create(
            key=f"old-{hook.pk}-{n}",
            kind="webhook",
            connector=hook,
            message={},
            due_at=NOW,
            state=Delivery.State.SENT,
            settled_at=NOW,
        )
        for n in range(deliveries)
    ]
    words = {"s": "sent", "r": "rejected", "u": "unknown"}
    step = (since - MINUTE) / max(1, len(outcomes) - 1)
    Attempt.objects.bulk_create(
        Attempt(delivery=rows[n % deliveries], connector=hook, at=NOW - since + n * step, outcome=words[letter])
        for n, letter in enumerate(outcomes)
    )


def fail_once(hook: Connector, http_sink: HttpSink, now: datetime = NOW) -> Connector:
    http_sink.default = Reply(500)
    delivery.enqueue([order(hook, f"last-{now}", due_at=now)], now=now)
    send(now)
    hook.refresh_from_db()
    return hook


@pytest.mark.parametrize(
    ("outcomes", "since", "deliveries", "off"),
    [
        ("r" * 9, 2 * HOUR, 3, True),
        ("u" * 9, 2 * HOUR, 3, True),  # an unknown outcome is a failure
        ("sss" + "r" * 6, 3 * HOUR, 3, True),  # 7 of 10, failing for over an hour
        ("rrrrrrsss" + "r", 3 * HOUR, 3, False),  # its last success is too recent
        ("s" * 7 + "r" * 9, 8 * HOUR, 3, False),  # 10 of 17
        ("r" * 8, 2 * HOUR, 3, False),  # nine attempts with this one
        ("r" * 9, 2 * HOUR, 1, False),  # two deliveries with this one
        ("r" * 9, HOUR - MINUTE, 3, False),
        ("r" * 9, 14 * HOUR, 3, False),  # what is older than 12 hours is forgotten
    ],
)
def test_switching_itself_off(
    outcomes: str, since: timedelta, deliveries: int, off: bool, hook: Connector, http_sink: HttpSink
) -> None:
    attempted(hook, outcomes, since=since, deliveries=deliveries)
    fail_once(hook, http_sink)
    assert (hook.enabled, hook.off) == (not off, FAILURES if off else "")
    if off:
        assert "switch it on again" in hook.off_reason
        assert hook.off_at == NOW


def test_a_success_switches_nothing_off(hook: Connector) -> None:
    attempted(hook, "r" * 20, since=2 * HOUR)
    delivery.enqueue([order(hook, "good")], now=NOW)
    send()
    hook.refresh_from_db()
    assert hook.enabled


def test_the_floors_are_settings(hook: Connector, http_sink: HttpSink, settings: Settings) -> None:
    settings.SWITCH_OFF_MIN_ATTEMPTS = settings.SWITCH_OFF_MIN_DELIVERIES = 1
    settings.SWITCH_OFF_MIN_MINUTES = 0
    assert not fail_once(hook, http_sink).enabled


def test_pages_to_people_switch_nothing_off(hook: Connector, http_sink: HttpSink, settings: Settings) -> None:
    settings.SWITCH_OFF_MIN_ATTEMPTS = settings.SWITCH_OFF_MIN_DELIVERIES = 1
    settings.SWITCH_OFF_MIN_MINUTES = 0
    http_sink.default = Reply(404)
    delivery.enqueue([page("a", f"{http_sink.url}/t", connector_id=hook.pk)], now=NOW)
    send()
    hook.refresh_from_db()
    assert (states("a"), hook.enabled) == (["failed"], True)


def test_what_happened_before_it_was_switched_on_again_is_forgotten(hook: Connector, http_sink: HttpSink) -> None:
    attempted(hook, "r" * 20, since=2 * HOUR)
    assert not fail_once(hook, http_sink).enabled
    later = NOW + MINUTE
    delivery.switch_on(hook, later)
    assert fail_once(hook, http_sink, later).enabled


def arrived(http_sink: HttpSink) -> Sequence[str]:
    return [one.json["type"].removeprefix("incident.") for one in http_sink.requests]


def test_what_is_queued_waits_and_leaves_in_order(hook: Connector, http_sink: HttpSink) -> None:
    assert delivery.switch_off(hook, "moving house", NOW)
    assert not delivery.switch_off(hook, "again", NOW)
    assert (hook.enabled, hook.off, hook.off_reason) == (False, "person", "moving house")
    events = ["opened", "accepted", "resolved"]
    delivery.enqueue([order(hook, event, event=event, lane="l") for event in events], now=NOW)
    assert send(NOW + HOUR) == 0
    assert delivery.switch_on(hook, NOW + HOUR)
    assert not delivery.switch_on(hook, NOW + HOUR)
    assert (hook.enabled, hook.off, hook.off_reason, hook.off_at) == (True, "", "", None)
    send(NOW + HOUR)
    assert arrived(http_sink) == events


def test_switching_on_does_not_wait_for_the_calendar(hook: Connector, http_sink: HttpSink) -> None:
    http_sink.script(Reply(503, "", {"Retry-After": "3000"}))
    delivery.enqueue([order(hook, "a")], now=NOW)
    send()
    delivery.switch_off(hook, "mending it", NOW)
    delivery.switch_on(hook, NOW + MINUTE)
    assert send(NOW + MINUTE) == 1
    assert states("a") == ["sent"]


def test_what_waited_over_a_day_is_cancelled_with_the_reason(hook: Connector, http_sink: HttpSink) -> None:
    delivery.switch_off(hook, "holidays", NOW)
    delivery.enqueue([order(hook, "old"), order(hook, "new", due_at=NOW + HOUR)], now=NOW)
    delivery.switch_on(hook, NOW + timedelta(days=1, minutes=1))
    send(NOW + timedelta(days=1, minutes=1))
    assert states("old", "new") == ["cancelled", "sent"]
    assert row("old").detail == "The connector was switched off for over a day."


def test_pruning_cancels_what_waits_in_vain_and_deletes_what_is_old(
    hook: Connector, http_sink: HttpSink, settings: Settings
) -> None:
    off = make_connector(http_sink.url, "Off", enabled=False)
    delivery.enqueue([order(hook, "sent"), order(off, "waits"), page("page", f"{http_sink.url}/t")], now=NOW)
    send()
    day = timedelta(days=1)
    assert pruning.run_due(NOW + day, 100) == 0
    assert pruning.run_due(NOW + day + MINUTE, 100) == 1
    assert states("sent", "waits", "page") == ["sent", "cancelled", "sent"]
    end = NOW + settings.DELIVERY_DAYS * day + MINUTE
    assert pruning.run_due(end, 1) == 1
    assert pruning.run_due(end, 100) == 1
    assert list(Delivery.objects.values_list("key", flat=True)) == ["waits"]
    assert Attempt.objects.count() == 0

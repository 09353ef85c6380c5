"""Into the outbox and out of it again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from destinations import delivery
from destinations.base import Message
from destinations.delivery import Order
from destinations.models import Connector, Delivery
from tests.config.test_engine import Engine
from tests.destinations.making import NOW, make_connector, make_message, order, page, row, send, states
from tests.sinks import HttpSink

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def hook(http_sink: HttpSink) -> Connector:
    return make_connector(http_sink.url)


def test_ordering_the_same_twice_adds_nothing(hook: Connector) -> None:
    delivery.enqueue([order(hook, "a"), order(hook, "b")], now=NOW)
    delivery.enqueue([order(hook, "b", event="resolved"), order(hook, "c")], now=NOW)
    assert Delivery.objects.count() == 3
    assert row("b").event == "opened"


def test_what_is_stored_is_what_was_ordered(hook: Connector) -> None:
    message = make_message("page", settings={"routing_key": "k"}, labels={"a": "č"})
    delivery.enqueue([page("a", "http://x/t", message=message, due_at=LATER)], now=NOW)
    stored = row("a")
    assert Message.from_json(stored.message) == message
    assert (stored.target, stored.due_at, stored.state, stored.tries) == ({"address": "http://x/t"}, LATER, "queued", 0)


def test_a_hundred_orders_are_as_many_queries_as_ten(
    hook: Connector, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (10, 40):
        orders = [order(hook, f"{count}-{number}") for number in range(count)]
        with django_assert_num_queries(1):
            delivery.enqueue(orders, now=NOW)


@pytest.fixture
def engine(tmp_path: Path, settings: Settings) -> Iterator[Engine]:
    settings.ENGINE_SOCKET = tmp_path / "engine.sock"
    listener = Engine(settings.ENGINE_SOCKET)
    yield listener
    listener.socket.close()


@pytest.mark.django_db(transaction=True)
def test_what_is_due_wakes_delivery_after_the_commit(hook: Connector, engine: Engine) -> None:
    delivery.enqueue([order(hook, "later", due_at=LATER)], now=NOW)
    assert engine.heard() == []
    with transaction.atomic():
        delivery.enqueue([order(hook, "now")], now=NOW)
        assert engine.heard() == []
    assert engine.heard() == ["destinations.delivery.run_due"]
    delivery.bring_forward(["later"], now=NOW)
    assert engine.heard() == ["destinations.delivery.run_due"]


CANCELLED: list[tuple[dict[str, object], list[str]]] = [
    ({"keys": ["a", "c"]}, ["a", "c"]),
    ({"keys": []}, []),
    ({"subject": "thing:1"}, ["a", "b"]),
    ({"recipient": "contact-method:1"}, ["b", "c"]),
    ({"recipient_prefix": "contact-method:"}, ["b", "c"]),
    ({"subject": "thing:1", "recipient_prefix": "contact-method:"}, ["b"]),
]


@pytest.mark.parametrize(("named", "expected"), CANCELLED)
def test_cancel_takes_out_what_matches_everything_named(
    named: dict[str, object], expected: list[str], hook: Connector
) -> None:
    orders: list[Order] = [order(hook, "a"), page("b", "http://x/t"), page("c", "http://x/t", subject="thing:2")]
    delivery.enqueue(orders, now=NOW)
    assert delivery.cancel(now=NOW, reason="nobody waits for it", **named) == len(expected)  # type: ignore[arg-type]
    found = Delivery.objects.filter(state=Delivery.State.CANCELLED, detail="nobody waits for it", settled_at=NOW)
    assert sorted(found.values_list("key", flat=True)) == expected


def test_cancel_without_a_name_is_refused(hook: Connector) -> None:
    delivery.enqueue([order(hook, "a")], now=NOW)
    with pytest.raises(ValueError, match="would empty the outbox"):
        delivery.cancel(now=NOW, reason="oops")
    assert states("a") == ["queued"]


def test_what_is_settled_or_being_sent_cannot_be_cancelled(hook: Connector) -> None:
    delivery.enqueue([order(hook, "sent")], now=NOW)
    send()
    delivery.enqueue([order(hook, "sending")], now=NOW)
    Delivery.objects.filter(key="sending").update(state=Delivery.State.SENDING)
    assert delivery.cancel(now=NOW, reason="too late", subject="thing:1") == 0


def test_cancelling_many_is_one_update(hook: Connector, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    delivery.enqueue([order(hook, str(number), subject="") for number in range(40)], now=NOW)
    kept = list(delivery.settled)
    delivery.settled.clear()
    try:
        with django_assert_num_queries(4):  # savepoint, select, update, release
            delivery.cancel(now=NOW, reason="over", recipient="connection:1")
    finally:
        delivery.settled.extend(kept)


def test_bring_forward_moves_only_what_waits_for_later(hook: Connector) -> None:
    delivery.enqueue([order(hook, "a", due_at=LATER), order(hook, "b"), order(hook, "c", due_at=LATER)], now=NOW)
    assert delivery.bring_forward(["a", "b"], now=NOW) == 1
    assert [row(key).due_at for key in "abc"] == [NOW, NOW, LATER]


def test_replay_sends_again_under_the_same_id(hook: Connector, http_sink: HttpSink) -> None:
    delivery.enqueue([order(hook, "a")], now=NOW)
    send()
    assert delivery.replay([row("a").uuid], now=LATER) == 1
    assert (row("a").state, row("a").tries, row("a").settled_at) == ("queued", 0, None)
    send(LATER)
    assert states("a") == ["sent"]
    assert row("a").attempts.count() == 2
    first, second = http_sink.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_replay_leaves_alone_what_is_still_on_its_way(hook: Connector) -> None:
    delivery.enqueue([order(hook, "a", due_at=LATER)], now=NOW)
    assert delivery.replay([row("a").uuid], now=NOW) == 0
    assert row("a").due_at == LATER


def test_oldest_due_counts_neither_the_future_nor_a_connector_that_is_off(hook: Connector) -> None:
    off = make_connector("http://x", "Off", enabled=False)
    assert delivery.oldest_due(NOW) is None
    early, earlier = NOW - timedelta(seconds=3), NOW - timedelta(seconds=9)
    delivery.enqueue([order(off, "off", due_at=earlier), order(hook, "later", due_at=LATER)], now=NOW)
    assert delivery.oldest_due(NOW) is None
    delivery.enqueue([order(hook, "due", due_at=early), page("page", "http://x/t")], now=NOW)
    assert delivery.oldest_due(NOW) == early

"""Many threads and slow targets, on both databases: nothing twice, nobody starved."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from destinations import delivery
from destinations.base import Outcome, Result
from destinations.delivery import Sender
from destinations.delivery.claiming import Slots, claim
from destinations.delivery.settling import Finished
from destinations.models import Attempt, Delivery
from tests.destinations.making import NOW, make_connector, order, page, states
from tests.sinks import HttpSink, Reply

pytestmark = pytest.mark.usefixtures("each_database")
HOLD = Reply(200, hold=threading.Event())  # answers when the sink stops


@pytest.fixture
def sender() -> Iterator[Sender]:
    made = Sender()
    yield made
    assert made.stop(20)


@pytest.fixture
def failing() -> Iterator[Callable[[Exception | None], None]]:
    """Have whoever is told of settled rows fail like this; with None no longer."""
    fault: list[Exception | None] = [None]

    def tell(one: Delivery, now: datetime) -> None:
        if fault[0] is not None:
            raise fault[0]

    def fail(exc: Exception | None) -> None:
        fault[0] = exc

    delivery.settled.append(tell)
    yield fail
    delivery.settled.remove(tell)


def claim_in_threads(count: int, slots: Slots, rounds: int) -> list[Delivery]:
    """Claim in so many threads at once and return every row that one of them was given."""
    ready, caught, lock = threading.Barrier(count), list[Delivery](), threading.Lock()

    def work() -> None:
        ready.wait()
        for _ in range(rounds):
            rows = [task.row for task in claim(slots, NOW)]
            with lock:
                caught.extend(rows)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return caught


def test_64_threads_that_claim_pages_take_none_twice(settings: Settings) -> None:
    settings.SEND_THREADS = 64
    delivery.enqueue([page(str(number), "http://127.0.0.1/t") for number in range(150)], now=NOW)
    caught = claim_in_threads(64, Slots(pages=3, others=0), 1)
    caught += claim_in_threads(4, Slots(pages=48, others=0), 3)
    assert sorted(row.pk for row in caught) == sorted(Delivery.objects.values_list("pk", flat=True))
    assert {row.tries for row in caught} == {1}


def test_threads_together_keep_to_a_connectors_limit(settings: Settings) -> None:
    hooks = [make_connector("http://127.0.0.1/", f"Hook {number}") for number in range(5)]
    delivery.enqueue([order(hook, f"{hook.pk}-{number}") for hook in hooks for number in range(20)], now=NOW)
    caught = claim_in_threads(16, Slots(pages=0, others=8), 4)
    assert len({row.pk for row in caught}) == len(caught)
    assert Counter(row.connector_id for row in caught) == {hook.pk: settings.CONNECTOR_CONCURRENCY for hook in hooks}


def test_a_lane_is_never_in_two_hands() -> None:
    hook = make_connector("http://127.0.0.1/")
    delivery.enqueue([order(hook, f"{number}", lane="l") for number in range(20)], now=NOW)
    caught = claim_in_threads(16, Slots(pages=0, others=8), 4)
    assert [row.key for row in caught] == ["0"]


def test_a_storm_at_a_target_that_hangs_holds_up_neither_pages_nor_others(
    http_sink: HttpSink, sender: Sender, settings: Settings
) -> None:
    http_sink.by_path = {"/slow": Reply(200, hold=http_sink.stopping)}
    settings.CONNECTOR_TIMEOUT = timedelta(seconds=6)
    slow, quick = make_connector(f"{http_sink.url}/slow", "Slow"), make_connector(f"{http_sink.url}/quick", "Quick")
    now = timezone.now()
    delivery.enqueue([order(slow, f"slow-{number}", due_at=now) for number in range(400)], now=now)
    sender.wake()
    http_sink.wait_for(settings.CONNECTOR_CONCURRENCY)
    now = timezone.now()
    delivery.enqueue(
        [order(quick, f"quick-{number}", due_at=now) for number in range(10)]
        + [page(f"page-{number}", f"{http_sink.url}/topic", due_at=now) for number in range(10)],
        now=now,
    )
    sender.wake()
    arrived = Counter(one.path for one in http_sink.wait_for(22, 5))
    assert (arrived["/quick"], arrived["/"]) == (10, 10)
    assert arrived["/slow"] == settings.CONNECTOR_CONCURRENCY, "never more at once than its share"
    http_sink.stopping.set()


def test_many_targets_that_hang_leave_hands_for_one_that_answers(
    http_sink: HttpSink, sender: Sender, settings: Settings
) -> None:
    http_sink.by_path = {"/slow": Reply(200, hold=http_sink.stopping)}
    settings.CONNECTOR_TIMEOUT, settings.CONNECTOR_CONCURRENCY = timedelta(seconds=2.2), 1
    dead = [make_connector(f"{http_sink.url}/slow", f"Dead {number}") for number in range(12)]
    now = timezone.now()
    delivery.enqueue([order(one, f"{one.pk}-{number}", due_at=now) for one in dead for number in range(9)], now=now)
    sender.wake()
    http_sink.wait_for(2 * settings.SEND_THREADS + 1)  # by now each of them has shown what it is
    quick, now = make_connector(f"{http_sink.url}/quick", "Quick"), timezone.now()
    delivery.enqueue([order(quick, f"quick-{number}", due_at=now) for number in range(6)], now=now)
    sender.wake()
    http_sink.wait_for(6, 6, path="/quick")
    http_sink.stopping.set()


def test_a_mail_server_that_hangs_does_not_hold_up_the_phones(
    http_sink: HttpSink, sender: Sender, settings: Settings
) -> None:
    settings.EMAIL_URL = f"smtp://127.0.0.1:{http_sink.port}"  # takes the connection and says nothing
    settings.PAGE_TIMEOUT = timedelta(seconds=4)
    now = timezone.now()
    mails = [page(f"mail-{number}", "a@example.org", kind="email", due_at=now) for number in range(40)]
    delivery.enqueue([*mails, page("push", f"{http_sink.url}/topic", due_at=now)], now=now)
    sender.wake()
    assert http_sink.wait_for(1, 3)[0].json["topic"] == "topic"
    delivery.cancel(now=now, reason="the test is over", recipient="contact-method:1")
    http_sink.stopping.set()


def test_the_sender_ends_what_it_has_in_hand_and_takes_nothing_new(http_sink: HttpSink) -> None:
    http_sink.default = Reply(200, hold=threading.Event())
    hook, now = make_connector(http_sink.url), timezone.now()
    delivery.enqueue([order(hook, str(number), due_at=now) for number in range(6)], now=now)
    sender = Sender()
    sender.wake()
    http_sink.wait_for(2)
    assert not sender.stop(0.1), "two are still in hand"
    assert http_sink.default.hold is not None
    http_sink.default.hold.set()
    assert sender.stop(20)
    assert Counter(Delivery.objects.values_list("state", flat=True)) == {"sent": 2, "queued": 4}
    assert Attempt.objects.count() == 2


def test_a_result_that_cannot_be_written_does_not_stand_before_what_is_due(http_sink: HttpSink, sender: Sender) -> None:
    now = timezone.now()
    delivery.enqueue([page(key, f"{http_sink.url}/t", due_at=now) for key in ("a", "b")], now=now)
    [held] = claim(Slots(pages=1, others=0), now)
    broken = Result(outcome=Outcome.SENT, reference={"x": object()})  # no JSON: cannot be stored
    sender.unwritten = [Finished(row=held.row, at=now, result=broken)]
    sender.wake()
    http_sink.wait_for(1, 5)


def test_a_database_that_takes_no_results_does_not_keep_back_pages(
    http_sink: HttpSink, sender: Sender, failing: Callable[[Exception | None], None]
) -> None:
    now = timezone.now()
    delivery.enqueue([page(key, f"{http_sink.url}/t", due_at=now) for key in ("a", "b")], now=now)
    [held] = claim(Slots(pages=1, others=0), now)
    failing(OperationalError("busy"))
    sender.unwritten = [Finished(row=held.row, at=now, result=Result(outcome=Outcome.SENT))]
    sender.wake()
    http_sink.wait_for(1, 5)
    assert held.row.pk in {one.row.pk for one in sender.unwritten}, "it is kept until the database takes it"
    failing(None)
    assert sender.stop(20)
    assert states(held.row.key) == ["sent"]


def test_a_sender_that_was_never_woken_stops(http_sink: HttpSink) -> None:
    sender = Sender()
    assert sender.stop(1)
    sender.wake()
    assert sender.thread is None


def fill(size: int) -> None:
    """A storm for one connector, a row for another and a page; and as many old rows that were sent long ago."""
    hooks = [make_connector("http://127.0.0.1/", f"Hook {size} {number}") for number in range(3)]
    delivery.enqueue(
        [order(hooks[0], f"{size}-{number}", lane=f"{size}-{number // 3}") for number in range(size)]
        + [order(hooks[1], f"{size}", lane=f"{size}"), page(f"page-{size}", "http://127.0.0.1/t")],
        now=NOW,
    )
    old = [
        Delivery(key=f"old-{size}-{number}", kind="webhook", connector=hooks[0], message={}, due_at=NOW)
        for number in range(size)
    ]
    for one in old:
        one.state, one.settled_at = Delivery.State.SENT, NOW
    Delivery.objects.bulk_create(old)


def test_a_claim_is_as_many_queries_in_a_storm_as_on_a_quiet_day() -> None:
    counts = []
    for size in (1, 400):
        fill(size)
        with CaptureQueriesContext(connection) as queries:
            assert len(claim(Slots(pages=1, others=1), NOW)) == 2
        counts.append(len(queries))
        Delivery.objects.all().delete()
    assert counts[0] == counts[1] <= 21


def test_every_question_of_a_claim_is_answered_by_an_index() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL chooses by the size of the table")
    fill(400)
    with CaptureQueriesContext(connection) as queries:
        assert len(claim(Slots(pages=1, others=1), NOW)) == 2
    asked = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert len(asked) > 5
    for question in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {question.replace('%', '%%')}")
            plan = [row[3] for row in cursor.fetchall()]
        scans = [line for line in plan if line.startswith("SCAN destinations_delivery") and "USING" not in line]
        assert not scans, question


def test_what_waits_behind_a_retry_is_not_looked_at_in_vain(http_sink: HttpSink) -> None:
    http_sink.default = Reply(500)
    hook = make_connector(http_sink.url)
    delivery.enqueue([order(hook, key, lane="l") for key in ("a", "b", "c")], now=NOW)
    delivery.run_due(NOW)
    assert states("a", "b", "c") == ["queued"] * 3
    assert set(Delivery.objects.values_list("due_at", flat=True)) == {NOW + timedelta(seconds=1)}

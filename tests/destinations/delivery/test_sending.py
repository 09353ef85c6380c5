"""From the outbox to the world: calendars, order, leases, hooks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from destinations import delivery
from destinations.base import Outcome, Result
from destinations.delivery.claiming import Slots, Task, claim
from destinations.delivery.settling import Finished, record
from destinations.models import Attempt, Connector, Delivery
from tests.destinations.making import NOW, make_connector, order, page, row, send, states
from tests.sinks import HttpSink, Reply

pytestmark = pytest.mark.django_db
ALL = Slots(pages=8, others=8)
SECOND = timedelta(seconds=1)


@pytest.fixture
def hook(http_sink: HttpSink) -> Connector:
    return make_connector(http_sink.url)


@pytest.fixture
def settled() -> Iterator[list[tuple[str, str]]]:
    """What the hook `settled` was told: (key, state)."""
    told: list[tuple[str, str]] = []

    def note(one: Delivery, now: datetime) -> None:
        assert transaction.get_connection().in_atomic_block
        told.append((one.key, one.state))

    delivery.settled.append(note)
    yield told
    delivery.settled.remove(note)


Question = Callable[[Sequence[Delivery], datetime], Mapping[int, str]]


@pytest.fixture
def asking() -> Iterator[Callable[[Question], None]]:
    """Register a `still_wanted` for the test."""
    added: list[Question] = []

    def add(question: Question) -> None:
        delivery.still_wanted.append(question)
        added.append(question)

    yield add
    for question in added:
        delivery.still_wanted.remove(question)


def test_a_row_is_sent_and_its_attempt_is_kept(hook: Connector, http_sink: HttpSink, settled: list[object]) -> None:
    http_sink.default = Reply(200, "thanks")
    delivery.enqueue([order(hook, "a")], now=NOW)
    assert send() == 1
    assert send() == 0
    sent, attempt = row("a"), Attempt.objects.get()
    assert (sent.state, sent.outcome, sent.settled_at, sent.lease_by, sent.lease_until) == (
        "sent",
        "sent",
        NOW,
        "",
        None,
    )
    assert (attempt.outcome, attempt.status, attempt.answer, attempt.at) == ("sent", 200, "thanks", NOW)
    assert attempt.seconds > 0
    assert settled == [("a", "sent")]


def test_a_connector_follows_the_whole_calendar_with_the_same_id(
    hook: Connector, http_sink: HttpSink, settled: list[object]
) -> None:
    http_sink.default = Reply(404, "nothing here")  # looks permanent, and follows it all the same
    delivery.enqueue([order(hook, "a")], now=NOW)
    now, waits = NOW, []
    while send(now) and row("a").state == "queued":
        waits.append((row("a").due_at - now).total_seconds())
        assert send(row("a").due_at - timedelta(microseconds=1)) == 0
        now = row("a").due_at
    # after the sixth failure it is due at once, so one run makes two attempts
    assert waits == [1, 3, 5, 10, 10, 1, 3, 5, 30, 60, 60, 180, 300, 600, 1800]
    assert row("a").attempts.count() == 17
    assert (row("a").state, row("a").detail[:3]) == ("failed", "404")
    assert len({one.headers["webhook-id"] for one in http_sink.requests}) == 1
    assert settled == [("a", "failed")]


def test_what_ends_without_an_answer_ends_unknown(hook: Connector, http_sink: HttpSink) -> None:
    http_sink.script(*[500] * 16, Reply(fault="reset"))
    delivery.enqueue([order(hook, "a")], now=NOW)
    while send(row("a").due_at):
        pass
    assert states("a") == ["unknown"]


def test_a_longer_retry_after_is_obeyed(hook: Connector, http_sink: HttpSink) -> None:
    http_sink.script(Reply(503, "", {"Retry-After": "77"}))
    delivery.enqueue([order(hook, "a")], now=NOW)
    send()
    assert row("a").due_at == NOW + 77 * SECOND


def test_a_page_is_tried_four_times_15_seconds_apart(http_sink: HttpSink, settled: list[object]) -> None:
    http_sink.default = Reply(500)
    delivery.enqueue([page("a", f"{http_sink.url}/topic")], now=NOW)
    moments = []
    while send(row("a").due_at):
        moments.append(row("a").due_at - NOW)
    assert moments == [15 * SECOND, 30 * SECOND, 45 * SECOND, 45 * SECOND]
    assert row("a").attempts.count() == 4
    assert settled == [("a", "failed")]


def test_a_page_that_is_refused_for_good_is_given_up_at_once(http_sink: HttpSink) -> None:
    http_sink.default = Reply(404)
    delivery.enqueue([page("a", f"{http_sink.url}/topic")], now=NOW)
    send()
    assert (row("a").state, row("a").attempts.count()) == ("failed", 1)


def test_a_page_without_an_answer_is_sent_again(http_sink: HttpSink) -> None:
    http_sink.script(Reply(fault="reset"))
    delivery.enqueue([page("a", f"{http_sink.url}/topic")], now=NOW)
    send()
    assert (row("a").state, row("a").outcome) == ("queued", "unknown")
    send(NOW + 15 * SECOND)
    assert states("a") == ["sent"]


def test_a_lane_keeps_its_order(hook: Connector, http_sink: HttpSink) -> None:
    http_sink.script(500, 500)
    lane = {"lane": "connection:1:incident:1"}
    delivery.enqueue(
        [order(hook, "opened", **lane), order(hook, "resolved", event="resolved", **lane), order(hook, "alone")],
        now=NOW,
    )
    send()  # "opened" and "alone" fail
    assert states("opened", "resolved", "alone") == ["queued"] * 3
    send(NOW + SECOND)
    assert states("opened", "resolved", "alone") == ["sent"] * 3
    kinds = [one.json["type"] for one in http_sink.requests if one.json["type"] != "incident.opened"]
    assert kinds == ["incident.resolved"], "never before its trigger"
    assert http_sink.requests[-1].json["type"] == "incident.resolved"


def test_a_replayed_row_goes_before_what_stands_behind_it(hook: Connector, http_sink: HttpSink) -> None:
    delivery.enqueue([order(hook, "opened", lane="l")], now=NOW)
    send()
    delivery.enqueue([order(hook, "resolved", event="resolved", lane="l")], now=NOW)
    delivery.replay([row("opened").uuid], now=NOW)
    send()
    assert [one.json["type"] for one in http_sink.requests] == [
        "incident.opened",
        "incident.opened",
        "incident.resolved",
    ]


def test_when_the_opening_fails_the_rest_of_its_lane_is_not_sent(hook: Connector, http_sink: HttpSink) -> None:
    http_sink.default = Reply(400, "no")
    delivery.enqueue([order(hook, "opened", lane="l"), order(hook, "resolved", event="resolved", lane="l")], now=NOW)
    tomorrow = NOW + timedelta(days=1)
    delivery.enqueue(
        [order(hook, "later", lane="l", due_at=tomorrow), order(hook, "m", lane="m", due_at=tomorrow)], now=NOW
    )
    while row("opened").state == "queued":
        send(row("opened").due_at)
    assert states("opened", "resolved", "later", "m") == ["failed", "cancelled", "cancelled", "queued"]
    assert "never got the message that opened this" in row("resolved").detail
    http_sink.default = Reply(200)
    delivery.enqueue([order(hook, "late", event="noted", lane="l")], now=NOW)
    send()
    assert states("late") == ["cancelled"], "and what is enqueued afterwards is not either"
    delivery.replay([row("opened").uuid, row("resolved").uuid], now=NOW)
    send()
    assert states("opened", "resolved") == ["sent", "sent"], "until the opening is replayed"


def test_the_key_that_triggered_is_kept_though_the_connector_was_edited(http_sink: HttpSink) -> None:
    http_sink.default = Reply(202, {"status": "success"})
    pager = make_connector("", kind="pagerduty", secrets={"integration_key": "first-key"})
    pager.config = {"api_url": http_sink.url}
    pager.save()
    delivery.enqueue([order(pager, "opened", lane="l")], now=NOW)
    send()
    pager.secrets = {"integration_key": "second-key"}
    pager.save()
    delivery.enqueue([order(pager, "resolved", event="resolved", lane="l"), order(pager, "other", lane="m")], now=NOW)
    send()
    keys = {one.json["dedup_key"] + one.json["event_action"]: one.json["routing_key"] for one in http_sink.requests[:1]}
    assert list(keys.values()) == ["first-key"]
    used = sorted((one.json["event_action"], one.json["routing_key"]) for one in http_sink.requests[1:])
    assert used == [("resolve", "first-key"), ("trigger", "second-key")]


def test_what_is_not_wanted_any_more_is_not_sent(
    hook: Connector, http_sink: HttpSink, asking: Callable[[Question], None], settled: list[object]
) -> None:
    asking(lambda rows, now: {one.pk: "somebody has it" for one in rows if one.key != "wanted"})
    delivery.enqueue([order(hook, f"{number}") for number in range(30)] + [order(hook, "wanted")], now=NOW)
    send()
    assert len(http_sink.requests) == 1
    assert states("wanted", "7") == ["sent", "cancelled"]
    assert (row("7").detail, row("7").tries, row("7").settled_at) == ("somebody has it", 0, NOW)
    assert ("7", "cancelled") in settled


def test_a_question_that_breaks_holds_nothing_back(hook: Connector, asking: Callable[[Question], None]) -> None:
    def broken(rows: Sequence[Delivery], now: datetime) -> Mapping[int, str]:
        raise KeyError("oops")

    asking(broken)
    delivery.enqueue([order(hook, "a")], now=NOW)
    send()
    assert states("a") == ["sent"]


def test_a_listener_may_enqueue_and_a_broken_one_stops_nothing(hook: Connector, http_sink: HttpSink) -> None:
    def follow(one: Delivery, now: datetime) -> None:
        if one.key == "a":
            delivery.enqueue([order(hook, "b", due_at=now)], now=now)
        if one.key == "b":
            raise KeyError("oops")

    delivery.settled.append(follow)
    try:
        delivery.enqueue([order(hook, "a")], now=NOW)
        assert send() == 2
    finally:
        delivery.settled.remove(follow)
    assert states("a", "b") == ["sent", "sent"]


def take(now: datetime = NOW) -> list[Task]:
    return claim(ALL, now)


def finish(task: Task, outcome: Outcome = Outcome.SENT, at: datetime = NOW) -> None:
    record([Finished(row=task.row, at=at, result=Result(outcome=outcome))], at)


def test_a_claimed_row_belongs_to_one_until_its_lease_ends(hook: Connector, settings: Settings) -> None:
    delivery.enqueue([order(hook, "a")], now=NOW)
    assert [task.row.key for task in take()] == ["a"]
    assert take(NOW + settings.SEND_LEASE - SECOND) == []
    assert [task.row.key for task in take(NOW + settings.SEND_LEASE)] == ["a"]


def test_what_a_dead_process_was_sending_is_sent_again_and_the_record_says_so(
    http_sink: HttpSink, settings: Settings
) -> None:
    delivery.enqueue([page("a", f"{http_sink.url}/topic")], now=NOW)
    take()
    assert send(NOW + settings.SEND_LEASE) == 1
    assert states("a") == ["sent"]
    lost, sent = row("a").attempts.all()
    assert (lost.outcome, lost.error_code, lost.at) == ("unknown", "lost", NOW)
    assert (sent.outcome, row("a").tries) == ("sent", 2)


def test_a_frozen_workers_late_result_is_refused(hook: Connector, settings: Settings) -> None:
    delivery.enqueue([order(hook, "a")], now=NOW)
    (frozen,) = take()
    (second,) = take(NOW + settings.SEND_LEASE)
    finish(frozen, Outcome.REJECTED)
    assert (row("a").state, row("a").lease_by) == ("sending", second.row.lease_by)
    finish(second)
    finish(frozen, Outcome.REJECTED)
    assert states("a") == ["sent"]
    assert [one.outcome for one in row("a").attempts.all()] == ["unknown", "sent"]


def test_a_late_result_is_refused_even_after_a_replay(hook: Connector, settings: Settings) -> None:
    delivery.enqueue([order(hook, "a")], now=NOW)
    (frozen,) = take()
    finish(take(NOW + settings.SEND_LEASE)[0])
    delivery.replay([row("a").uuid], now=NOW)
    (again,) = take()
    assert (again.row.tries, frozen.row.tries) == (1, 1)
    finish(frozen, Outcome.REJECTED)
    assert states("a") == ["sending"]


def test_a_message_that_kills_every_process_is_given_up(http_sink: HttpSink, settings: Settings) -> None:
    delivery.enqueue([page("a", f"{http_sink.url}/topic")], now=NOW)
    now = NOW
    for _ in range(4):
        assert len(take(now)) == 1
        now += settings.SEND_LEASE
    assert take(now) == []
    assert states("a") == ["unknown"]


def test_a_page_by_a_connector_that_is_off_fails_at_once(hook: Connector, http_sink: HttpSink) -> None:
    delivery.switch_off(hook, "moved house", NOW)
    delivery.enqueue([page("a", f"{http_sink.url}/topic", connector_id=hook.pk)], now=NOW)
    send()
    assert states("a") == ["failed"]
    assert "switched off. moved house" in row("a").detail
    assert http_sink.requests == []


def test_a_row_whose_key_is_gone_holds_up_no_other(hook: Connector, settings: Settings) -> None:
    kept = settings.FIELD_KEYS
    settings.FIELD_KEYS = ["R" * 43 + "="]
    delivery.enqueue([order(hook, "a")], now=NOW)
    settings.FIELD_KEYS = kept
    delivery.enqueue([order(hook, "b")], now=NOW)
    send()
    assert dict(Delivery.objects.values_list("key", "state")) == {"a": "failed", "b": "sent"}
    assert "TOCSIN_FIELD_KEYS" in Delivery.objects.values_list("detail", flat=True).get(key="a")


def test_a_limit_is_kept(hook: Connector, http_sink: HttpSink) -> None:
    delivery.enqueue([order(hook, str(number)) for number in range(9)], now=NOW)
    assert send(limit=4) == 4
    assert len(http_sink.requests) == 4
    assert send() == 5


def test_what_cannot_be_written_holds_up_no_other_result(hook: Connector, settings: Settings) -> None:
    delivery.enqueue([order(hook, "a"), order(hook, "b")], now=NOW)
    good, bad = take()
    broken = Result(outcome=Outcome.SENT, reference={"x": object()})  # no JSON: cannot be stored
    unreadable = Result(outcome=Outcome.SENT, answer="\ud800")  # no UTF-8: the driver refuses it
    for result in (broken, unreadable):
        record([Finished(row=bad.row, at=NOW, result=result)], NOW)
        assert states(bad.row.key) == ["sending"]
    record(
        [
            Finished(row=bad.row, at=NOW, result=broken),
            Finished(row=good.row, at=NOW, result=Result(outcome=Outcome.SENT)),
        ],
        NOW,
    )
    assert states(good.row.key, bad.row.key) == ["sent", "sending"]
    assert [task.row.key for task in take(NOW + settings.SEND_LEASE)] == [bad.row.key], "it is sent again"


@pytest.mark.parametrize("kept", ["\ud800", "a\0b"])
def test_an_answer_that_no_database_keeps_is_kept_without_it(http_sink: HttpSink, kept: str) -> None:
    http_sink.default = Reply(200, {"id": kept})
    delivery.enqueue([page("a", f"{http_sink.url}/topic")], now=NOW)
    send()
    clean = kept.replace("\ud800", "\ufffd").replace("\0", "\ufffd")
    assert (row("a").state, row("a").reference) == ("sent", {"id": clean})
    assert row("a").attempts.get().answer == f"id {clean}"


def test_a_lost_row_whose_key_is_gone_holds_up_no_other(hook: Connector, settings: Settings) -> None:
    delivery.enqueue([order(hook, "a")], now=NOW)
    assert len(take()) == 1
    kept, settings.FIELD_KEYS = settings.FIELD_KEYS, ["R" * 43 + "="]
    Delivery.objects.update(message={}, target={}, reference={})
    settings.FIELD_KEYS = kept
    later = NOW + settings.SEND_LEASE
    delivery.enqueue([order(hook, "b", due_at=later)], now=NOW)
    assert [task.row.key for task in take(later)] == ["b"]
    assert Delivery.objects.filter(key="a", state="failed").exists()


def test_a_reference_whose_key_is_gone_counts_as_empty(hook: Connector, settings: Settings) -> None:
    delivery.enqueue([order(hook, "a", lane="l")], now=NOW)
    [first] = take()
    kept, settings.FIELD_KEYS = settings.FIELD_KEYS, ["R" * 43 + "="]
    finish(first)
    settings.FIELD_KEYS = kept
    delivery.enqueue([order(hook, "b", lane="l")], now=NOW)
    record([Finished(row=take()[0].row, at=NOW, result=Result(outcome=Outcome.SENT, reference={"id": "7"}))], NOW)
    delivery.enqueue([order(hook, "c", lane="l")], now=NOW)
    assert [task.target.reference for task in take()] == [{"id": "7"}]


def test_a_run_takes_pages_only_for_so_long(http_sink: HttpSink, settings: Settings) -> None:
    http_sink.default = Reply(200, hold=http_sink.stopping)
    settings.SEND_THREADS, settings.PAGE_TIMEOUT = 1, timedelta(seconds=0.6)
    delivery.enqueue([page(str(number), f"{http_sink.url}/topic") for number in range(20)], now=NOW)
    assert 1 <= delivery.run_due(NOW, window=SECOND) <= 4
    assert Delivery.objects.filter(state="queued", tries=0, due_at=NOW).count() >= 16
    assert not Delivery.objects.filter(state="sending").exists(), "every result in hand was written down"

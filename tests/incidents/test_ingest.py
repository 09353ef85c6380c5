"""Events in: dedup, append, resolve, new after resolve, in batches, and by many at once."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from incidents.ingest import Arrival, Result, ingest
from incidents.models import AlertSource, Incident, RawEvent, Run, TimelineEntry
from incidents.sources.base import Action, Event, FieldError, Refused
from tests import factories
from tests.factories import T0

MANY = 1000


@pytest.fixture
def source(db: None) -> AlertSource:
    return factories.make_source("Shop")


def outcomes(results: list[Result]) -> list[str]:
    return [str(result.outcome) for result in results]


def test_the_first_trigger_opens_and_further_ones_are_added(source: AlertSource) -> None:
    first = factories.send(source, factories.event("Disk 90%", dedup_key="disk", labels={"a": "1"}))
    second = factories.send(source, factories.event("Disk 96%", dedup_key="disk", labels={"a": "2"}))
    assert outcomes(first + second) == ["opened", "updated"]
    incident = Incident.objects.get()
    assert (incident.title, incident.events, incident.labels) == ("Disk 96%", 2, {"a": "2"})
    assert [entry.number for entry in incident.timeline.all()] == list(range(1, incident.entries + 1))


def test_resolve_ends_it_and_a_later_trigger_opens_a_new_one_that_links_to_it(source: AlertSource) -> None:
    opened = factories.send(source, factories.event(dedup_key="disk"))[0].incident
    assert outcomes(factories.send(source, factories.resolve_event("disk"))) == ["resolved"]
    again = factories.send(source, factories.event(dedup_key="disk"))[0]
    assert again.outcome == "opened"
    assert again.incident is not None
    assert Incident.objects.get(pk=again.incident.pk).previous == opened


def test_resolve_and_acknowledge_of_an_unknown_key_are_ignored_and_say_so(source: AlertSource) -> None:
    results = factories.send(source, factories.resolve_event("x"), factories.acknowledge_event("x"))
    assert outcomes(results) == ["ignored", "ignored"]
    assert all("no open incident" in result.reason for result in results)
    assert not Incident.objects.exists()
    assert RawEvent.objects.filter(outcome="ignored").count() == 2


def test_an_acknowledge_of_the_source_changes_no_assignee(source: AlertSource) -> None:
    incident = factories.make_incident(source, dedup_key="k")
    assert outcomes(factories.send(source, factories.acknowledge_event("k"))) == ["accepted"]
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("ACCEPTED", None)
    assert not incident.assignments.exists()


def test_one_key_may_change_its_mind_within_a_batch_and_order_is_kept(source: AlertSource) -> None:
    batch = [
        factories.event(dedup_key="k"),
        factories.event(dedup_key="k"),
        factories.acknowledge_event("k"),
        factories.resolve_event("k"),
        factories.event(dedup_key="k"),
        factories.event(dedup_key="other"),
    ]
    results = factories.send(source, *batch)
    assert outcomes(results) == ["opened", "updated", "accepted", "resolved", "opened", "opened"]
    assert list(Incident.objects.filter(dedup_key="k").order_by("pk").values_list("status", flat=True)) == [
        "RESOLVED",
        "PENDING",
    ]


def test_two_sources_with_the_same_key_are_two_subjects(source: AlertSource) -> None:
    other = factories.make_source("Other")
    both = [Arrival(source, [factories.event(dedup_key="k")]), Arrival(other, [factories.event(dedup_key="k")])]
    assert [outcomes(row) for row in ingest(both, now=T0)] == [["opened"], ["opened"]]


def test_a_refused_event_is_refused_alone_and_kept(source: AlertSource) -> None:
    refused = Refused(errors=(FieldError("title", "required", "Send a title."),), raw='{"x": 1}')
    results = ingest([Arrival(source, [factories.event(), refused], "192.0.2.7", "curl/8")], now=T0)[0]
    assert outcomes(results) == ["opened", "refused"]
    kept = RawEvent.objects.get(outcome="refused")
    assert (kept.body, kept.remote_address, kept.user_agent) == ('{"x": 1}', "192.0.2.7", "curl/8")
    assert kept.errors == [{"field": "title", "code": "required", "detail": "Send a title."}]


def test_a_trigger_without_a_key_gets_one_of_32_hex_digits(source: AlertSource) -> None:
    key = factories.send(source, factories.event(dedup_key=""))[0].dedup_key
    assert len(key) == 32
    assert int(key, 16) >= 0


def test_severity_goes_up_and_down_by_the_sources_word_and_stays_when_it_says_none(source: AlertSource) -> None:
    def severity_after(word: str) -> str:
        factories.send(source, factories.event(dedup_key="k", severity=word))
        return Incident.objects.get().severity

    assert [severity_after(word) for word in ("warning", "critical", "", "error")] == [
        "warning",
        "critical",
        "critical",
        "error",
    ]
    changes = TimelineEntry.objects.filter(kind="severity").values_list("facts", flat=True)
    assert list(changes) == [{"from": "warning", "to": "critical"}, {"from": "critical", "to": "error"}]


def test_what_a_later_event_leaves_out_is_kept(source: AlertSource) -> None:
    factories.send(
        source, factories.event(dedup_key="k", description="long story", links=[{"href": "https://x", "text": "x"}])
    )
    factories.send(source, factories.event(dedup_key="k"))
    incident = Incident.objects.get()
    assert (incident.description, len(incident.links)) == ("long story", 1)


def test_a_snoozed_incident_wakes_when_it_becomes_critical(source: AlertSource) -> None:
    incident = factories.make_incident(source, dedup_key="k", severity="error")
    Incident.objects.filter(pk=incident.pk).update(snoozed_until=T0 + timedelta(hours=1))
    factories.send(source, factories.event(dedup_key="k", severity="error"))
    assert Incident.objects.get().snoozed
    factories.send(source, factories.event(dedup_key="k", severity="critical"))
    assert not Incident.objects.get().snoozed


def queries(run: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        run()
    return len(captured)


@pytest.mark.parametrize("kind", ["opening", "adding", "resolving", "mixed"])
def test_the_number_of_queries_does_not_grow_with_the_batch(source: AlertSource, kind: str) -> None:
    """SQLite may add a statement for each 999 parameters; nothing else grows."""
    policy = factories.make_policy((factories.make_user(), 5))
    source.escalation_policy = policy
    source.save()

    def batch(count: int, run: int) -> list[Event]:
        keys = [f"{run}-{n}" for n in range(count)]
        if kind != "opening":
            factories.send(source, *[factories.event(dedup_key=key) for key in keys])
        actions = {
            "opening": [Action.TRIGGER],
            "adding": [Action.TRIGGER],
            "resolving": [Action.RESOLVE],
            "mixed": [Action.TRIGGER, Action.ACKNOWLEDGE, Action.RESOLVE],
        }[kind]
        return [factories.event(dedup_key=key, action=actions[n % len(actions)]) for n, key in enumerate(keys)]

    few, many = batch(6, 1), batch(60, 2)
    small = queries(lambda: factories.send(source, *few))
    large = queries(lambda: factories.send(source, *many))
    statements_of_sqlite = 60 * 40 // 999 * 6  # inserts of 60 rows of up to 40 columns, in six tables
    assert large <= small + statements_of_sqlite
    assert small < 40


@pytest.mark.postgres
def test_the_number_of_queries_is_the_same_for_a_thousand(postgres_database: str) -> None:
    source = factories.make_source("Shop", policy=factories.make_policy((factories.make_user(), 5)))
    ten = [factories.event() for _ in range(10)]
    thousand = [factories.event() for _ in range(MANY)]
    assert queries(lambda: factories.send(source, *thousand)) == queries(lambda: factories.send(source, *ten))
    assert Run.objects.count() == MANY + 10


def test_200_simultaneous_triggers_with_one_key_give_one_incident(each_database: str) -> None:
    source = factories.make_source("Shop")
    barrier = threading.Barrier(20)
    results: list[Result] = []

    def fire() -> None:
        barrier.wait()
        try:
            results.extend(factories.send(source, factories.event(dedup_key="one"))[0] for _ in range(10))
        finally:
            connection.close()

    threads = [threading.Thread(target=fire) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes(results)) == ["opened"] + ["updated"] * 199
    incident = Incident.objects.get()
    assert incident.events == 200
    assert [entry.number for entry in incident.timeline.all()] == list(range(1, incident.entries + 1))


@pytest.mark.postgres
def test_batches_that_open_the_same_keys_in_opposite_order_do_not_deadlock(postgres_database: str) -> None:
    source = factories.make_source("Shop")
    barrier, failures = threading.Barrier(4), []

    def fire(backwards: bool) -> None:
        for turn in range(8):
            batch = [factories.event(dedup_key=f"{turn}-{n}") for n in range(50)]
            barrier.wait()
            try:
                factories.send(source, *(batch[::-1] if backwards else batch))
            except Exception as exc:  # noqa: BLE001  # whatever it is, the test is to show it
                failures.append(exc)
        connection.close()

    threads = [threading.Thread(target=fire, args=(n % 2 == 0,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Incident.objects.count() == 8 * 50


ACTIONS = st.sampled_from(list(Action))


class AnyStory(TestCase):
    """Whatever a source says, in whatever pieces, the record is the same and the rules hold."""

    @given(st.lists(st.tuples(ACTIONS, st.sampled_from("abc")), min_size=1, max_size=25), st.data())
    def test_the_cut_into_batches_does_not_change_the_story(
        self, story: list[tuple[Action, str]], data: st.DataObject
    ) -> None:
        whole, pieces = factories.make_source(), factories.make_source()
        events = [factories.event(action=action, dedup_key=key) for action, key in story]
        together = outcomes(factories.send(whole, *events))
        apart: list[str] = []
        rest = events
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            apart += outcomes(factories.send(pieces, *rest[:size]))
            rest = rest[size:]
        assert together == apart
        statuses = [
            list(s.incidents.order_by("dedup_key", "pk").values_list("dedup_key", "status", "events"))
            for s in (whole, pieces)
        ]
        assert statuses[0] == statuses[1]
        for incident in Incident.objects.filter(alert_source__in=[whole, pieces]):
            assert list(incident.timeline.values_list("number", flat=True)) == list(range(1, incident.entries + 1))
            assert (incident.status == "RESOLVED") == (incident.closed_at is not None)

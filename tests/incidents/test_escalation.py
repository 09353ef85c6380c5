"""The escalation rules E1 to E14, most of them on one policy: schedule S (5 min), bob and carol (10), team ops (15).

It repeats once, and its acknowledgements time out after 30 minutes. S is alice's. Events come at 12:00.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from destinations import delivery
from destinations.models import Connector, Delivery
from incidents import lifecycle
from incidents.lifecycle import IllegalTransition
from incidents.models import AlertSource, Connection, Execution, Incident, Page, Run, TimelineEntry
from oncall.models import Membership, Override, Schedule, Step, StepTarget, Team, User
from tests import factories
from tests.factories import T0
from tests.nights import Night, Paper

pytestmark = pytest.mark.django_db


@pytest.fixture
def night() -> Iterator[Night]:
    Paper.table.clear()
    Paper.torn.clear()
    Paper.mute.clear()
    yield Night()
    Paper.table.clear()
    Paper.torn.clear()
    Paper.mute.clear()


@pytest.fixture
def people(night: Night) -> dict[str, User]:
    return {name: night.person(name) for name in ("alice", "bob", "carol", "dave", "erin")}


@pytest.fixture
def schedule(people: dict[str, User]) -> Schedule:
    return factories.make_schedule("S", people["alice"])


@pytest.fixture
def source(people: dict[str, User], schedule: Schedule) -> AlertSource:
    ops = Team.objects.create(name="ops")
    for name in ("dave", "erin"):
        Membership.objects.create(team=ops, user=people[name])
    policy = factories.make_policy(
        (schedule, 5), ([people["bob"], people["carol"]], 10), (ops, 15), name="P", repeat=1, ack_timeout_minutes=30
    )
    return factories.make_source("Shop", policy=policy)


def gap(schedule: Schedule) -> None:
    """Nobody is on call, whatever the layers say."""
    Override.objects.create(schedule=schedule, start=T0 - timedelta(days=1), end=T0 + timedelta(days=1), user=None)


def kinds(incident: Incident) -> list[str]:
    return list(incident.timeline.values_list("kind", flat=True))


def test_e2_e12_row_1_nobody_acts_and_it_climbs_twice_and_is_exhausted(night: Night, source: AlertSource) -> None:
    incident = night.event(source)
    night.until(75)
    assert night.told() == [
        (0, "alice"), (5, "bob"), (5, "carol"), (15, "dave"), (15, "erin"),
        (30, "alice"), (35, "bob"), (35, "carol"), (45, "dave"), (45, "erin"),
    ]  # fmt: skip
    assert incident.runs.get().state == Run.State.EXHAUSTED
    assert kinds(incident).count("exhausted") == 1
    assert night.fresh(incident).status == "PENDING"


def test_e12_an_exhausted_run_pages_the_catch_all_and_reminds_it_hourly(night: Night, source: AlertSource) -> None:
    root = night.person("root", is_superuser=True)
    incident = night.event(source)
    night.until(60)
    night.told()
    night.until(185)
    assert night.told() == [(120, "root"), (180, "root")]
    assert root.pages.filter(execution__reason=Execution.Reason.CATCH_ALL).count() == 1
    assert kinds(incident).count("remind") == 2


def test_repeat_null_goes_on_until_somebody_answers(night: Night, people: dict[str, User]) -> None:
    policy = factories.make_policy((people["alice"], 60), repeat=None)
    incident = night.event(factories.make_source(policy=policy))
    night.until(601)
    assert night.told() == [(60.0 * hour, "alice") for hour in range(11)]
    night.acknowledge(incident, people["alice"])
    night.until(700)
    assert night.told() == []


def test_e4_row_3_an_acknowledgement_times_out_and_the_acknowledger_is_paged_too(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.until(7)
    night.acknowledge(incident, people["carol"])
    night.told()
    night.until(48)
    assert night.told() == [(37, "bob"), (37, "carol"), (47, "dave"), (47, "erin")]
    assert night.fresh(incident).status == "PENDING"


def test_e4_row_4_a_note_of_the_acknowledger_restarts_the_time_out(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.until(7)
    night.acknowledge(incident, people["carol"])
    night.until(20)
    lifecycle.note([incident], "still looking", by=night.by(people["carol"]), now=night.now)
    night.told()
    night.until(49.75)
    assert night.told() == []
    night.until(50)
    assert night.told() == [(50, "bob"), (50, "carol")]


def test_e3_row_5_an_acknowledge_just_before_the_step_stops_it(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.now = T0 + timedelta(minutes=4, seconds=59.9)
    night.acknowledge(incident, people["alice"])
    night.until(30)
    assert night.told() == [(0, "alice")]


def test_e5_row_6_a_resolved_incident_is_final_and_the_next_event_opens_a_new_one(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    first = night.event(source)
    night.until(10)
    night.event(source, factories.resolve_event("db"))
    night.told()
    night.until(11)
    second = night.event(source)
    assert second.pk != first.pk
    assert second.previous_id == first.pk
    night.until(17)
    assert night.told() == [(11, "alice"), (16, "bob"), (16, "carol")]
    for verb in (lifecycle.acknowledge, lifecycle.unacknowledge, lifecycle.escalate):
        with pytest.raises(IllegalTransition):
            lifecycle.single(verb([first], by=night.by(people["alice"]), now=night.now))


def test_e6_row_7_escalate_by_hand_takes_the_next_step_now(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.until(2)
    night.escalate(incident, people["alice"])
    night.until(13)
    assert night.told() == [(0, "alice"), (2, "bob"), (2, "carol"), (12, "dave"), (12, "erin")]


def test_e6_row_8_two_escalate_answers_to_the_same_page_count_once(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.until(6)
    sent_for = Execution.objects.get(position=1).sequence
    night.escalate(incident, people["bob"], sent_for=sent_for)
    with pytest.raises(IllegalTransition, match="Already escalated to Dave and Erin"):
        night.escalate(incident, people["carol"], sent_for=sent_for)
    assert night.told()[-2:] == [(6, "dave"), (6, "erin")]


def test_e6_row_9_at_the_very_end_there_is_no_further_step(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.until(50)
    with pytest.raises(IllegalTransition) as refusal:
        night.escalate(incident, people["dave"])
    assert refusal.value.code == "no_further_step"
    assert night.fresh(incident).status == "PENDING"


def test_e6_a_step_whose_only_person_asks_is_passed_over(night: Night, people: dict[str, User]) -> None:
    policy = factories.make_policy((people["alice"], 5), (people["bob"], 5), (people["carol"], 5))
    incident = night.event(factories.make_source(policy=policy))
    night.until(1)
    night.escalate(incident, people["bob"])
    assert night.told() == [(0, "alice"), (1, "carol")]


def test_e6_escalating_an_accepted_incident_makes_it_pending(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.acknowledge(incident, people["alice"])
    incident = night.escalate(incident, people["alice"])
    assert incident.status == "PENDING"
    assert night.told() == [(0, "alice"), (0, "bob"), (0, "carol")]


def test_e7_row_10_a_gap_is_passed_over_at_once(night: Night, source: AlertSource, schedule: Schedule) -> None:
    gap(schedule)
    incident = night.event(source)
    night.until(11)
    assert night.told() == [(0, "bob"), (0, "carol"), (10, "dave"), (10, "erin")]
    skipped = incident.timeline.filter(kind=TimelineEntry.Kind.ESCALATE).first()
    assert skipped is not None
    assert "nobody is on call in S" in skipped.facts["why"]


def test_e7_row_11_nobody_at_all_pages_the_catch_all_and_tries_each_minute(
    night: Night, source: AlertSource, schedule: Schedule, people: dict[str, User]
) -> None:
    night.person("root", is_superuser=True)
    gap(schedule)
    User.objects.filter(username__in=["bob", "carol", "dave", "erin"]).update(is_active=False)
    incident = night.event(source)
    night.until(5)
    assert night.told() == [(0, "root")]
    incident = night.fresh(incident)
    assert (incident.told, incident.status) == (False, "PENDING")
    assert "could be reached" in incident.told_reason
    night.until(7.5)
    User.objects.filter(username="bob").update(is_active=True)
    night.until(17)
    User.objects.filter(username="dave").update(is_active=True)
    night.until(18)
    assert night.told() == [(8, "bob"), (18, "dave")]
    assert night.fresh(incident).told is True
    assert kinds(incident).count("untold") == 1


def test_e1_row_12_an_edited_policy_counts_for_new_runs(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    frank = night.person("frank")
    night.event(source)
    night.until(3)
    step = Step.objects.get(policy__name="P", position=1)
    step.targets.all().delete()
    StepTarget.objects.create(step=step, position=0, user=frank)
    night.until(6)
    assert night.told() == [(0, "alice"), (5, "bob"), (5, "carol")]
    night.event(source, factories.event(dedup_key="other"))
    night.until(12)
    assert (11, "frank") in night.told()


def test_row_13_a_deactivated_person_is_left_out(night: Night, source: AlertSource, people: dict[str, User]) -> None:
    night.event(source)
    night.until(4)
    User.objects.filter(username="bob").update(is_active=False)
    night.until(6)
    assert night.told() == [(0, "alice"), (5, "carol")]


def test_f6_row_14_after_a_stop_only_the_present_step_is_taken_once_and_marked_late(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    method = people["alice"].contact_methods.get()
    for minutes in (2, 3, 4):
        factories.make_rule(people["alice"], method, minutes=minutes)
    incident = night.event(source)
    night.until(1)
    night.told()
    night.sleep_until(70)
    assert sorted(night.told()) == [(70, "alice"), (70, "bob"), (70, "carol")]
    late = incident.timeline.filter(kind=TimelineEntry.Kind.ESCALATE).last()
    assert late is not None
    assert late.facts["late"] == "65 min"
    night.until(81)
    assert night.told() == [(80, "dave"), (80, "erin")]


def test_e10_row_15_two_incidents_at_once_page_two_people_of_a_round_robin(
    night: Night, people: dict[str, User]
) -> None:
    policy = factories.make_policy(([people["alice"], people["bob"], people["carol"]], 5))
    Step.objects.filter(policy=policy).update(strategy=Step.Strategy.ROUND_ROBIN)
    source = factories.make_source(policy=policy)
    night.event(source, factories.event(dedup_key="x"), factories.event(dedup_key="y"))
    assert night.told() == [(0, "alice"), (0, "bob")]
    night.until(5)
    assert night.told() == [(5, "carol"), (5, "alice")]


def test_e13_row_16_low_urgency_takes_the_first_step_only_until_it_rises(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    night.event(source, factories.event(severity="warning", dedup_key="w"))
    night.until(20)
    assert night.told() == [(0, "alice")]
    night.event(source, factories.event(severity="critical", dedup_key="w"))
    night.until(26)
    assert night.told() == [(20, "alice"), (25, "bob"), (25, "carol")]


def test_low_urgency_full_takes_all_steps(night: Night, people: dict[str, User]) -> None:
    policy = factories.make_policy((people["alice"], 5), (people["bob"], 5), low_urgency="full")
    night.event(factories.make_source(policy=policy), factories.event(severity="warning"))
    night.until(6)
    assert night.told() == [(0, "alice"), (5, "bob")]


def test_e9_row_17_a_person_paged_again_starts_anew_and_the_old_rest_is_dropped(night: Night) -> None:
    alice = night.person("alice", after=(0, 7))
    policy = factories.make_policy((alice, 5), (alice, 20), repeat=0)
    night.event(factories.make_source(policy=policy))
    night.until(13)
    assert night.told() == [(0, "alice"), (5, "alice"), (12, "alice")]


def test_e9_within_a_step_a_person_is_paged_once_however_many_targets_lead_there(
    night: Night, schedule: Schedule, people: dict[str, User]
) -> None:
    policy = factories.make_policy(([schedule, people["alice"]], 5))
    night.event(factories.make_source(policy=policy))
    assert night.told() == [(0, "alice")]


def test_e14_a_further_event_adds_to_it_and_pages_nobody(night: Night, source: AlertSource) -> None:
    incident = night.event(source)
    night.until(1)
    night.told()
    again = night.event(source)
    assert (again.pk, again.events) == (incident.pk, 2)
    assert night.told() == []


def test_an_info_incident_pages_nobody_and_told_stays_open(night: Night, source: AlertSource) -> None:
    incident = night.event(source, factories.event(severity="info"))
    night.until(10)
    assert night.told() == []
    assert night.fresh(incident).told is None
    assert not incident.runs.exists()


def test_a_source_without_a_policy_pages_the_catch_all_at_once_and_says_so(night: Night) -> None:
    night.person("root", is_superuser=True)
    incident = night.event(factories.make_source())
    assert night.told() == [(0, "root")]
    entry = incident.timeline.get(kind=TimelineEntry.Kind.ESCALATE)
    assert "no escalation policy" in entry.facts["step"]
    assert night.fresh(incident).told is True


def test_without_any_reachable_administrator_the_incident_is_red_and_says_why(night: Night) -> None:
    incident = night.fresh(night.event(factories.make_source()))
    assert incident.told is False
    assert "No administrator can be reached either" in incident.told_reason


def test_n3_a_permanent_failure_takes_the_persons_next_rule_at_once(night: Night) -> None:
    alice = night.person("alice", after=(0,))
    second = factories.make_method(alice, "paper", "alice-phone")
    factories.make_rule(alice, second, minutes=30)
    Paper.torn.add("alice")
    incident = night.event(factories.make_source(policy=factories.make_policy((alice, 60))))
    assert night.told() == [(0, "alice-phone")]
    assert night.fresh(incident).told is True


def test_n3_when_every_rule_of_everyone_failed_the_next_step_does_not_wait(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    Paper.torn.add("alice")
    incident = night.event(source)
    assert night.told() == [(0, "bob"), (0, "carol")]
    assert night.fresh(incident).told is True
    assert Page.objects.get(user=people["alice"]).state == Page.State.FAILED


def test_e7_when_every_page_of_every_step_fails_the_catch_all_is_told(night: Night, people: dict[str, User]) -> None:
    night.person("root", is_superuser=True)
    Paper.torn |= {"alice", "bob"}
    policy = factories.make_policy((people["alice"], 5), (people["bob"], 5), repeat=None)
    incident = night.event(factories.make_source(policy=policy))
    assert night.told() == [(0, "root")]
    assert night.fresh(incident).told is False


def test_i3_a_snooze_rests_everything_and_begins_anew_for_whoever_is_on_call_then(
    night: Night, source: AlertSource, schedule: Schedule, people: dict[str, User]
) -> None:
    incident = night.event(source)
    lifecycle.snooze([incident], until=T0 + timedelta(minutes=60), by=night.by(people["alice"]), now=night.now)
    Override.objects.create(
        schedule=schedule, start=T0 + timedelta(minutes=30), end=T0 + timedelta(hours=5), user=people["erin"]
    )
    night.until(61)
    assert night.told() == [(0, "alice"), (60, "erin")]


def test_i1_assigning_pages_the_assignee_and_waits_the_present_steps_delay(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.until(2)
    to = lifecycle.Assignee(user=people["erin"])
    lifecycle.single(lifecycle.assign([incident], to, by=night.by(people["alice"]), now=night.now))
    night.until(8)
    assert night.told() == [(0, "alice"), (2, "erin"), (7, "bob"), (7, "carol")]
    assert [str(one) for one in incident.assignments.all()] == ["Erin"]


def test_i2_unassigning_executes_the_present_step_anew(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source)
    night.acknowledge(incident, people["carol"])
    night.until(10)
    night.told()
    lifecycle.unassign([incident], by=night.by(people["bob"]), now=night.now)
    night.until(16)
    assert night.told() == [(10, "alice"), (15, "bob"), (15, "carol")]
    assert night.fresh(incident).status == "PENDING"


def test_an_accepted_incident_pages_anew_on_a_rise_only_if_its_source_asks(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    AlertSource.objects.filter(pk=source.pk).update(page_again_on_rise=True)
    incident = night.event(source, factories.event(severity="error", dedup_key="e"))
    night.acknowledge(incident, people["alice"])
    night.until(3)
    night.event(source, factories.event(severity="error", dedup_key="e"))
    assert night.told() == [(0, "alice")]
    incident = night.event(source, factories.event(severity="critical", dedup_key="e"))
    assert night.told() == [(3, "alice")]
    assert incident.status == "PENDING"


def test_a_pass_of_empty_steps_and_no_waits_does_not_go_round_like_a_top(
    night: Night, schedule: Schedule, people: dict[str, User]
) -> None:
    gap(schedule)
    policy = factories.make_policy((people["bob"], 0), (schedule, 0), repeat=None)
    night.event(factories.make_source(policy=policy))
    night.until(2)
    assert night.told() == [(0, "bob"), (1, "bob"), (2, "bob")]


def test_n3_an_outcome_that_stays_unknown_counts_as_nobody_told(night: Night, people: dict[str, User]) -> None:
    Paper.mute.add("alice")
    policy = factories.make_policy((people["alice"], 60), (people["bob"], 60))
    incident = night.event(factories.make_source(policy=policy))
    night.until(2)
    assert [who for _, who in night.told()] == ["bob"]
    assert night.fresh(incident).told is True


def test_e7_while_the_only_way_fails_the_catch_all_is_told_once_an_hour_not_once_a_minute(
    night: Night, people: dict[str, User]
) -> None:
    night.person("root", is_superuser=True)
    Paper.torn.add("alice")
    incident = night.event(factories.make_source(policy=factories.make_policy((people["alice"], 5))))
    night.until(30)
    assert night.told() == [(0, "root")]
    assert kinds(incident).count("untold") == 1


def test_what_calms_down_to_info_pages_nobody_any_more(night: Night, source: AlertSource) -> None:
    night.person("root", is_superuser=True)
    night.event(source, factories.event(dedup_key="k"))
    incident = night.event(source, factories.event(dedup_key="k", severity="info"))
    night.until(70)
    assert night.told() == [(0, "alice")]
    assert night.fresh(incident).told is True


def test_an_incident_that_rose_while_somebody_had_it_climbs_when_it_is_given_back(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    incident = night.event(source, factories.event(dedup_key="k", severity="info"))
    night.acknowledge(incident, people["alice"])
    night.event(source, factories.event(dedup_key="k", severity="critical"))
    assert night.told() == []
    lifecycle.unacknowledge([incident], by=night.by(people["alice"]), now=night.now)
    night.work()
    assert night.told() == [(0, "alice")]


def test_a_page_whose_way_is_gone_is_gone_on_from_at_once(
    night: Night, people: dict[str, User], django_capture_on_commit_callbacks: Any
) -> None:
    night.person("late", after=(10,))
    policy = factories.make_policy((User.objects.get(username="late"), 60), (people["bob"], 60))
    night.event(factories.make_source(policy=policy))
    night.until(5)
    User.objects.get(username="late").contact_methods.update(disabled_at=night.now)
    with django_capture_on_commit_callbacks(execute=True):
        night.until(10)
    night.until(11)
    assert [who for _, who in night.told()] == ["bob"]


def test_after_its_end_connected_systems_hear_nothing_more(
    night: Night, source: AlertSource, people: dict[str, User]
) -> None:
    connector = Connector.objects.create(name="paper", kind="paper", config={"address": "ops"})
    Connection.objects.create(connector=connector, events=[])
    incident = night.event(source)
    night.event(source, factories.resolve_event("db"))
    night.told()
    lifecycle.note([incident], "post-mortem follows", by=night.by(people["alice"]), now=night.now)
    night.work()
    assert night.told() == []


def test_an_opening_is_not_sent_again_alone_once_the_end_is_behind_it(night: Night, source: AlertSource) -> None:
    connector = Connector.objects.create(name="paper", kind="paper", config={"address": "ops"})
    Connection.objects.create(connector=connector, events=["opened", "resolved"])
    night.event(source)
    night.event(source, factories.resolve_event("db"))
    opened, resolved = Delivery.objects.exclude(lane="").order_by("pk")
    night.told()
    delivery.replay([opened.uuid], now=night.now)
    night.work()
    opened.refresh_from_db()
    assert (night.told(), opened.state) == ([], "cancelled")
    delivery.replay([opened.uuid, resolved.uuid], now=night.now)
    night.work()
    assert [who for _, who in night.told()] == ["ops", "ops"]

"""The table of verbs and statuses, the guarded UPDATE, the record: every verb from every status."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import ProtectedError

from incidents import lifecycle
from incidents.lifecycle import IllegalTransition
from incidents.models import AlertSource, Incident, Page, RawEvent, TimelineEntry
from incidents.timeline import Actor
from oncall import people
from oncall.models import User
from tests import factories
from tests.factories import T0

LATER = T0 + timedelta(minutes=10)


@pytest.fixture
def ann(db: None) -> User:
    return factories.make_user("ann")


@pytest.fixture
def bob(db: None) -> User:
    return factories.make_user("bob")


def incident_in(status: str, ann: User, bob: User) -> Incident:
    source = factories.make_source(policy=factories.make_policy((ann, 5), (bob, 5)))
    incident = factories.make_incident(source)
    by = Actor.person(ann, "console")
    if status == "acknowledged":
        lifecycle.acknowledge([incident], by=by, now=T0)
    elif status == "snoozed":
        lifecycle.snooze([incident], until=T0 + timedelta(hours=1), by=by, now=T0)
    elif status == "resolved":
        lifecycle.resolve([incident], by=by, now=T0)
    return Incident.objects.get(pk=incident.pk)


VERBS = {
    "acknowledge": lambda i, by: lifecycle.acknowledge([i], by=by, now=LATER),
    "resolve": lambda i, by: lifecycle.resolve([i], by=by, now=LATER),
    "close": lambda i, by: lifecycle.close([i], by=by, now=LATER),
    "assign": lambda i, by: lifecycle.assign(
        [i], lifecycle.Assignee(user=User.objects.get(username="bob")), by=by, now=LATER
    ),
    "snooze": lambda i, by: lifecycle.snooze([i], until=LATER + timedelta(hours=2), by=by, now=LATER),
    "unsnooze": lambda i, by: lifecycle.unsnooze([i], by=by, now=LATER),
    "escalate": lambda i, by: lifecycle.escalate([i], by=by, now=LATER),
    "unacknowledge": lambda i, by: lifecycle.unacknowledge([i], by=by, now=LATER),
}
REFUSED = "refused"
# The rules I1 to I5 as a table: verb, status before -> status after, snoozed after, changed or refused.
TABLE = [
    ("acknowledge", "pending", "ACCEPTED", False, True),
    ("acknowledge", "acknowledged", "ACCEPTED", False, False),
    ("acknowledge", "snoozed", "ACCEPTED", True, True),
    ("acknowledge", "resolved", "RESOLVED", False, REFUSED),
    ("resolve", "pending", "RESOLVED", False, True),
    ("resolve", "acknowledged", "RESOLVED", False, True),
    ("resolve", "snoozed", "RESOLVED", False, True),
    ("resolve", "resolved", "RESOLVED", False, False),
    ("close", "pending", "RESOLVED", False, True),
    ("close", "resolved", "RESOLVED", False, False),
    ("assign", "pending", "PENDING", False, True),
    ("assign", "acknowledged", "PENDING", False, True),
    ("assign", "snoozed", "PENDING", False, True),
    ("assign", "resolved", "RESOLVED", False, REFUSED),
    ("snooze", "pending", "PENDING", True, True),
    ("snooze", "acknowledged", "ACCEPTED", True, True),
    ("snooze", "snoozed", "PENDING", True, True),
    ("snooze", "resolved", "RESOLVED", False, REFUSED),
    ("unsnooze", "pending", "PENDING", False, False),
    ("unsnooze", "snoozed", "PENDING", False, True),
    ("unsnooze", "resolved", "RESOLVED", False, REFUSED),
    ("escalate", "pending", "PENDING", False, True),
    ("escalate", "acknowledged", "PENDING", False, True),
    ("escalate", "snoozed", "PENDING", False, True),
    ("escalate", "resolved", "RESOLVED", False, REFUSED),
    ("unacknowledge", "pending", "PENDING", False, False),
    ("unacknowledge", "acknowledged", "PENDING", False, True),
    ("unacknowledge", "snoozed", "PENDING", True, False),
    ("unacknowledge", "resolved", "RESOLVED", False, REFUSED),
]


@pytest.mark.parametrize(("verb", "before", "after", "snoozed", "changed"), TABLE)
def test_the_table_of_verbs(
    ann: User, bob: User, verb: str, before: str, after: str, snoozed: bool, changed: bool | str
) -> None:
    incident = incident_in(before, ann, bob)
    version, entries = incident.version, incident.entries
    change = VERBS[verb](incident, Actor.person(ann, "console"))[0]
    incident.refresh_from_db()
    assert (incident.status, incident.snoozed) == (after, snoozed)
    assert incident.timeline.count() == incident.entries
    if changed == REFUSED:
        assert isinstance(change.refusal, IllegalTransition)
        assert str(change.refusal).startswith("A resolved incident cannot be ")
    assert change.changed == (changed is True)
    if changed is not True:
        assert (incident.version, incident.entries) == (version, entries)
    else:
        assert incident.version > version


def test_acknowledging_again_keeps_the_first_and_writes_nothing(ann: User, bob: User) -> None:
    incident = incident_in("acknowledged", ann, bob)
    change = lifecycle.acknowledge([incident], by=Actor.person(bob, "link"), now=LATER)[0]
    assert not change.changed
    incident.refresh_from_db()
    assert incident.acknowledged_by == ann
    assert [str(one) for one in incident.assignments.all()] == ["Ann"]


def test_a_service_token_acknowledges_and_changes_no_assignee(ann: User, bob: User) -> None:
    incident = incident_in("pending", ann, bob)
    lifecycle.acknowledge([incident], by=Actor.token("terraform"), now=LATER)
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("ACCEPTED", None)
    assert not incident.assignments.exists()
    assert incident.timeline.latest("number").actor == "terraform"


def test_close_leaves_firing_and_resolve_sets_it(ann: User, bob: User) -> None:
    closed, resolved = incident_in("pending", ann, bob), incident_in("pending", ann, bob)
    lifecycle.close([closed], by=Actor.person(ann, "console"), now=LATER)
    lifecycle.resolve([resolved], by=Actor.person(ann, "console"), now=LATER)
    assert Incident.objects.get(pk=closed.pk).firing is True
    assert Incident.objects.get(pk=resolved.pk).firing is False


@pytest.mark.parametrize("minutes", [0, 0.5, 10_081])
def test_a_snooze_is_one_minute_to_seven_days(ann: User, bob: User, minutes: float) -> None:
    incident = incident_in("pending", ann, bob)
    change = lifecycle.snooze([incident], until=T0 + timedelta(minutes=minutes), by=Actor.person(ann, "api"), now=T0)[0]
    assert change.refusal is not None
    assert change.refusal.code == "invalid_snooze"


def test_a_note_is_allowed_on_a_resolved_incident(ann: User, bob: User) -> None:
    incident = incident_in("resolved", ann, bob)
    assert lifecycle.note([incident], "post-mortem follows", by=Actor.person(ann, "console"), now=LATER)[0].changed
    assert incident.timeline.latest("number").facts == {"text": "post-mortem follows"}


def test_bulk_answers_each_in_the_order_asked(ann: User, bob: User) -> None:
    wanted = [incident_in(status, ann, bob) for status in ("resolved", "pending", "acknowledged")]
    changes = lifecycle.acknowledge(wanted[::-1], by=Actor.person(bob, "api"), now=LATER)
    assert [change.incident for change in changes] == wanted[::-1]
    assert [(c.changed, c.refusal is None) for c in changes] == [(False, True), (True, True), (False, False)]


def test_delete_takes_resolved_ones_only_and_leaves_an_audit_record(ann: User, bob: User) -> None:
    over, open_one = incident_in("resolved", ann, bob), incident_in("pending", ann, bob)
    changes = lifecycle.delete([over, open_one], by=Actor.person(ann, "api"), now=LATER)
    assert [change.changed for change in changes] == [True, False]
    assert not Incident.objects.filter(pk=over.pk).exists()
    assert RawEvent.objects.filter(incident=None).exists()  # what came in is still on record


def test_a_rise_by_hand_begins_a_run_at_step_1(ann: User, bob: User) -> None:
    source = factories.make_source(policy=factories.make_policy((ann, 5)))
    incident = factories.make_incident(source, severity="info")
    assert not incident.runs.exists()
    lifecycle.edit(incident, {"severity": "critical", "title": "Worse"}, by=Actor.person(ann, "console"), now=LATER)
    incident.refresh_from_db()
    assert (incident.severity, incident.urgency, incident.title) == ("critical", "high", "Worse")
    assert incident.runs.count() == 1


def test_r16_what_a_deactivated_person_had_goes_on_climbing(ann: User, bob: User) -> None:
    incident = incident_in("acknowledged", ann, bob)
    for hook in people.deactivated:
        hook(ann, LATER)
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("PENDING", None)
    assert not incident.assignments.exists()


def test_acknowledge_and_resolve_at_the_same_instant_never_undo_a_resolve(each_database: str) -> None:
    ann, bob = factories.make_user("ann"), factories.make_user("bob")
    for _ in range(10):
        incident = incident_in("pending", ann, bob)
        barrier = threading.Barrier(2)

        def run(verb: str, incident: Incident = incident, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                VERBS[verb](incident, Actor.person(ann, "console"))
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=(verb,)) for verb in ("acknowledge", "resolve")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        incident.refresh_from_db()
        assert incident.status == "RESOLVED"
        numbers = list(TimelineEntry.objects.filter(incident=incident).values_list("number", flat=True))
        assert numbers == list(range(1, incident.entries + 1))
        assert not Page.objects.filter(incident=incident, state=Page.State.WAITING).exists()


def test_e1_a_policy_is_kept_while_an_open_incident_uses_it_and_may_go_afterwards(ann: User, bob: User) -> None:
    incident = incident_in("pending", ann, bob)
    policy = incident.escalation_policy
    assert policy is not None
    AlertSource.objects.update(escalation_policy=None)
    with pytest.raises(ProtectedError):
        policy.delete()
    lifecycle.resolve([incident], by=Actor.person(ann, "api"), now=LATER)
    policy.delete()
    incident.refresh_from_db()
    assert (incident.status, incident.escalation_policy) == ("RESOLVED", None)

"""What happens next is said with names and an instant."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from incidents import lifecycle
from incidents.models import Incident, Run
from incidents.outlook import Outlook, outlook
from incidents.told import told
from oncall.models import Override
from tests import factories
from tests.factories import T0
from tests.nights import Night, Paper

pytestmark = pytest.mark.django_db


@pytest.fixture
def night() -> Iterator[Night]:
    Paper.table.clear()
    Paper.torn.clear()
    yield Night()
    Paper.torn.clear()


def coming(night: Night, incident: Incident) -> Outlook:
    incident = night.fresh(incident)
    run = Run.objects.filter(incident=incident).exclude(state="ended").first()
    found = outlook(incident, run, night.now)
    assert found is not None
    return found


def test_the_next_step_names_who_is_on_call_when_it_is_due(night: Night) -> None:
    ann, bob, eve = night.person("ann"), night.person("bob"), night.person("eve")
    second = factories.make_schedule("Second", bob)
    handoff = T0 + timedelta(minutes=4)  # before the step is due: eve covers from then on
    Override.objects.create(schedule=second, start=handoff, end=handoff + timedelta(days=1), user=eve)
    incident = night.event(factories.make_source(policy=factories.make_policy((ann, 5), (second, 10))))
    found = coming(night, incident)
    assert (found.lead, found.who, found.at, found.bad) == ("Next:", "Eve", T0 + timedelta(minutes=5), False)
    assert "step 2 of 2" in found.tail


def test_a_step_that_will_reach_nobody_says_so_in_red(night: Night) -> None:
    incident = night.event(
        factories.make_source(
            policy=factories.make_policy((night.person("ann"), 5), (factories.make_schedule("Empty"), 5))
        )
    )
    found = coming(night, incident)
    assert found.bad
    assert "nobody is on call in Empty" in found.who


def test_after_the_last_step_the_first_comes_again_or_the_administrators_are_told(night: Night) -> None:
    ann = night.person("ann")
    again = night.event(factories.make_source(policy=factories.make_policy((ann, 5))))
    once = night.event(factories.make_source(policy=factories.make_policy((ann, 5), repeat=0)))
    assert (coming(night, again).who, "begin again" in coming(night, again).tail) == ("Ann", True)
    assert "administrators" in coming(night, once).who


def test_each_other_state_has_its_sentence(night: Night) -> None:
    ann = night.person("ann")
    policy = factories.make_policy((ann, 5), ack_timeout_minutes=30)
    incident = night.event(factories.make_source(policy=policy))
    night.acknowledge(incident, ann)
    taken = coming(night, incident)
    assert (taken.lead, taken.at) == ("Ann has it. It pages again", night.now + timedelta(minutes=30))
    until = night.now + timedelta(hours=1)
    lifecycle.snooze([incident], until=until, by=night.by(ann), now=night.now)
    assert (coming(night, incident).lead.startswith("Snoozed"), coming(night, incident).at) == (True, until)
    lifecycle.resolve([incident], by=night.by(ann), now=night.now)
    assert outlook(night.fresh(incident), None, night.now) is None


def test_information_and_low_urgency_say_that_they_rest(night: Night) -> None:
    source = factories.make_source(policy=factories.make_policy((night.person("ann"), 5)))
    info = night.event(source, factories.event(dedup_key="i", severity="info"))
    low = night.event(source, factories.event(dedup_key="w", severity="warning"))
    assert "pages nobody" in coming(night, info).lead
    assert "first step only" in coming(night, low).lead


def test_told_lists_each_way_with_what_came_of_it(night: Night) -> None:
    ann, bob = night.person("ann", after=(0, 2)), night.person("bob")
    Paper.torn.add("bob")
    incident = night.event(factories.make_source(policy=factories.make_policy(([ann, bob], 5))))
    found = {str(one.user): [(way.kind, way.mark, way.words) for way in one.ways] for one in told(incident)}
    assert found == {
        "Ann": [("Paper", "good", "sent"), ("Paper", "quiet", "waits")],
        "Bob": [("Paper", "bad", "failed")],
    }

"""The demo is put in, found again, at rest, and taken out as if it had never been."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import models
from django.utils import timezone

from destinations import delivery
from destinations.models import Connector, Delivery
from incidents import escalation, lifecycle, setup, timers, watch
from incidents.demo import filling, removal
from incidents.demo.uuids import FIRST, LAST, OURS, uuid_of
from incidents.models import AlertSource, Incident, Page, Run, TimelineEntry
from incidents.sentences import sentence
from incidents.timeline import Actor
from oncall.models import EscalationPolicy, Schedule, User
from tests import factories

Dump = dict[str, list[tuple[Any, ...]]]


def dump() -> Dump:
    """Every row of every table."""
    return {
        model._meta.label: sorted(model._default_manager.values_list(), key=repr)
        for model in apps.get_models(include_auto_created=True)
    }


def run(*words: str) -> str:
    output = StringIO()
    call_command("demo", *words, stdout=output)
    return output.getvalue()


def own_things() -> None:
    setup.first_sources()
    admin = factories.make_admin()
    schedule = factories.make_schedule("Mine", admin)
    policy = factories.make_policy((schedule, 5))
    factories.make_incident(factories.make_source("My source", policy=policy))


def test_what_is_put_in_can_be_taken_out_to_the_last_row(each_database: str) -> None:
    own_things()
    before = dump()
    assert "The demo is in." in run()
    filled = dump()
    assert filled != before
    assert run() == "The demo was in already; nothing was added.\n"
    assert dump() == filled
    assert "The demo is gone" in run("--remove")
    assert dump() == before
    assert run("--remove") == "There was nothing to remove.\n"


@pytest.fixture
def filled(db: None) -> None:
    own_things()
    filling.fill(timezone.now())


def test_nothing_of_it_is_due_or_was_handed_to_anybody(filled: None) -> None:
    ours = Delivery.objects.filter(OURS)
    assert ours.count() > 1000
    assert not ours.filter(state__in=Delivery.OPEN).exists()
    assert not Run.objects.filter(incident__in=Incident.objects.filter(OURS)).exclude(due_at=None).exists()
    Incident.objects.exclude(OURS).delete()
    Delivery.objects.exclude(OURS).delete()
    later = timezone.now() + timedelta(hours=3)
    assert escalation.run_due(later) == timers.run_due(later, 100) == delivery.run_due(later, 100) == 0
    assert watch.run_due(timezone.now()) == 0
    assert not Delivery.objects.exclude(OURS).exists()


def test_nobody_of_it_can_come_in_or_be_reached_and_no_event_can_be_sent(filled: None) -> None:
    people = User.objects.filter(OURS)
    assert people.count() == 8
    assert not any(person.has_usable_password() or person.is_admin for person in people)
    addresses = [method.address for person in people for method in person.contact_methods.all()]
    assert addresses
    assert all("example.com" in address for address in addresses)
    assert not Connector.objects.filter(OURS, enabled=True).exists()


def test_the_record_is_whole_and_can_be_read(filled: None) -> None:
    for incident in Incident.objects.filter(OURS).prefetch_related("timeline"):
        entries = list(incident.timeline.all())
        assert [entry.number for entry in entries] == list(range(1, incident.entries + 1))
        assert all(sentence(entry) for entry in entries)
    told = TimelineEntry.objects.filter(kind__in=["notify", "deliver"], incident__in=Incident.objects.filter(OURS))
    known = {str(uuid) for uuid in Delivery.objects.filter(OURS).values_list("uuid", flat=True)}
    assert {entry.facts["delivery"] for entry in told} <= known
    keys = set(Delivery.objects.values_list("key", flat=True))
    assert (
        set(Page.objects.filter(incident__in=Incident.objects.filter(OURS)).values_list("delivery_key", flat=True))
        <= keys
    )
    assert set(Incident.objects.filter(OURS).exclude(status="RESOLVED").values_list("status", "told")) == {
        ("PENDING", True),
        ("PENDING", False),
        ("PENDING", None),
        ("ACCEPTED", True),
    }


def test_what_own_things_refer_to_stays_and_is_named(filled: None) -> None:
    source = AlertSource.objects.get(uuid=uuid_of("source back office"))
    mine = factories.make_incident(source)
    mara = User.objects.get(username="mara.demo")
    factories.make_schedule("Ours", mara)
    own = list(Incident.objects.exclude(OURS).values_list())

    output = run("--remove")

    assert "alert source Nightly jobs (demo)" in output
    assert "escalation policy Back office (demo)" in output
    assert "user Inês Carvalho" in output  # the policy tells her
    assert "user Mara Lindqvist" in output
    assert list(Incident.objects.values_list()) == own
    assert Incident.objects.filter(
        pk=mine.pk, alert_source=source, escalation_policy__name="Back office (demo)"
    ).exists()
    assert Schedule.objects.filter(name="Ours", layers__participants__user=mara).exists()
    assert not User.objects.filter(username="tom.demo").exists()

    Incident.objects.filter(pk=mine.pk).delete()
    Schedule.objects.get(name="Ours").delete()
    assert "This stays" not in run("--remove")
    for model in removal.WHOLES:
        assert not model._default_manager.filter(OURS).exists(), model


def test_what_playing_with_it_has_left_goes_with_it(filled: None) -> None:
    before = {row[1] for row in dump()["destinations.Delivery"] if not FIRST <= row[1] <= LAST}
    admin = User.objects.get(username="root")
    waiting = Incident.objects.get(uuid=uuid_of("incident open certificate.expiry"))
    by = Actor.person(admin, "console")
    lifecycle.assign(
        [waiting], lifecycle.Assignee(user=User.objects.get(username="tom.demo")), by=by, now=timezone.now()
    )
    lifecycle.acknowledge([waiting], by=by, now=timezone.now())
    lifecycle.resolve([waiting], by=by, now=timezone.now())
    assert Delivery.objects.filter(subject=waiting.subject).exclude(OURS).exists()

    assert "This stays" not in run("--remove")

    assert not Delivery.objects.filter(subject=waiting.subject).exists()
    assert {row[1] for row in dump()["destinations.Delivery"]} == before


def test_a_name_that_is_taken_is_said_in_words(db: None) -> None:
    factories.make_schedule("Platform, round the clock (demo)")
    with pytest.raises(CommandError, match="Rename yours"):
        run()
    assert not EscalationPolicy.objects.exists()


def test_only_the_demo_makes_such_uuids() -> None:
    assert uuid_of("a") != uuid_of("b")
    assert uuid_of("a") == uuid_of("a")
    assert FIRST <= uuid_of("a") <= LAST
    assert uuid_of("a").version == 8


def test_every_table_that_refers_to_what_is_taken_away_is_known() -> None:
    strangers = {one.model._meta.label_lower for one in removal.references() if one.whole is None}
    assert strangers == {"admin.logentry"}  # Django's own; nobody of the demo can write there
    parts = {one.model for one in removal.references() if one.path != "pk"}
    assert all(issubclass(model, models.Model) for model in parts)

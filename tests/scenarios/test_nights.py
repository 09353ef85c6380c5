"""Whole nights, each in a few lines: real mail and HTTP servers on loopback, the clock moved by hand."""

import threading
from datetime import timedelta

import pytest

from destinations.models import Delivery
from incidents.models import Run
from oncall.models import Override, Schedule, User
from tests import factories
from tests.scenarios.loud import EVENING, LoudNight
from tests.sinks import HttpSink, Reply, SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture
def night(smtp_sink: SmtpSink, http_sink: HttpSink) -> LoudNight:
    return LoudNight(smtp_sink, http_sink)


@pytest.fixture
def alice(night: LoudNight) -> User:
    return night.person("alice", phone_after=3)


@pytest.fixture
def bob(night: LoudNight) -> User:
    return night.person("bob")


@pytest.fixture
def primary(alice: User) -> Schedule:
    return factories.make_schedule("Primary", alice, zone="Europe/Riga")


def test_nobody_answers_and_it_climbs_to_the_end_and_repeats(night: LoudNight, primary: Schedule, bob: User) -> None:
    night.person("root", is_superuser=True)
    night.connect("webhook", url=f"{night.web.url}/hook")
    policy = factories.make_policy((primary, 5), (bob, 10), repeat=1)
    incident = night.event(factories.make_source("Shop", policy=policy))
    night.until("00:35")
    assert night.heard() == [
        ("22:00", "mail to alice"), ("22:00", "webhook opened"), ("22:03", "phone of alice"), ("22:05", "mail to bob"),
        ("22:15", "mail to alice"), ("22:18", "phone of alice"), ("22:20", "mail to bob"),
        ("22:30", "mail to root"), ("23:30", "mail to root"), ("00:30", "mail to root"),
    ]  # fmt: skip
    assert night.story(incident) == [
        "Opened by Shop.",
        "Step 1: Primary → Alice.",
        "email to Alice: sent.",
        "ntfy to Alice: sent.",
        "Step 2: Bob → Bob.",
        "email to Bob: sent.",
        "Step 1, pass 2: Primary → Alice.",
        "email to Alice: sent.",
        "ntfy to Alice: sent.",
        "Step 2, pass 2: Bob → Bob.",
        "email to Bob: sent.",
        "All steps are done and nobody answered. The catch-all was told: Root.",
        "email to Root: sent.",
        "Still nobody has answered: reminded Root.",
        "email to Root: sent.",
        "Still nobody has answered: reminded Root.",
        "email to Root: sent.",
    ]
    assert night.told_systems(incident) == ["Webhook told “opened”: sent."]
    assert night.fresh(incident).status == "PENDING"


def test_an_acknowledgement_in_the_middle_ends_the_climb_and_the_pages(
    night: LoudNight, primary: Schedule, alice: User, bob: User
) -> None:
    night.connect("webhook", url=f"{night.web.url}/hook")
    policy = factories.make_policy((primary, 5), (bob, 10), repeat=None)
    incident = night.event(factories.make_source("Shop", policy=policy))
    night.until("22:02")
    accepted = night.acknowledge(incident, alice)
    night.until("06:00")
    assert night.heard() == [
        ("22:00", "mail to alice"), ("22:00", "webhook opened"), ("22:02", "webhook accepted"),
    ]  # fmt: skip
    assert night.story(incident)[-1] == "Acknowledged by Alice. Escalation rests."
    assert (accepted.status, accepted.acknowledged_by, accepted.told) == ("ACCEPTED", alice, True)
    phone = Delivery.objects.get(kind="ntfy")
    assert (phone.state, phone.detail) == ("cancelled", "acknowledged by Alice")


def test_the_source_resolves_and_nothing_more_is_sent(night: LoudNight, primary: Schedule, bob: User) -> None:
    night.connect("webhook", url=f"{night.web.url}/hook")
    source = factories.make_source("Shop", policy=factories.make_policy((primary, 5), (bob, 10), repeat=None))
    incident = night.event(source)
    night.until("22:04")
    night.event(source, factories.resolve_event("db"))
    night.until("06:00")
    assert night.heard() == [
        ("22:00", "mail to alice"), ("22:00", "webhook opened"), ("22:03", "phone of alice"),
        ("22:04", "webhook resolved"),
    ]  # fmt: skip
    assert night.story(incident)[-1] == "Resolved by Shop."
    over = night.fresh(incident)
    assert (over.status, over.firing) == ("RESOLVED", False)
    assert Run.objects.get().state == Run.State.ENDED
    again = night.event(source)
    assert again.previous == over
    assert night.heard() == [("06:00", "mail to alice"), ("06:00", "webhook opened")]


def test_an_override_at_two_in_the_night_wakes_who_took_the_rest_of_it(
    night: LoudNight, primary: Schedule, bob: User
) -> None:
    two = EVENING + timedelta(hours=4)
    Override.objects.create(schedule=primary, start=two, end=two + timedelta(hours=5), user=bob)
    night.until("01:50")
    incident = night.event(factories.make_source("Shop", policy=factories.make_policy((primary, 10), repeat=2)))
    night.until("02:11")
    assert night.heard() == [
        ("01:50", "mail to alice"), ("01:53", "phone of alice"), ("02:00", "mail to bob"), ("02:10", "mail to bob"),
    ]  # fmt: skip
    assert [one for one in night.story(incident) if one.startswith("Step")] == [
        "Step 1: Primary → Alice.",
        "Step 1, pass 2: Primary → Bob.",
        "Step 1, pass 3: Primary → Bob.",
    ]


def test_an_empty_schedule_is_passed_over_at_once_and_it_says_so(night: LoudNight, bob: User) -> None:
    empty = factories.make_schedule("Nobody's")
    policy = factories.make_policy((empty, 15), (bob, 10), repeat=None)
    incident = night.event(factories.make_source("Shop", policy=policy))
    assert night.heard() == [("22:00", "mail to bob")]
    assert night.story(incident) == [
        "Opened by Shop.",
        "Step 1: reached nobody (nobody is on call in Nobody's); passed over.",
        "Step 2: Bob → Bob.",
        "email to Bob: sent.",
    ]
    assert night.fresh(incident).told is True


def test_a_policy_that_reaches_nobody_is_red_tells_the_admins_and_searches_on(night: LoudNight, bob: User) -> None:
    night.person("root", is_superuser=True)
    empty = factories.make_schedule("Nobody's")
    Override.objects.create(
        schedule=empty, start=EVENING + timedelta(hours=1), end=EVENING + timedelta(days=1), user=bob
    )
    incident = night.event(factories.make_source("Shop", policy=factories.make_policy((empty, 15), repeat=None)))
    assert night.heard() == [("22:00", "mail to root")]
    red = night.fresh(incident)
    assert (red.status, red.told) == ("PENDING", False)
    assert any(one.startswith("NOBODY WAS TOLD") for one in night.story(incident))
    night.until("23:10")
    assert night.heard() == [("23:00", "mail to bob")]
    assert night.fresh(incident).told is True
    assert len(night.story(incident)) < 10  # an hour of searching is not sixty entries


def test_a_dead_slack_delays_no_mail(night: LoudNight, alice: User, bob: User) -> None:
    night.connect("slack", url=f"{night.web.url}/slack")
    silence = threading.Event()
    night.web.by_path["/slack"] = Reply(503, hold=silence)
    source = factories.make_source("Shop", policy=factories.make_policy(([alice, bob], 30)))
    told_in_silence: list[int] = []

    def wait_for_mail() -> None:
        told_in_silence.append(len(night.mail.wait_for(12, seconds=14)))  # Slack has 15 s: it is still silent
        silence.set()

    watcher = threading.Thread(target=wait_for_mail)
    watcher.start()
    night.event(source, *[factories.event(f"Disk {number}") for number in range(6)])
    watcher.join()
    assert told_in_silence == [12]
    night.heard()
    night.until("22:01")
    assert night.heard().count(("22:00", "slack")) > 12  # it is tried again and again
    assert {one.state for one in Delivery.objects.filter(kind="slack")} == {"queued"}
    assert {one.state for one in Delivery.objects.filter(kind="email")} == {"sent"}


def test_pagerduty_hears_trigger_acknowledge_and_resolve_in_order_also_when_it_was_away(
    night: LoudNight, alice: User
) -> None:
    night.connect("pagerduty", integration_key="0123456789abcdef0123456789abcdef", api_url=night.web.url)
    source = factories.make_source("Shop", policy=factories.make_policy((alice, 30)))
    night.web.by_path["/v2/enqueue"] = Reply(503)
    incident = night.event(source)
    night.acknowledge(incident, alice)
    night.event(source, factories.resolve_event("db"))
    assert {what for _, what in night.heard()} == {"mail to alice", "pagerduty trigger"}
    night.web.by_path["/v2/enqueue"] = Reply(202, {"status": "success", "message": "Event processed"})
    night.until("22:01")
    taken = night.heard()[-3:]
    assert [what for _, what in taken] == ["pagerduty trigger", "pagerduty acknowledge", "pagerduty resolve"]
    sent = [one.json for one in night.web.requests]
    assert {one["dedup_key"] for one in sent} == {f"incident:{incident.uuid}"}
    assert set(sent[-1]) == {"routing_key", "event_action", "dedup_key"}
    assert [one.split(" in ")[0] for one in night.told_systems(incident)] == [
        "Pagerduty told “opened”: sent after 2 tries.",
        "Pagerduty told “accepted”: sent.",
        "Pagerduty told “resolved”: sent.",
    ]

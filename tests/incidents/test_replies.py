"""Signed answers: GET changes nothing, POST acts once as that person, and a late or forged link is told the truth."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from incidents import lifecycle, replies
from incidents.models import Execution, Incident
from incidents.replies import Answer, BadLink, Reply
from incidents.timeline import Actor
from oncall.models import User
from tests import factories
from tests.nights import Night

pytestmark = pytest.mark.django_db


@pytest.fixture
def night() -> Night:
    return Night(now=timezone.now())


@pytest.fixture
def people(night: Night) -> list[User]:
    return [night.person("alice"), night.person("bob"), night.person("carol")]


@pytest.fixture
def incident(night: Night, people: list[User]) -> Incident:
    policy = factories.make_policy((people[0], 60), (people[1], 60), (people[2], 60))
    return night.event(factories.make_source(policy=policy))


def links(incident: Incident, user: User, sequence: int = 1) -> dict[str, str]:
    made = replies.links(str(incident.uuid), str(user.uuid), sequence, timezone.now())
    return {name: address[address.index("/reply/") :] for name, address in made.items()}


def test_get_and_head_show_and_change_nothing(incident: Incident, people: list[User]) -> None:
    for address in links(incident, people[0]).values():
        answer = Client().get(address)
        assert answer.status_code == 200
        assert incident.title in answer.content.decode()
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert Client().head(address).status_code == 200
    after = Incident.objects.get(pk=incident.pk)
    assert (after.status, after.version, after.entries) == (incident.status, incident.version, incident.entries)


def test_post_acknowledges_as_that_person_without_a_session_or_csrf(incident: Incident, people: list[User]) -> None:
    answer = Client(enforce_csrf_checks=True).post(links(incident, people[0])["acknowledge"])
    assert "It is yours now" in answer.content.decode()
    incident.refresh_from_db()
    assert (incident.status, incident.acknowledged_by) == ("ACCEPTED", people[0])
    assert incident.timeline.latest("number").via in {"link", ""}


def test_a4_answering_again_or_second_tells_who_was_first(incident: Incident, people: list[User]) -> None:
    Client().post(links(incident, people[0])["acknowledge"])
    entries = Incident.objects.get(pk=incident.pk).entries
    assert "Already acknowledged by you" in Client().post(links(incident, people[0])["acknowledge"]).content.decode()
    assert "Already acknowledged by Alice" in Client().post(links(incident, people[1])["acknowledge"]).content.decode()
    assert Incident.objects.get(pk=incident.pk).entries == entries


def test_post_resolves_and_then_every_link_is_void(incident: Incident, people: list[User]) -> None:
    assert "Resolved" in Client().post(links(incident, people[0])["resolve"]).content.decode()
    assert "Already resolved by Alice" in Client().post(links(incident, people[1])["acknowledge"]).content.decode()
    assert Incident.objects.get(pk=incident.pk).status == "RESOLVED"


def test_e6_two_escalate_answers_to_one_page_count_once(incident: Incident, people: list[User]) -> None:
    assert "Escalated" in Client().post(links(incident, people[0])["escalate"]).content.decode()
    second = Client().post(links(incident, people[0])["escalate"]).content.decode()
    assert "Already escalated to Bob" in second
    assert Execution.objects.filter(run__incident=incident, position__isnull=False).count() == 2


@pytest.mark.parametrize("change", [lambda t: t[:-3], lambda t: "x" + t, lambda t: t[::-1], lambda t: ""])
def test_a_changed_link_is_refused(incident: Incident, people: list[User], change: object) -> None:
    token = links(incident, people[0])["resolve"].removeprefix("/reply/")
    answer = Client().post(f"/reply/{change(token)}")  # type: ignore[operator]
    assert answer.status_code == 404
    assert Incident.objects.get(pk=incident.pk).status == "PENDING"


def test_a5_a_link_is_good_for_seven_days_from_the_page_however_often_it_is_shown() -> None:
    now = timezone.now()

    def made(ago: timedelta) -> Reply:
        return Reply("i", "u", Answer.RESOLVE, 1, int((now - ago).timestamp()))

    young, old = made(timedelta(days=6, hours=23)), made(timedelta(days=7, minutes=1))
    assert replies.read(replies.sign(young), now) == young
    with pytest.raises(BadLink, match="older than seven days"):
        replies.read(replies.sign(old), now)


def test_the_other_answers_on_a_page_are_not_good_for_longer(incident: Incident, people: list[User]) -> None:
    with time_machine.travel(timezone.now() - timedelta(days=6)):
        address = links(incident, people[0])["acknowledge"]
    shown = Client().get(address).content.decode()
    tokens = re.findall(r"/reply/([^\"]+)", shown)
    assert tokens
    for token in tokens:
        with pytest.raises(BadLink):
            replies.read(token, timezone.now() + timedelta(days=2))


def test_the_link_of_a_deactivated_person_does_nothing(incident: Incident, people: list[User]) -> None:
    User.objects.filter(pk=people[0].pk).update(is_active=False)
    assert Client().post(links(incident, people[0])["resolve"]).status_code == 404
    assert Incident.objects.get(pk=incident.pk).status == "PENDING"


def test_markup_in_a_title_stays_text(night: Night, people: list[User]) -> None:
    source = factories.make_source(policy=factories.make_policy((people[0], 5)))
    incident = night.event(source, factories.event("<script>alert(1)</script>"))
    page = Client().get(links(incident, people[0])["resolve"]).content.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_after_resolve_nothing_goes_out_but_to_those_who_want_to_know(night: Night, people: list[User]) -> None:
    User.objects.filter(username="bob").update(wants_resolved=True)
    policy = factories.make_policy(([people[0], people[1]], 60))
    incident = night.event(factories.make_source(policy=policy))
    night.told()
    lifecycle.resolve([incident], by=Actor.person(people[2], "api"), now=night.now)
    night.work()
    assert [who for _, who in night.told()] == ["bob"]

"""Escalation policies are read as sentences and changed as rows."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.models import AuditEntry
from oncall import policies
from oncall.models import EscalationPolicy, Schedule, User
from tests.callers import person, way_to
from tests.factories import make_policy, make_rule, make_schedule, make_source
from tests.incidents.admin.browsing import browser, said, same_queries, text
from tests.oncall.admin.test_schedule_form import sent

pytestmark = pytest.mark.django_db
NEW = "/escalation-policies/new/"


@pytest.fixture
def root() -> User:
    return person("root", "admin", name="Rita Root")


@pytest.fixture
def client(root: User) -> Client:
    return browser(root)


def reachable(username: str, **columns: Any) -> User:
    user = person(username, "responder", **columns)
    make_rule(user, way_to(user))
    return user


def test_an_empty_installation_is_told_what_a_policy_is_for(client: Client) -> None:
    said(client.get("/escalation-policies/"), "No escalation policy yet", "Make the first policy")


def test_a_policy_reads_as_sentences_with_who_would_be_reached(client: Client) -> None:
    ann, bob = reachable("ann", name="Ann Ash"), person("bob", "responder", name="Bob Berg")
    policy = make_policy((make_schedule("Core", ann), 5), ([bob], 10), (make_schedule("Empty"), 15), name="Ladder")
    for path in ("/escalation-policies/", reverse("console-policy", args=[policy.uuid])):
        answer = client.get(path)
        said(
            answer,
            "At once: whoever is on call in Core (now Ann Ash)",
            "After 5 min: Bob Berg",
            "Reaches nobody now: Bob Berg has no verified contact method.",
            "Reaches nobody now: nobody is on call in Empty.",
            "it begins again, until somebody answers. If nobody can be reached: the administrators.",
        )
        assert text(answer).count("Reaches nobody now") == 2


def test_the_list_costs_the_same_with_many(client: Client) -> None:
    ann = reachable("ann")
    schedule = make_schedule("Core", ann)
    same_queries(lambda: client.get("/escalation-policies/"), lambda: make_policy((schedule, 5), ([ann], 5)))


def steps(*targets: str, **more: str) -> dict[str, str]:
    """What the form sends: a step for each target."""
    found = {
        "name": "Ladder",
        "team": "",
        "repeat": "",
        "low_urgency": "first_step",
        "start_delay_minutes": "0",
        "ack_timeout_minutes": "",
    }
    for place, target in enumerate(targets):
        found |= {
            f"steps.{place}.targets.0": target,
            f"steps.{place}.delay_minutes": "5",
            f"steps.{place}.strategy": "everyone",
        }
    return {**found, **more}


def test_a_policy_is_made_by_rows(client: Client, root: User) -> None:
    ann, core = reachable("ann"), make_schedule("Core")
    state = sent(client.get(NEW))
    for order in ("add steps", "add steps.0.targets"):
        state = sent(client.post(NEW, {**state, "row": order}))
    assert not EscalationPolicy.objects.exists()
    state |= steps(f"schedule:{core.uuid}", f"user:{ann.uuid}") | {
        "steps.0.targets.1": f"user:{root.uuid}",
        "repeat": "2",
        "ack_timeout_minutes": "30",
    }
    answer = client.post(NEW, state)
    made = EscalationPolicy.objects.get()
    assert answer.headers["Location"] == reverse("console-policy", args=[made.uuid])
    written = policies.as_document(made)
    assert [step["targets"] for step in written["steps"]] == [
        [{"schedule": "Core"}, {"user": "root"}],
        [{"user": "ann"}],
    ]
    assert (written["repeat"], written["ack_timeout_minutes"]) == (2, 30)
    assert AuditEntry.objects.get().kind == "oncall.escalationpolicy"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": " "}, "Give it a name of at most 100 characters."),
        ({"steps.0.targets.0": ""}, "Choose whom to tell."),
        ({"steps.0.targets.0": "user:nobody"}, "Choose whom to tell."),
        (
            {"steps.0.targets.0": "schedule:6d9c4d0e-0000-4000-8000-000000000000"},
            "This schedule is gone. Choose another.",
        ),
        ({"steps.0.delay_minutes": "five"}, "Send whole minutes from 0 to 9000."),
        ({"steps.0.delay_minutes": "9001"}, "Send whole minutes from 0 to 9000."),
        ({"start_delay_minutes": "61"}, "Send whole minutes from 0 to 60."),
        ({"ack_timeout_minutes": "0"}, "Send whole minutes from 1 to 9000, or leave it empty."),
        ({"repeat": "often"}, "Send a whole number from 0 to 9."),
        ({"team": "Nowhere"}, "This team is gone. Choose another."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(client: Client, root: User, wrong: dict[str, str], told: str) -> None:
    answer = client.post(NEW, {**steps(f"user:{root.uuid}"), **wrong})
    assert answer.status_code == 400
    said(answer, told)
    assert not EscalationPolicy.objects.exists()


def test_a_policy_without_steps_is_refused(client: Client) -> None:
    said(client.post(NEW, steps()), "a policy without steps tells nobody")


def test_a_name_is_taken_once(client: Client, root: User) -> None:
    make_policy(([root], 5), name="Ladder")
    said(
        client.post(NEW, steps(f"user:{root.uuid}")),
        "Another escalation policy is called 'Ladder'. Choose another name.",
    )


def test_an_edit_keeps_what_it_does_not_touch_and_moves_steps(client: Client, root: User) -> None:
    ann = reachable("ann")
    policy = make_policy(([root], 7), (make_schedule("Core", ann), 9), name="Ladder", repeat=None)
    path = reverse("console-policy-edit", args=[policy.uuid])
    state = sent(client.post(path, {**sent(client.get(path)), "row": "up steps.1"}))
    client.post(path, state)
    written = policies.as_document(EscalationPolicy.objects.get())
    assert [(step["targets"], step["delay_minutes"]) for step in written["steps"]] == [
        ([{"schedule": "Core"}], 9),
        ([{"user": "root"}], 7),
    ]
    assert written["repeat"] is None


def test_what_somebody_else_changed_meanwhile_is_not_lost(client: Client, root: User) -> None:
    policy = make_policy(([root], 7), name="Ladder")
    path = reverse("console-policy-edit", args=[policy.uuid])
    state = sent(client.get(path))
    policies.save(policy, {"repeat": 3}, by=root, now=timezone.now())
    answer = client.post(path, state)
    assert answer.status_code == 409
    said(answer, "Somebody has changed Ladder since you opened this form.")
    assert EscalationPolicy.objects.get().repeat == 3


def test_one_that_is_used_is_not_deleted(client: Client, root: User) -> None:
    policy = make_policy(([root], 5), name="Ladder")
    source = make_source("Shop", policy=policy)
    path = reverse("console-policy-deleted", args=[policy.uuid])
    said(
        client.get(reverse("console-policy-delete", args=[policy.uuid])),
        "If an alert source or an open incident uses it, this is refused",
    )
    answer = client.post(path, HTTP_REFERER=f"http://testserver/escalation-policies/{policy.uuid}/", follow=True)
    said(answer, "Ladder is used by alert source Shop. Give them another policy first.")
    assert not AuditEntry.objects.exists()
    source.delete()
    client.post(path)
    assert not EscalationPolicy.objects.exists()


def test_who_came_from_elsewhere_is_not_sent_there(client: Client, root: User) -> None:
    policy = make_policy(([root], 5), name="Ladder")
    make_source("Shop", policy=policy)
    answer = client.post(
        reverse("console-policy-deleted", args=[policy.uuid]), HTTP_REFERER="https://elsewhere.example/"
    )
    assert answer.headers["Location"] == "/"


def test_private_schedules_are_not_offered_to_others(client: Client) -> None:
    max_ = browser(person("max", "manager"))
    hidden = make_schedule("Owls")
    hidden.team = person("owl", "responder").teams.create(name="Owls", private=True)
    hidden.save()
    assert str(hidden.uuid) in client.get(NEW).content.decode()
    assert str(hidden.uuid) not in max_.get(NEW).content.decode()
    said(max_.post(NEW, steps(f"schedule:{hidden.uuid}")), "This schedule is gone.")
    assert Schedule.objects.filter(pk=hidden.pk).exists()

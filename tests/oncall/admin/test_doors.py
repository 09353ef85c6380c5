"""Every page of this floor with each role and with none; and no page changes anything by being looked at."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oncall import console_urls, tokens
from oncall.models import Membership, Override, Team, User
from tests.callers import person, way_to
from tests.factories import make_policy, make_schedule
from tests.incidents.admin.browsing import browser

pytestmark = pytest.mark.django_db

A = {"admin"}
M = A | {"manager"}
R = M | {"responder"}
S = R | {"stakeholder"}
ANY = S | {"none"}
OPEN = {"console-choose-password", "console-password-chosen"}
PAGES: dict[str, set[str]] = {  # by GET; the row is somebody else's
    "console-schedules": S,
    "console-schedule-new": M,
    "console-schedule": S,
    "console-schedule-edit": M,
    "console-schedule-delete": M,
    "console-policies": S,
    "console-policy-new": M,
    "console-policy": S,
    "console-policy-edit": M,
    "console-policy-delete": M,
    "console-people": ANY,
    "console-person-new": A,
    "console-person": S,
    "console-person-deactivate": A,
    "console-roles": ANY,
    "console-teams": S,
    "console-team-new": M,
    "console-team": S,
    "console-team-edit": M,
    "console-team-delete": M,
    "console-me": ANY,
    "console-me-details": ANY,
    "console-me-rules": ANY,
    "console-contact-new": ANY,
    "console-contact": set(),  # one's own only, whoever one is
    "console-tokens": ANY,
    "console-token-new": ANY,
}
VERBS: dict[str, set[str]] = {  # by POST alone
    "console-schedule-deleted": M,
    "console-override-add": R,
    "console-override-end": M,
    "console-override-delete": M,
    "console-policy-deleted": M,
    "console-person-change": A,
    "console-person-deactivated": A,
    "console-person-reactivated": A,
    "console-person-link": A,
    "console-contact-vouch": A,
    "console-contact-code": set(),
    "console-contact-test": set(),
    "console-contact-delete": set(),
    "console-team-deleted": M,
    "console-token-revoke": A,
}
ROLES = ("admin", "manager", "responder", "stakeholder", "none")


@pytest.fixture
def rows() -> dict[str, Any]:
    """One row of each noun, all somebody else's."""
    eve = person("eve", "responder")
    schedule = make_schedule("Primary", eve)
    now = timezone.now()
    return {
        "schedule": schedule,
        "override": Override.objects.create(schedule=schedule, start=now, end=now + timedelta(hours=1), user=eve),
        "policy": make_policy((eve, 5), name="Shop"),
        "person": eve,
        "team": Team.objects.create(name="Core"),
        "contact": way_to(eve, verified=False),
        "token": tokens.make(eve, "hers", ["read"], now=now)[0],
    }


def address(name: str, rows: dict[str, Any]) -> str:
    if name == "console-contact-new":
        return reverse(name, args=["email"])
    noun = "schedule" if name == "console-override-add" else name.split("-")[1]
    takes = next(one for one in console_urls.urlpatterns if one.name == name).pattern.converters
    return reverse(name, args=[rows[noun].uuid] if takes else [])


def in_role(role: str) -> Client:
    return browser(person(f"a-{role}", *([] if role == "none" else [role])))


def everything() -> list[Any]:
    """All rows of our own apps, as they are stored."""
    found: list[Any] = []
    models = [
        model
        for app in ("oncall", "incidents", "destinations", "config")
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
    ]
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
            found += cursor.fetchall()
    return found


def test_the_tables_name_every_route() -> None:
    assert {one.name for one in console_urls.urlpatterns} == set(PAGES) | set(VERBS) | OPEN


@pytest.mark.parametrize("name", PAGES)
def test_who_may_look(name: str, rows: dict[str, Any]) -> None:
    seen = {role for role in ROLES if in_role(role).get(address(name, rows)).status_code == 200}
    assert seen == PAGES[name]


@pytest.mark.parametrize("name", VERBS)
def test_who_may_act(name: str, rows: dict[str, Any]) -> None:
    """Past the door is everything but 403 and 404: a refusal for what was sent is a 400, or a message."""
    path = address(name, rows)
    passed = set()
    for role in ROLES:
        client = in_role(role)
        with transaction.atomic():
            if client.post(path).status_code not in {403, 404}:
                passed.add(role)
            transaction.set_rollback(True)
    assert passed == VERBS[name]


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_never_done_by_a_link(name: str, rows: dict[str, Any]) -> None:
    client = in_role("admin")
    before = everything()
    assert client.get(address(name, rows)).status_code == 405
    assert everything() == before


def test_looking_changes_nothing(rows: dict[str, Any]) -> None:
    client = in_role("admin")
    before = everything()
    for name in PAGES:
        client.get(address(name, rows))
    assert everything() == before


def test_strangers_are_asked_to_sign_in(rows: dict[str, Any]) -> None:
    for name in {**PAGES, **VERBS}:
        answer = Client().get(address(name, rows))
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/login/"), name
        assert Client().post(address(name, rows)).status_code == 302


def test_forms_ask_for_their_token(rows: dict[str, Any]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("root", "admin"), backend="oncall.roles.RoleBackend")
    before = everything()
    for name in VERBS:
        assert client.post(address(name, rows)).status_code == 403, name
    assert everything() == before


@pytest.fixture
def hidden() -> dict[str, Any]:
    """What belongs to a private team."""
    owls = Team.objects.create(name="Owls", private=True)
    schedule, policy = make_schedule("Owls primary"), make_policy((person("owl", "responder"), 5), name="Owls policy")
    for row in (schedule, policy):
        row.team = owls
        row.save()
    return {"schedule": schedule, "policy": policy, "team": owls}


def test_what_is_private_does_not_exist_for_others(hidden: dict[str, Any]) -> None:
    stranger, member = person("max", "manager"), person("mia", "responder")
    Membership.objects.create(team=hidden["team"], user=member)
    for name in ("console-schedule", "console-policy", "console-team"):
        path = address(name, hidden)
        assert browser(stranger).get(path).status_code == 404
        assert browser(User.objects.get(pk=member.pk)).get(path).status_code == 200
    for name in ("console-schedules", "console-policies", "console-teams", "console-people"):
        assert b"Owls" not in browser(stranger).get(reverse(name)).content


OF_A_TEAM = [name for name, roles in {**PAGES, **VERBS}.items() if roles == M and not name.endswith("-new")]


@pytest.mark.parametrize("name", OF_A_TEAM)
def test_the_manager_of_one_team_touches_nothing_of_another(name: str, rows: dict[str, Any]) -> None:
    shop, core = Team.objects.create(name="Shop"), rows["team"]
    sue = person("sue", "responder")
    Membership.objects.create(team=shop, user=sue, manager=True)
    for noun in ("schedule", "policy"):
        rows[noun].team = core
        rows[noun].save()
    client = browser(User.objects.get(pk=sue.pk))
    before = everything()
    ask = client.post if name in VERBS else client.get
    assert ask(address(name, rows)).status_code == 403
    assert everything() == before

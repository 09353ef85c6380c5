"""People, teams and roles on the console."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.models import AuditEntry
from oncall import tokens
from oncall.models import Membership, Team, User
from tests.callers import person, way_to
from tests.factories import make_policy, make_rule, make_schedule
from tests.incidents.admin.browsing import browser, said, same_queries, text

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def root() -> User:
    return person("root", "admin", name="Rita Root", time_zone="Europe/Riga")


@pytest.fixture
def client(root: User) -> Client:
    return browser(root)


def given(**more: Any) -> dict[str, Any]:
    return {
        "username": "ann",
        "name": "Ann Ash",
        "email": "",
        "time_zone": "Asia/Tokyo",
        "phone": "",
        "roles": ["responder"],
        "password": PASSWORD,
        **more,
    }


def test_the_list_says_in_red_who_cannot_be_reached(client: Client, root: User) -> None:
    make_rule(root, way_to(root))
    person("ann", "responder", name="Ann Ash")
    shown = text(client.get("/people/"))
    assert re.search(r"Ann Ash .*?cannot be reached", shown)
    assert re.search(r"Rita Root .*? admin .*?reachable", shown)
    assert "Rita Root" not in text(client.get("/people/?search=ash")).partition("Ann Ash")[2]


def test_a_rule_for_what_can_wait_does_not_make_reachable(client: Client, root: User) -> None:
    make_rule(root, way_to(root), urgency="low")
    assert "check_circle reachable" not in text(client.get("/people/"))


def test_the_list_costs_the_same_with_many(client: Client) -> None:
    names = iter(range(100))
    team = Team.objects.create(name="Core")

    def more() -> None:
        user = person(f"p{next(names)}", "responder")
        Membership.objects.create(team=team, user=user)

    same_queries(lambda: client.get("/people/"), more)


def test_a_new_person_can_sign_in_with_the_first_password(client: Client) -> None:
    answer = client.post("/people/new/", given())
    ann = User.objects.get(username="ann")
    assert answer.headers["Location"] == reverse("console-person", args=[ann.uuid])
    assert (str(ann), ann.time_zone, set(ann.roles)) == ("Ann Ash", "Asia/Tokyo", {"responder"})
    assert Client().post("/login/", {"username": "ann", "password": PASSWORD}).status_code == 302
    entry = AuditEntry.objects.get(kind="oncall.user")
    assert PASSWORD not in str(entry.changes)
    assert entry.action == "created"


def test_without_a_password_there_is_a_link_that_counts_once(client: Client) -> None:
    shown = client.post("/people/new/", given(password="")).content.decode()
    link = re.search(r"http://testserver(/password/[^<]+)", shown)
    assert link
    stranger = Client()
    form = stranger.get(link[1], follow=True)
    said(form, "Choose a password")
    path = form.redirect_chain[-1][0]
    said(stranger.post(path, {"new_password1": "short", "new_password2": "short"}), "too short")
    said(
        stranger.post(path, {"new_password1": PASSWORD, "new_password2": PASSWORD}, follow=True), "Your password is set"
    )
    assert stranger.post("/login/", {"username": "ann", "password": PASSWORD}).status_code == 302
    said(Client().get(link[1], follow=True), "This link does not count any more")


def test_a_link_for_somebody_deactivated_counts_for_nothing(client: Client) -> None:
    ann = person("ann", "responder")
    shown = client.post(reverse("console-person-link", args=[ann.uuid])).content.decode()
    link = re.search(r"http://testserver(/password/[^<]+)", shown)
    assert link
    User.objects.filter(pk=ann.pk).update(is_active=False)
    said(Client().get(link[1], follow=True), "This link does not count any more")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"username": ""}, "This field is required."),
        ({"username": "a b"}, "Use letters, digits and . @ + - _ only."),
        ({"username": "ROOT"}, "Somebody is called ROOT already."),
        ({"time_zone": "Mars"}, "is not an IANA time zone"),
        ({"phone": "0123"}, "Write it with the country code and digits only"),
        ({"email": "nowhere"}, "valid email"),
        ({"password": "short"}, "too short"),
        ({"password": "password1234"}, "too common"),
        ({"roles": ["king"]}, "king is not one of the available choices"),
    ],
)
def test_careless_input_gives_sentences(client: Client, wrong: dict[str, Any], told: str) -> None:
    answer = client.post("/people/new/", given(**wrong))
    assert answer.status_code == 400
    said(answer, told)
    assert User.objects.count() == 1


def test_an_admin_changes_roles_and_the_trail_tells(client: Client) -> None:
    ann = person("ann", "responder")
    path = reverse("console-person-change", args=[ann.uuid])
    client.post(path, {"name": "Ann", "time_zone": "UTC", "roles": ["manager", "responder"]})
    assert User.objects.get(pk=ann.pk).roles == {"manager", "responder"}
    assert AuditEntry.objects.get().changes["roles"] == [["responder"], ["manager", "responder"]]
    said(client.post(path, {"name": "Ann", "time_zone": "Mars"}), "is not an IANA time zone")


def test_the_last_admin_stays_one(client: Client, root: User) -> None:
    path = reverse("console-person-change", args=[root.uuid])
    said(client.post(path, {"time_zone": "UTC", "roles": ["responder"]}), "This is the last active admin.")
    assert User.objects.get(pk=root.pk).roles == {"admin"}


def test_deactivating_says_first_what_it_means(client: Client) -> None:
    ann = person("ann", "responder", name="Ann Ash")
    make_schedule("Core", ann)
    make_policy(([ann], 5), name="Ladder")
    tokens.make(ann, "script", ["read"], now=timezone.now())
    said(
        client.get(reverse("console-person-deactivate", args=[ann.uuid])),
        "1 API token stops working",
        "leaves these turns vacant",
        "Core",
        "is passed over in Ladder",
    )
    said(client.post(reverse("console-person-deactivated", args=[ann.uuid]), follow=True), "Ann Ash is deactivated")
    assert not User.objects.get(pk=ann.pk).is_active
    said(client.post(reverse("console-person-reactivated", args=[ann.uuid]), follow=True), "Ann Ash is back")
    assert User.objects.get(pk=ann.pk).is_active


def test_nobody_deactivates_themselves(client: Client, root: User) -> None:
    path = reverse("console-person-deactivated", args=[root.uuid])
    said(client.post(path, HTTP_REFERER="http://testserver/people/", follow=True), "You cannot deactivate yourself.")
    assert User.objects.get(pk=root.pk).is_active


def test_an_admin_vouches_and_the_trail_tells(client: Client, root: User) -> None:
    ann = person("ann", "responder")
    method = way_to(ann, verified=False)
    said(client.get(reverse("console-person", args=[ann.uuid])), "not verified yet", "Vouch for it")
    client.post(reverse("console-contact-vouch", args=[method.uuid]))
    method.refresh_from_db()
    assert (method.verified, method.vouched_by) == (True, root)
    assert AuditEntry.objects.get().action == "vouched"


def test_others_do_not_see_addresses() -> None:
    ann, sam = person("ann", "responder"), person("sam", "stakeholder")
    way_to(ann, address="private@example.com")
    path = reverse("console-person", args=[ann.uuid])
    assert "private@example.com" not in text(browser(sam).get(path))
    assert "private@example.com" in text(browser(person("max", "manager")).get(path))


def test_roles_are_told_with_their_people(client: Client) -> None:
    person("ann", "responder", name="Ann Ash")
    person("new", name="Nora New")
    said(client.get("/roles/"), "Admin", "Ann Ash", "Without a role", "Nora New")
    assert "Ann Ash" not in text(browser(User.objects.get(username="new")).get("/roles/"))


def test_a_team_is_made_changed_and_deleted(client: Client) -> None:
    ann, bob = person("ann", "responder"), person("bob", "responder")
    said(client.get("/teams/"), "No team yet")
    client.post("/teams/new/", {"name": "Core", "members": ["ann"], "managers": ["bob"]})
    core = Team.objects.get()
    assert (set(core.members.all()), core.managers) == ({ann, bob}, [bob])
    User.objects.filter(pk=ann.pk).update(is_active=False)
    form = client.get(reverse("console-team-edit", args=[core.uuid])).content.decode()
    assert re.search(r'name="members"\s+value="ann"\s+checked', form)
    client.post(reverse("console-team-edit", args=[core.uuid]), {"name": "Core", "members": ["ann", "root"]})
    assert Team.objects.get().managers == []
    assert set(Team.objects.get().members.values_list("username", flat=True)) == {"ann", "root"}
    assert AuditEntry.objects.filter(action="changed").get().changes["managers"] == [["bob"], []]
    said(client.post(reverse("console-team-deleted", args=[core.uuid]), follow=True), "Core is deleted.")
    assert not Team.objects.exists()


def test_a_team_that_is_paged_is_not_deleted(client: Client) -> None:
    core = Team.objects.create(name="Core")
    make_policy((core, 5), name="Ladder")
    said(client.get(reverse("console-team-delete", args=[core.uuid])), "cannot be deleted while", "Ladder")
    path = reverse("console-team-deleted", args=[core.uuid])
    said(client.post(path, HTTP_REFERER="http://testserver/teams/", follow=True), "Core is a target of Ladder.")
    assert Team.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "required"),
        ({"name": "Shop"}, "Another team is called Shop."),
        ({"name": "Core", "members": ["ghost"]}, "ghost"),
    ],
)
def test_a_careless_team_is_refused_in_words(client: Client, wrong: dict[str, Any], told: str) -> None:
    Team.objects.create(name="Shop")
    answer = client.post("/teams/new/", wrong)
    assert answer.status_code == 400
    said(answer, told)
    assert Team.objects.count() == 1


def test_a_team_s_page_has_its_people_schedules_and_policies(client: Client) -> None:
    core, ann = Team.objects.create(name="Core"), person("ann", "responder", name="Ann Ash")
    Membership.objects.create(team=core, user=ann, manager=True)
    schedule, policy = make_schedule("Primary", ann), make_policy(([ann], 5), name="Ladder")
    for row in (schedule, policy):
        row.team = core
        row.save()
    said(client.get(reverse("console-team", args=[core.uuid])), "Ann Ash", "manager", "Primary", "Ladder")
    said(client.get("/teams/?search=co"), "Core")


def test_team_lists_cost_the_same_with_many(client: Client, root: User) -> None:
    names = iter(range(100))

    def more() -> None:
        Membership.objects.create(team=Team.objects.create(name=f"T{next(names)}"), user=root)

    same_queries(lambda: client.get("/teams/"), more)


def test_a_token_of_a_person_who_went_stays_away(client: Client) -> None:
    ann = person("ann", "responder")
    token, _ = tokens.make(ann, "script", ["read"], expires_at=timezone.now() + timedelta(days=1), now=timezone.now())
    client.post(reverse("console-person-deactivated", args=[ann.uuid]))
    client.post(reverse("console-person-reactivated", args=[ann.uuid]))
    token.refresh_from_db()
    assert token.revoked_at is not None

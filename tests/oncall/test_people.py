"""Coming, going, coming back."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session

from config import audit
from config.models import AuditEntry
from config.problems import Conflict, Invalid
from destinations.base import Message
from destinations.delivery import Order, enqueue
from destinations.models import Delivery
from oncall import contacts, people, shifts
from oncall.models import Deactivation, Layer, Participant, Schedule, User
from tests.callers import bearer, person, signed_in, way_to

NOW = datetime(2026, 11, 21, 3, 47, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVE = audit.Actor("eve", "", "api")
pytestmark = pytest.mark.django_db


@pytest.fixture
def eve() -> User:
    return person("eve", "admin")


def go(user: User, eve: User, now: datetime = NOW) -> None:
    people.deactivate(user, by=eve, actor=EVE, now=now)


def test_turns_are_vacant_from_that_instant_and_back_from_the_other(eve: User) -> None:
    ann = person("ann", "responder")
    schedule = Schedule.objects.create(name="Primary")
    layer = Layer.objects.create(schedule=schedule, time_zone="UTC", anchor="2026-11-02T00:00")
    Participant.objects.create(layer=layer, position=0, user=ann)
    go(ann, eve)
    people.reactivate(ann, actor=EVE, now=NOW + HOUR)
    at = {minutes: shifts.on_call(schedule, NOW + timedelta(minutes=minutes)).user for minutes in (-1, 0, 59, 60)}
    assert at == {-1: ann, 0: None, 59: None, 60: ann}


def test_tokens_sessions_and_waiting_messages_end(eve: User) -> None:
    ann = person("ann", "responder")
    method = way_to(ann)
    client, browser, other = bearer(ann), signed_in(ann), signed_in(eve)
    order = Order(
        key="p", kind="email", message=Message(event="page"), due_at=NOW + HOUR, recipient=contacts.recipient(method)
    )
    enqueue([order], now=NOW)
    assert (client.get("/api/v1/teams/").status_code, browser.get("/api/v1/teams/").status_code) == (200, 200)
    go(ann, eve)
    assert (client.get("/api/v1/teams/").status_code, browser.get("/api/v1/teams/").status_code) == (401, 401)
    assert other.get("/api/v1/teams/").status_code == 200
    assert Session.objects.count() == 1
    assert Delivery.objects.get().state == Delivery.State.CANCELLED
    people.reactivate(ann, actor=EVE, now=NOW + HOUR)
    assert client.get("/api/v1/teams/").status_code == 401


def test_the_higher_floors_are_told_in_the_same_transaction(eve: User) -> None:
    ann, told = person("ann"), []

    def listen(user: User, now: datetime) -> None:
        told.append((user.username, user.is_active, now))

    def fail(user: User, now: datetime) -> None:
        raise RuntimeError("the hook broke")

    people.deactivated.append(listen)
    try:
        go(ann, eve)
        go(ann, eve)
        assert told == [("ann", False, NOW)]
        people.deactivated.append(fail)
        bob = person("bob")
        with pytest.raises(RuntimeError):
            go(bob, eve)
        assert User.objects.get(pk=bob.pk).is_active
        assert not Deactivation.objects.filter(user=bob).exists()
    finally:
        people.deactivated.remove(listen)
        if fail in people.deactivated:
            people.deactivated.remove(fail)


def test_twice_changes_nothing(eve: User) -> None:
    ann = person("ann")
    for _ in range(2):
        go(ann, eve)
    for _ in range(2):
        people.reactivate(ann, actor=EVE, now=NOW + HOUR)
    spans = list(Deactivation.objects.values_list("start", "end"))
    assert spans == [(NOW, NOW + HOUR)]
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == ["deactivated", "reactivated"]


def test_the_last_admin_stays_and_nobody_shuts_himself_out(eve: User) -> None:
    with pytest.raises(Conflict, match="yourself"):
        go(eve, eve)
    with pytest.raises(Conflict, match="last active admin"):
        people.deactivate(eve, by=None, actor=EVE, now=NOW)
    with pytest.raises(Conflict, match="last active admin"):
        people.change(eve, roles=["responder"])
    person("ann", "admin")
    people.deactivate(eve, by=None, actor=EVE, now=NOW)
    assert not eve.is_active


def test_a_new_person_is_a_responder_with_nothing_to_be_reached_by() -> None:
    bob = people.add(username="bob", email="bob@example.com")
    assert bob.roles == {"responder"}
    assert not bob.has_usable_password()
    assert contacts.usable_methods([bob]) == {}
    assert not Delivery.objects.exists()


def test_a_weak_password_is_refused_with_the_reason() -> None:
    with pytest.raises(Invalid) as refused:
        people.add(username="bob", password="password1")
    assert {one.field for one in refused.value.errors} == {"password"}
    assert not User.objects.filter(username="bob").exists()


# --- over REST -----------------------------------------------------------------------------------------------------
def test_an_admin_makes_changes_and_switches_off_people(eve: User) -> None:
    client = bearer(eve)
    body = {
        "username": "ann",
        "name": "Ann Ahn",
        "email": "ann@example.com",
        "time_zone": "Europe/Riga",
        "roles": ["manager"],
    }
    made = client.post("/api/v1/users/", {**body, "password": "rain on the roof 12"}, format="json")
    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in body} == body
    assert "password" not in made.json()
    assert User.objects.get(username="ann").check_password("rain on the roof 12")
    path = f"/api/v1/users/{made.json()['id']}/"
    changed = client.patch(path, {"roles": ["responder", "stakeholder"]}, format="json")
    assert changed.json()["roles"] == ["responder", "stakeholder"]
    assert client.post(f"{path}deactivate/").json()["active"] is False
    assert client.post(f"{path}reactivate/").json()["active"] is True
    refused = client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_deletable")


def test_people_change_their_own_name_and_not_their_roles(eve: User) -> None:
    ann = person("ann", "responder")
    client, path = bearer(ann, "read", "write"), f"/api/v1/users/{ann.uuid}/"
    assert client.patch(path, {"name": "Ann", "time_zone": "Asia/Tokyo"}, format="json").status_code == 200
    for change in ({"roles": ["admin"]}, {"password": "rain on the roof 12"}, {"username": "root"}):
        assert client.patch(path, change, format="json").status_code == 403
    assert client.patch(f"/api/v1/users/{eve.uuid}/", {"name": "x"}, format="json").status_code == 403
    assert User.objects.get(pk=ann.pk).roles == {"responder"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_zone", "Mars/Base"),
        ("phone", "12"),
        ("roles", ["king"]),
        ("email", "x"),
        ("username", "eve"),
        ("username", "a b"),
    ],
)
def test_wrong_people_are_refused_by_field(eve: User, field: str, value: object) -> None:
    answer = bearer(eve).post("/api/v1/users/", {"username": "ann", field: value}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"].startswith(field)


def test_people_are_found_by_role_team_and_word(eve: User) -> None:
    client = bearer(eve)
    bob = person("bob", "responder", name="Bob Berg")
    client.post("/api/v1/teams/", {"name": "Core", "members": ["bob"], "managers": ["eve"]}, format="json")

    def found(query: str) -> list[str]:
        return [row["username"] for row in client.get(f"/api/v1/users/?{query}").json()["results"]]

    assert found("role=responder") == ["bob"]
    assert found("role=responder&role=admin") == ["bob", "eve"]
    assert found("team=Core") == ["bob", "eve"]
    assert found("search=berg") == ["bob"]
    assert found(f"id={bob.uuid}") == ["bob"]
    assert found("active=false") == []
    assert client.get("/api/v1/users/?role=king").status_code == 400

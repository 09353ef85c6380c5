"""The pages of deliveries: filters, attempts in words, replay of one and of many."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from destinations.models import Attempt, Connector, Delivery
from oncall import contacts
from oncall.models import Membership, Team
from tests.callers import bearer, person
from tests.factories import make_incident, make_method, make_source, make_user
from tests.incidents.admin.browsing import browser, said, same_queries, text

pytestmark = pytest.mark.django_db
State = Delivery.State
SECRET = "b1946ac92492d2347c6235b4d2611184"
LINK = "https://tocsin.example.com/reply/signed-link"


@pytest.fixture
def manager() -> Client:
    return browser(person("max", "manager"))


def _hook(name: str = "Ops webhook", **columns: Any) -> Connector:
    row, _ = Connector.objects.get_or_create(name=name, defaults={"kind": "webhook", "config": {}, **columns})
    return row


def _delivery(**columns: Any) -> Delivery:
    message = {
        "title": "Disk full",
        "text": "Nothing is left.",
        "settings": {"routing_key": SECRET},
        "reply_links": {"acknowledge": LINK},
    }
    values = {"connector": _hook(), "event": "opened", "state": State.SENT, "message": message, "kind": "webhook"}
    now = timezone.now()
    return Delivery.objects.create(**{"key": f"k{Delivery.objects.count()}", "due_at": now, **values, **columns})


def _to_person(username: str = "ann") -> Delivery:
    user = make_user(username, email_after=None)
    method = make_method(user)
    return _delivery(connector=None, kind="email", event="page", recipient=f"contact-method:{method.uuid}", priority=0)


def test_an_empty_list_says_what_will_stand_here(manager: Client) -> None:
    said(manager.get(reverse("console-deliveries")), "Nothing has left yet")
    said(manager.get(reverse("console-deliveries"), {"state": "sent"}), "Nothing found", "No delivery is like this.")


def test_each_line_says_whom_what_and_how_it_stands(manager: Client) -> None:
    incident = make_incident(make_source("Shop"))
    _delivery(subject=incident.subject)
    _delivery(state=State.FAILED, detail="It answered 503.")
    _delivery(state=State.UNKNOWN)
    _delivery(state=State.CANCELLED)
    _delivery(state=State.QUEUED, tries=3)
    _delivery(state=State.QUEUED, connector=_hook("Off", enabled=False))
    _to_person()
    page = manager.get(reverse("console-deliveries"))
    said(page, "Ops webhook: opened", f"#{incident.pk} Disk full", "Ann: page", "It answered 503.")
    said(page, "no answer: may have arrived", "not sent", "tried 3 times, tried again soon")
    said(page, "waits: the destination is off")


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ({"state": "waiting"}, 1),
        ({"state": "bad"}, 1),
        ({"state": "sent"}, 3),
        ({"person": "ann"}, 1),
        ({"person": "bob"}, 0),  # nobody is called that
        ({"destination": "OPS"}, 3),
        ({"incident": "NUMBER"}, 1),
        ({"incident": "#NUMBER", "state": "bad"}, 0),
        ({"incident": "999999"}, 0),
        ({"incident": "many"}, 0),
        ({"destination": "not-a-uuid"}, 0),
        ({"state": "loud"}, 0),
    ],
)
def test_filters(manager: Client, asked: dict[str, str], lines: int) -> None:
    incident = make_incident(make_source("Shop"))
    Delivery.objects.all().delete()
    _delivery(subject=incident.subject)
    _delivery(state=State.FAILED)
    _delivery(connector=_hook("Other"), state=State.QUEUED)
    _delivery()
    _to_person()
    words = {"OPS": str(_hook().uuid), "NUMBER": str(incident.pk), "#NUMBER": f"#{incident.pk}"}
    page = manager.get(reverse("console-deliveries"), {name: words.get(one, one) for name, one in asked.items()})
    assert page.status_code == 200
    assert page.content.decode().count("data-row") == lines


def test_pages_go_on_by_cursor_with_the_filters(manager: Client) -> None:
    for _ in range(55):
        _delivery()
    _delivery(state=State.FAILED)
    first = manager.get(reverse("console-deliveries"), {"state": "sent"})
    assert first.content.decode().count("data-row") == 50
    link = next(part for part in first.content.decode().split('href="') if part.startswith("?state=sent"))
    second = manager.get(reverse("console-deliveries") + link.split('"')[0].replace("&amp;", "&"))
    assert second.content.decode().count("data-row") == 5
    assert manager.get(reverse("console-deliveries"), {"cursor": "forged"}).status_code == 400


def test_the_page_shows_each_attempt_and_never_what_is_secret(manager: Client) -> None:
    row = _delivery(state=State.FAILED, detail="It answered 503.")
    at = timezone.now()
    Attempt.objects.create(delivery=row, at=at, seconds=0.126, status=503, outcome="retry", answer="<b>busy</b>")
    Attempt.objects.create(delivery=row, at=at, seconds=15, outcome="unknown", error_code="timeout")
    page = manager.get(reverse("console-delivery", args=[row.uuid]))
    said(page, "not taken 503 0.13 s", "no answer no status timeout 15.00 s", "<b>busy</b>", "Disk full", "Replay")
    assert "<b>busy</b>" not in page.content.decode()
    assert SECRET not in page.content.decode()
    assert LINK not in page.content.decode()


def test_what_happens_next_is_said(manager: Client) -> None:
    waiting = _delivery(state=State.QUEUED, tries=2, due_at=timezone.now() + timedelta(minutes=4, seconds=30))
    said(manager.get(reverse("console-delivery", args=[waiting.uuid])), "Twice tried; at most 17 tries", "in 4 min")
    held = _delivery(state=State.QUEUED, connector=_hook("Off", enabled=False))
    said(manager.get(reverse("console-delivery", args=[held.uuid])), "It leaves when Off is switched on again")


def test_the_live_part_is_a_304_until_something_happens(manager: Client) -> None:
    row = _delivery(state=State.QUEUED)
    address = reverse("console-delivery-live", args=[row.uuid])
    first = manager.get(address)
    assert manager.get(address, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    Delivery.objects.filter(pk=row.pk).update(state=State.SENT)
    said(manager.get(address, HTTP_IF_NONE_MATCH=first["ETag"]), "sent")


def test_replay_of_one_queues_it_again_once(manager: Client) -> None:
    row = _delivery(state=State.FAILED, tries=17)
    address = reverse("console-delivery-replay", args=[row.uuid])
    said(manager.post(address, follow=True), "Sending it again to Ops webhook.")
    row.refresh_from_db()
    assert (row.state, row.tries) == (State.QUEUED, 0)
    said(manager.post(address, follow=True), "It has not come to an end yet: it is still tried by itself.")


def test_replay_of_many_says_what_became_of_each(manager: Client) -> None:
    over = [_delivery(state=state) for state in (State.SENT, State.FAILED, State.CANCELLED)]
    waiting = _delivery(state=State.QUEUED)
    held = _delivery(state=State.FAILED, connector=_hook("Off", enabled=False))
    chosen = [str(row.uuid) for row in (*over, waiting, held)]
    page = manager.post(reverse("console-deliveries-replay"), {"delivery": [*chosen, "x"]}, follow=True)
    said(page, "4 of 5 are sent again.", "1 of them", "1 still waited or were not yours to send again")
    assert Delivery.objects.filter(state=State.QUEUED).count() == 5
    page = manager.post(reverse("console-deliveries-replay"), follow=True)
    said(page, "Nothing was ticked.")


def test_incidents_of_a_private_team_are_not_named(manager: Client) -> None:
    team = Team.objects.create(name="Secret", private=True)
    incident = make_incident(make_source("Hidden", team=team), title="The merger leaked")
    row = _delivery(subject=incident.subject, message={"title": "The merger leaked", "text": "to the press"})
    for page in (
        manager.get(reverse("console-deliveries")),
        manager.get(reverse("console-delivery", args=[row.uuid])),
        manager.get(reverse("console-deliveries"), {"incident": str(incident.pk)}),
    ):
        assert "merger" not in text(page)
        assert "press" not in text(page)


def test_deliveries_about_a_private_teams_incident_are_for_its_members_and_admins() -> None:
    team = Team.objects.create(name="Secret", private=True)
    incident = make_incident(make_source("Hidden", team=team), title="The merger leaked")
    open_one = _delivery(subject=make_incident(make_source("Shop")).subject)
    row = _delivery(subject=incident.subject)
    mia, max_ = person("mia", "responder"), person("max", "manager")
    Membership.objects.create(team=team, user=mia)
    assert [one["id"] for one in bearer(max_).get("/api/v1/deliveries/").json()["results"]] == [str(open_one.uuid)]
    assert bearer(max_).get(f"/api/v1/deliveries/{row.uuid}/").status_code == 404
    assert browser(max_).get(reverse("console-delivery", args=[row.uuid])).status_code == 404
    destination = browser(max_).get(reverse("console-destination", args=[_hook().uuid])).content.decode()
    assert (str(open_one.uuid) in destination, str(row.uuid) in destination) == (True, False)
    assert bearer(max_).post("/api/v1/deliveries/replay/", {"ids": [row.uuid]}, format="json").json() == {"replayed": 0}
    for one in (mia, person("root", "admin")):
        assert bearer(one).get(f"/api/v1/deliveries/{row.uuid}/").status_code == 200
        said(browser(one).get(reverse("console-delivery", args=[row.uuid])), "Disk full")


def test_a_code_is_shown_to_nobody_and_its_delivery_to_its_person_and_admins() -> None:
    ann = person("ann", "responder")
    method = contacts.add(ann, "email", "ann@example.com")
    contacts.send_code(method, now=timezone.now())
    row = Delivery.objects.get()
    code = row.message["title"].split()[-1]
    address = reverse("console-delivery", args=[row.uuid])
    for stranger in (person("rob", "responder"), person("max", "manager")):
        assert browser(stranger).get(address).status_code == 404
        assert bearer(stranger).get(f"/api/v1/deliveries/{row.uuid}/").status_code == 404
        assert "code to verify" not in text(browser(stranger).get(reverse("console-deliveries")))
        assert bearer(stranger).get("/api/v1/deliveries/").json()["results"] == []
    for one in (ann, person("root", "admin")):
        page = browser(one).get(address)
        said(page, "Ann: code to verify a contact")
        assert code not in page.content.decode()
        answer = bearer(one).get(f"/api/v1/deliveries/{row.uuid}/")
        assert (answer.status_code, code in answer.content.decode()) == (200, False)
    contacts.remove(method, now=timezone.now())
    assert browser(ann).get(address).status_code == 200


def test_who_may_only_look_cannot_replay() -> None:
    row = _delivery(state=State.FAILED)
    client = browser(person("rob", "responder"))
    assert "Replay" not in text(client.get(reverse("console-delivery", args=[row.uuid])))
    assert client.post(reverse("console-delivery-replay", args=[row.uuid])).status_code == 403
    assert client.post(reverse("console-deliveries-replay"), {"delivery": [str(row.uuid)]}).status_code == 403
    row.refresh_from_db()
    assert row.state == State.FAILED


def test_the_list_asks_the_same_number_of_queries_for_many(manager: Client) -> None:
    def more() -> None:
        count = Delivery.objects.count()
        _delivery(connector=_hook(f"C{count}"), subject=make_incident(make_source()).subject)
        _to_person(f"person-{count}")

    same_queries(lambda: manager.get(reverse("console-deliveries")), more)

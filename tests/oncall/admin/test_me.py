"""One's own page: how one is reached, proved by a code; rules as rows; tokens."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.models import AuditEntry
from destinations.models import Connector, Delivery
from oncall import notification_rules, tokens
from oncall.models import ConnectorTeam, ContactMethod, NotificationRule, Team, Token, User
from tests.callers import bearer, person, way_to
from tests.factories import make_rule, make_schedule
from tests.incidents.admin.browsing import browser, said, same_queries, text
from tests.sinks import SmtpSink

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return person("ann", "responder", name="Ann Ash")


@pytest.fixture
def client(ann: User) -> Client:
    return browser(ann)


def code_in_outbox() -> str:
    found = re.search(r"\b\d{6}\b", Delivery.objects.filter(event="code").latest("pk").message["text"])
    assert found
    return found[0]


def test_a_new_person_is_told_in_red_what_is_missing(client: Client, ann: User) -> None:
    said(
        client.get("/me/"),
        "You cannot be reached.",
        "Add a contact method and verify it",
        "By nothing: pages for you go nowhere.",
    )
    make_rule(ann, way_to(ann), minutes=5)
    shown = text(client.get("/me/"))
    assert "After 5 min by Email" in shown
    assert "You cannot be reached" not in shown


def test_the_way_from_an_address_to_the_first_rules(client: Client, ann: User) -> None:
    answer = client.post(
        reverse("console-contact-new", args=["email"]), {"address": "Ann@Example.com", "label": "Work"}
    )
    method = ContactMethod.objects.get()
    path = reverse("console-contact", args=[method.uuid])
    assert answer.headers["Location"] == path
    assert (method.user, method.address, method.verified) == (ann, "ann@example.com", False)
    said(client.get(path), "Prove that it reaches you", "A code of six digits is on its way")
    code = code_in_outbox()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    refused = client.post(path, {"code": wrong})
    assert refused.status_code == 400
    said(refused, "This is not the code that was sent. 4 of 5 tries are left.")
    said(client.post(path, {"code": f" {code} "}, follow=True), "Work is verified", "At once by Email")
    assert NotificationRule.objects.filter(user=ann).count() == 2


def test_a_code_is_sent_once_a_minute_and_says_so(client: Client, ann: User) -> None:
    method = way_to(ann, verified=False)
    path = reverse("console-contact-code", args=[method.uuid])
    client.post(path)
    refused = client.post(path, HTTP_REFERER="http://testserver/me/", follow=True)
    said(refused, "A code was sent less than a minute ago.")
    ContactMethod.objects.update(code_sent_at=timezone.now() - timedelta(minutes=16))
    said(client.get(reverse("console-contact", args=[method.uuid])), "The last code has run out.", "Send another code")


def test_a_code_that_could_not_be_sent_says_why(client: Client, ann: User) -> None:
    method = way_to(ann, verified=False)
    client.post(reverse("console-contact-code", args=[method.uuid]))
    Delivery.objects.update(state="failed", detail="The mail server does not know this mailbox.")
    said(
        client.get(reverse("console-contact", args=[method.uuid])),
        "The code could not be sent.",
        "does not know this mailbox",
    )


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("email", {"address": "nowhere"}, "valid email"),
        ("email", {}, "required"),
        ("email", {"address": "ann@example.com"}, "has this address already"),
        ("ntfy", {"address": "https://ntfy.sh/"}, "Give the whole address with its topic"),
    ],
)
def test_a_careless_address_is_refused_in_words(
    client: Client, ann: User, kind: str, given: dict[str, str], told: str
) -> None:
    way_to(ann, address="ann@example.com")
    answer = client.post(reverse("console-contact-new", args=[kind]), given)
    assert answer.status_code == 400
    said(answer, told)
    assert ContactMethod.objects.count() == 1


def test_what_reaches_nobody_cannot_be_added(client: Client) -> None:
    for kind in ("slack", "pigeon"):
        assert client.get(reverse("console-contact-new", args=[kind])).status_code == 404


def test_without_a_mail_server_the_form_says_what_to_set(client: Client, settings: Any) -> None:
    settings.EMAIL_URL = ""
    said(
        client.get(reverse("console-contact-new", args=["email"])), "No mail leaves this installation yet.", "EMAIL_URL"
    )


def test_a_test_shows_the_real_answer(client: Client, ann: User, smtp_sink: SmtpSink) -> None:
    path = reverse("console-contact-test", args=[way_to(ann).uuid])
    said(client.post(path), "Taken by the other side")
    assert len(smtp_sink.letters) == 1
    smtp_sink.refuse("rcpt", "550 5.1.1 nobody of that name")
    said(client.post(path), "Not sent.", "nobody of that name")


def test_what_is_not_verified_is_not_tested(client: Client, ann: User, smtp_sink: SmtpSink) -> None:
    method = way_to(ann, verified=False)
    said(client.get(reverse("console-contact", args=[method.uuid])), "It can be tested once it is verified.")
    refused = client.post(reverse("console-contact-test", args=[method.uuid]))
    said(refused, "Nobody has proved this address yet")
    assert (refused.status_code, smtp_sink.letters) == (409, [])


def test_connectors_of_a_hidden_team_are_not_offered(client: Client) -> None:
    hidden = Connector.objects.create(name="Merger mail", kind="email", config={})
    Connector.objects.create(name="House mail", kind="email", config={})
    ConnectorTeam.objects.create(connector=hidden, team=Team.objects.create(name="Secret", private=True))
    page = client.get(reverse("console-contact-new", args=["email"]))
    said(page, "House mail")
    assert "Merger mail" not in text(page)
    given = {"address": "ann@example.com", "connector": str(hidden.uuid)}
    assert client.post(reverse("console-contact-new", args=["email"]), given).status_code == 400


def test_a_way_whose_code_may_not_leave_yet_stands_and_says_so(client: Client) -> None:
    for place in range(6):
        page = client.post(
            reverse("console-contact-new", args=["email"]), {"address": f"a{place}@example.com"}, follow=True
        )
    said(page, "5 codes were sent within 15 minutes.", "No code was sent yet.")
    assert (ContactMethod.objects.count(), Delivery.objects.count()) == (6, 5)


def test_a_secret_is_stored_and_never_shown(client: Client) -> None:
    given = {"address": "https://ntfy.sh/a-long-topic", "token": "tk_very_secret"}
    client.post(reverse("console-contact-new", args=["ntfy"]), given)
    method = ContactMethod.objects.get()
    assert method.secret == {"token": "tk_very_secret"}
    for path in ("/me/", reverse("console-contact", args=[method.uuid])):
        assert "tk_very_secret" not in client.get(path).content.decode()
    assert "tk_very_secret" not in str(AuditEntry.objects.get().changes)


def test_removing_one_takes_its_rules_and_what_is_queued(client: Client, ann: User) -> None:
    method = way_to(ann, verified=False)
    make_rule(ann, method)
    client.post(reverse("console-contact-code", args=[method.uuid]))
    said(client.get(reverse("console-contact", args=[method.uuid])), "It takes 1 notification rule with it.")
    client.post(reverse("console-contact-delete", args=[method.uuid]))
    assert not NotificationRule.objects.exists()
    assert Delivery.objects.get().state == "cancelled"


def test_somebody_elses_is_not_there(client: Client) -> None:
    method = way_to(person("bob", "responder"), verified=False)
    for name in ("console-contact", "console-contact-code", "console-contact-test", "console-contact-delete"):
        assert client.post(reverse(name, args=[method.uuid])).status_code == 404


def test_rules_are_rows(client: Client, ann: User) -> None:
    said(client.get("/me/rules/"), "No contact method yet")
    method = way_to(ann)
    added = client.post("/me/rules/", {"row": "add high"})
    assert 'name="high.0.contact_method"' in added.content.decode()
    assert not NotificationRule.objects.exists()
    uuid = str(method.uuid)
    client.post(
        "/me/rules/",
        {
            "high.0.delay_minutes": "5",
            "high.0.contact_method": uuid,
            "low.0.delay_minutes": "0",
            "low.0.contact_method": uuid,
        },
    )
    assert notification_rules.as_document(ann) == {
        "high": [{"delay_minutes": 5, "contact_method": uuid}],
        "low": [{"delay_minutes": 0, "contact_method": uuid}],
    }
    answer = client.post("/me/rules/", {"high.0.delay_minutes": "soon", "high.0.contact_method": uuid})
    assert answer.status_code == 400
    said(answer, "Send whole minutes from 0 to 1440.")
    assert NotificationRule.objects.count() == 2


def test_my_details_and_the_wish_to_hear_of_the_end(client: Client, ann: User) -> None:
    client.post(
        "/me/details/",
        {
            "name": "Ann B",
            "email": "a@b.example",
            "time_zone": "Asia/Tokyo",
            "phone": "+37120000000",
            "wants_resolved": "on",
            "roles": ["admin"],
        },
    )
    ann = User.objects.get(pk=ann.pk)
    assert (ann.name, ann.time_zone, ann.wants_resolved, set(ann.roles)) == ("Ann B", "Asia/Tokyo", True, {"responder"})
    said(client.get("/me/"), "tell me")
    said(client.post("/me/details/", {"name": "Ann", "time_zone": ""}), "This field is required.")


def test_my_shifts_are_in_my_zone(client: Client, ann: User) -> None:
    make_schedule("Core", ann, person("bob", "responder"), unit="day")
    User.objects.filter(pk=ann.pk).update(time_zone="Asia/Tokyo")
    assert re.search(r"\d\d:00 Core", text(browser(User.objects.get(pk=ann.pk)).get("/me/")))


def make(client: Client, **given: Any) -> Any:
    return client.post("/tokens/new/", {"name": "script", "scopes": ["read"], **given})


def test_a_token_is_shown_once_and_opens_what_its_scopes_say(client: Client, ann: User) -> None:
    answer = make(client)
    clear = re.search(r"tocsin_[\w-]{43}", answer.content.decode())
    assert clear
    made = Token.objects.get()
    assert tokens.find(clear[0], now=timezone.now()) == made
    listed = client.get("/tokens/")
    said(listed, "script", made.prefix)
    assert clear[0] not in listed.content.decode()
    assert clear[0] not in str(AuditEntry.objects.get().changes)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "required"),
        ({"scopes": []}, "required"),
        ({"scopes": ["everything"]}, "everything is not one of the available choices"),
        ({"expires_at": "2020-01-01T00:00"}, "This is in the past."),
        ({"expires_at": "soon"}, "Enter a valid date/time."),
    ],
)
def test_a_careless_token_is_refused_in_words(client: Client, wrong: dict[str, Any], told: str) -> None:
    answer = make(client, **wrong)
    assert answer.status_code == 400
    said(answer, told)
    assert not Token.objects.exists()


def test_a_revoked_token_opens_nothing_and_leaves_the_list(client: Client, ann: User) -> None:
    caller = bearer(ann)
    token = Token.objects.get()
    assert caller.get("/api/v1/users/").status_code == 200
    said(
        client.post(reverse("console-token-revoke", args=[token.uuid]), follow=True),
        "test opens nothing any more.",
        "No API token",
    )
    assert caller.get("/api/v1/users/").status_code == 401
    said(client.get("/tokens/?show=all"), "revoked")
    assert AuditEntry.objects.get().action == "revoked"


def test_tokens_of_others_are_for_admins(client: Client) -> None:
    token, _ = tokens.make(person("bob", "responder"), "hers", ["read"], now=timezone.now())
    assert "hers" not in text(client.get("/tokens/"))
    assert client.post(reverse("console-token-revoke", args=[token.uuid])).status_code == 404
    said(browser(person("root", "admin")).get("/tokens/"), "hers")


def test_token_lists_cost_the_same_with_many() -> None:
    root = person("root", "admin")
    client = browser(root)
    same_queries(lambda: client.get("/tokens/"), lambda: tokens.make(root, "t", ["read"], now=timezone.now()))

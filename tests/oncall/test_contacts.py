"""Proving that an address is somebody's: codes, tries, vouching, and the rules that come with the first."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from config import audit
from config.models import AuditEntry
from config.problems import Invalid, Problem
from destinations.base import Message, kinds
from destinations.models import Delivery
from oncall import contacts
from oncall.models import ContactMethod, NotificationRule, User
from tests.callers import bearer, person, way_to
from tests.sinks import SmtpSink

NOW = datetime(2026, 11, 21, 3, 47, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return person("ann", "responder")


def sent_code() -> str:
    """Return the code in the newest outbox row."""
    row = Delivery.objects.order_by("-pk").first()
    assert row is not None
    assert Message.from_json(row.message).event == "code"
    digits = str(row.message["title"]).split()[-1]
    assert len(digits) == 6
    return digits


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def test_a_new_way_is_not_verified_and_no_mail_is_sent(ann: User) -> None:
    method = contacts.add(ann, "email", " Ann@Example.COM ")
    assert not method.usable
    assert not Delivery.objects.exists()
    assert contacts.reachable(ann, "high") == []


def test_the_code_goes_through_the_outbox_and_proves_the_address(ann: User) -> None:
    method = contacts.add(ann, "email", "ann@example.com")
    contacts.send_code(method, now=NOW)
    row = Delivery.objects.get()
    assert (row.kind, row.recipient, row.priority) == ("email", f"contact-method:{method.uuid}", Delivery.Priority.PAGE)
    assert row.target["address"] == "ann@example.com"
    code = sent_code()
    assert code not in method.code_hash
    contacts.verify(method, f" {code} ", now=NOW + timedelta(minutes=14, seconds=59))
    assert method.verified_at == NOW + timedelta(minutes=14, seconds=59)
    assert method.vouched_by is None
    with pytest.raises(Invalid):
        contacts.verify(method, code, now=NOW + timedelta(minutes=14, seconds=59))


def test_a_code_is_good_for_15_minutes(ann: User) -> None:
    method = contacts.add(ann, "email", "ann@example.com")
    contacts.send_code(method, now=NOW)
    with pytest.raises(Invalid) as refused:
        contacts.verify(method, sent_code(), now=NOW + timedelta(minutes=15))
    assert refused.value.errors[0].code == "expired"


def test_five_tries(ann: User) -> None:
    method = contacts.add(ann, "email", "ann@example.com")
    contacts.send_code(method, now=NOW)
    code = sent_code()
    codes = []
    for _ in range(6):
        with pytest.raises(Invalid) as refused:
            contacts.verify(method, wrong(code), now=NOW)
        codes.append(refused.value.errors[0].code)
    assert codes == ["wrong_code"] * 5 + ["expired"]
    with pytest.raises(Invalid):
        contacts.verify(method, code, now=NOW)
    assert not ContactMethod.objects.get().verified


def test_the_fifth_try_may_be_right(ann: User) -> None:
    method = contacts.add(ann, "email", "ann@example.com")
    contacts.send_code(method, now=NOW)
    code = sent_code()
    for _ in range(4):
        with pytest.raises(Invalid):
            contacts.verify(method, wrong(code), now=NOW)
    contacts.verify(method, code, now=NOW)
    assert method.verified


def test_one_code_a_minute_and_the_newer_replaces_the_older(ann: User) -> None:
    method = contacts.add(ann, "email", "ann@example.com")
    contacts.send_code(method, now=NOW)
    first = sent_code()
    with pytest.raises(Problem) as refused:
        contacts.send_code(method, now=NOW + timedelta(seconds=59))
    assert (refused.value.status, refused.value.code) == (429, "code_too_soon")
    assert Delivery.objects.count() == 1
    contacts.send_code(method, now=NOW + timedelta(seconds=60))
    second = sent_code()
    if first != second:
        with pytest.raises(Invalid):
            contacts.verify(method, first, now=NOW + timedelta(seconds=61))
    contacts.verify(method, second, now=NOW + timedelta(seconds=61))


def test_five_codes_a_person_in_15_minutes_also_when_the_way_is_added_again(ann: User) -> None:
    now = timezone.now()
    for _ in range(5):
        method = contacts.add(ann, "email", "victim@example.com")
        contacts.send_code(method, now=now)
        contacts.remove(method, now=now)
    method = contacts.add(ann, "email", "victim@example.com")
    with pytest.raises(Problem) as refused:
        contacts.send_code(method, now=now)
    assert (refused.value.status, refused.value.code) == (429, "too_many_codes")
    assert Delivery.objects.count() == 5
    method.refresh_from_db()
    assert method.code_sent_at is None
    contacts.send_code(contacts.add(person("bob"), "email", "bob@example.com"), now=now)
    contacts.send_code(method, now=timezone.now() + timedelta(minutes=15))


def test_a_test_demands_a_verified_address(ann: User, smtp_sink: SmtpSink) -> None:
    method = way_to(ann, verified=False)
    answer = bearer(ann).post(f"/api/v1/contact-methods/{method.uuid}/test/")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_verified")
    assert smtp_sink.letters == []


def test_five_tests_in_10_minutes(ann: User, smtp_sink: SmtpSink) -> None:
    ways = [way_to(ann, address=f"a{place}@example.com") for place in range(6)]
    door, actor, now = bearer(ann), audit.Actor("ann", str(ann.uuid), "console"), timezone.now()
    for method in ways[:5]:
        assert door.post(f"/api/v1/contact-methods/{method.uuid}/test/").json()["outcome"] == "sent"
    answer = door.post(f"/api/v1/contact-methods/{ways[5].uuid}/test/")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_tests")
    assert len(smtp_sink.letters) == 5
    bob = person("bob", "manager")
    contacts.test(ways[5], by=bob, actor=audit.Actor("bob", str(bob.uuid)), now=now)
    contacts.test(ways[5], by=ann, actor=actor, now=now + timedelta(minutes=11))
    assert len(smtp_sink.letters) == 7


def test_a_code_of_one_method_proves_no_other(ann: User) -> None:
    one, two = contacts.add(ann, "email", "a@example.com"), contacts.add(ann, "email", "b@example.com")
    contacts.send_code(one, now=NOW)
    with pytest.raises(Invalid):
        contacts.verify(two, sent_code(), now=NOW)


def test_the_first_verified_way_brings_the_default_rules(ann: User) -> None:
    first, second = contacts.add(ann, "email", "a@example.com"), contacts.add(ann, "email", "b@example.com")
    for method in (first, second):
        contacts.send_code(method, now=NOW)
        contacts.verify(method, sent_code(), now=NOW)
    rules = NotificationRule.objects.values_list("urgency", "delay_minutes", "contact_method__address").order_by("pk")
    assert list(rules) == [("high", 0, "a@example.com"), ("low", 0, "a@example.com")]
    assert [method for _, method in contacts.reachable(ann, "low")] == [first]


def test_an_admin_may_vouch_and_it_is_recorded(ann: User) -> None:
    eve = person("eve", "admin")
    method = contacts.add(ann, "email", "ann@example.com")
    contacts.vouch(method, by=eve, actor=audit.Actor("eve", str(eve.uuid), "api"), now=NOW)
    assert (method.verified_at, method.vouched_by) == (NOW, eve)
    line = AuditEntry.objects.get()
    assert (line.actor, line.action, line.object_id) == ("eve", "vouched", str(method.uuid))


def test_another_address_has_to_be_verified_anew_another_label_not(ann: User) -> None:
    method = way_to(ann)
    contacts.change(method, label="work")
    assert method.verified
    contacts.change(method, address="other@example.com")
    assert method.verified_at is None
    assert contacts.usable_methods([ann]) == {}


def test_a_secret_does_not_follow_to_another_server(ann: User) -> None:
    method = contacts.add(ann, "ntfy", "https://ntfy.example.com/ann-topic", secret={"token": "tk_first"})
    contacts.change(method, address="https://ntfy.example.com/ann-other")
    assert method.secret == {"token": "tk_first"}
    with pytest.raises(Invalid) as refused:
        contacts.change(method, address="https://evil.example.com/ann-topic")
    assert [(one.field, one.code) for one in refused.value.errors] == [("secret.token", "address_changed")]
    method.refresh_from_db()
    assert method.address == "https://ntfy.example.com/ann-other"
    contacts.change(method, address="https://else.example.com/ann-topic", secret={"token": "tk_second"})
    assert method.secret == {"token": "tk_second"}


def test_the_same_address_twice_is_refused_in_any_spelling(ann: User) -> None:
    contacts.add(ann, "email", "ann@example.com")
    with pytest.raises(Invalid) as refused:
        contacts.add(ann, "email", "ann@EXAMPLE.com ")
    assert refused.value.errors[0].code == "unique"
    contacts.add(person("bob"), "email", "ann@example.com")


@pytest.mark.parametrize(
    ("kind", "address", "field"),
    [
        ("email", "nonsense", "address"),
        ("webhook", "https://a.example", "kind"),
        ("pigeon", "x", "kind"),
        ("email", "", "address"),
    ],
)
def test_what_reaches_nobody_is_refused(ann: User, kind: str, address: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        contacts.add(ann, kind, address)
    assert refused.value.errors[0].field == field


def test_a_way_that_bounced_is_switched_off_until_it_is_proved_again(ann: User) -> None:
    method = way_to(ann)
    assert contacts.switch_off(method, "550 no such mailbox", now=NOW)
    assert not contacts.switch_off(method, "again", now=NOW)
    assert contacts.usable_methods([ann]) == {}
    contacts.send_code(method, now=NOW)
    contacts.verify(method, sent_code(), now=NOW)
    assert contacts.usable_methods([ann]) == {ann.pk: [method]}


@given(st.emails())
def test_a_normal_address_is_its_own_normal_form(address: str) -> None:
    kind = kinds()["email"]
    normal = kind.normal_address(address)
    assert kind.normal_address(normal) == normal
    assert kind.normal_address(f"  {address} ") == normal
    local, _, domain = address.rpartition("@")
    assert kind.normal_address(f"{local}@{domain.upper()}") == normal


# --- over REST -----------------------------------------------------------------------------------------------------
def test_a_person_adds_and_proves_a_way_over_rest(ann: User) -> None:
    client = bearer(ann)
    made = client.post(
        "/api/v1/contact-methods/", {"kind": "email", "address": "ann@example.com"}, format="json"
    ).json()
    path = f"/api/v1/contact-methods/{made['id']}/"
    assert (made["user"], made["verified"]) == ("ann", False)
    assert client.post(f"{path}send-code/").status_code == 200
    again = client.post(f"{path}send-code/")
    assert (again.status_code, again.json()["code"]) == (429, "code_too_soon")
    assert 1 <= int(again["Retry-After"]) <= 60
    code = sent_code()
    refused = client.post(f"{path}verify/", {"code": wrong(code)}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "code")
    assert ContactMethod.objects.get().code_tries == 1
    done = client.post(f"{path}verify/", {"code": code}, format="json")
    assert (done.status_code, done.json()["verified"]) == (200, True)
    assert code not in done.content.decode()


def test_nobody_vouches_for_himself_but_an_admin_does(ann: User) -> None:
    method = way_to(ann, verified=False)
    path = f"/api/v1/contact-methods/{method.uuid}/verify/"
    assert bearer(ann).post(path, {"vouch": True}, format="json").status_code == 403
    assert bearer(person("max", "manager")).post(path, {"vouch": True}, format="json").status_code == 403
    answer = bearer(person("eve", "admin")).post(path, {"vouch": True}, format="json")
    assert (answer.status_code, answer.json()["vouched_by"]) == (200, "eve")


def test_rules_lead_to_ones_own_methods_only(ann: User) -> None:
    hers, his = way_to(ann), way_to(person("bob"))
    client = bearer(ann)
    body = {"urgency": "high", "delay_minutes": 5, "contact_method": str(hers.uuid)}
    made = client.post("/api/v1/notification-rules/", body, format="json")
    assert (made.status_code, made.json()["user"]) == (201, "ann")
    body = {**body, "contact_method": str(his.uuid)}
    assert client.post("/api/v1/notification-rules/", body, format="json").status_code == 400
    for_bob = bearer(person("eve", "admin")).post("/api/v1/notification-rules/", {**body, "user": "ann"}, format="json")
    assert for_bob.status_code == 400


def test_people_keep_their_own_and_see_no_others(ann: User) -> None:
    hers, his = way_to(ann), way_to(person("bob", "responder"))
    client = bearer(ann)
    assert [row["id"] for row in client.get("/api/v1/contact-methods/").json()["results"]] == [str(hers.uuid)]
    assert client.get(f"/api/v1/contact-methods/{his.uuid}/").status_code == 404
    body = {"user": "bob", "kind": "email", "address": "x@example.com"}
    assert client.post("/api/v1/contact-methods/", body, format="json").status_code == 403
    assert client.delete(f"/api/v1/contact-methods/{hers.uuid}/").status_code == 204

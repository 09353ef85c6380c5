"""The buttons of an incident: who may press them, that only a press counts, that a second press does no harm."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from destinations.models import Connector, Delivery
from incidents.models import Connection, Incident
from oncall.models import EscalationPolicy, Team, User
from tests import factories
from tests.incidents.admin.visiting import ROLES, browser

pytestmark = pytest.mark.django_db

A, R = {"admin"}, {"admin", "manager", "responder"}
# verb -> who may, what the form says
VERBS: dict[str, tuple[set[str], dict[str, str]]] = {
    "acknowledge": (R, {}),
    "unacknowledge": (R, {}),
    "resolve": (R, {}),
    "close": (R, {}),
    "escalate": (R, {}),
    "snooze": (R, {"minutes": "30"}),
    "unsnooze": (R, {}),
    "assign": (R, {"to": "me"}),
    "unassign": (R, {}),
    "note": (R, {"text": "looking"}),
    "delete": (A, {}),
}


@pytest.fixture
def incident() -> Incident:
    now = timezone.now()
    policy = factories.make_policy((factories.make_user("ann"), 5), (factories.make_user("bob"), 5), name="P")
    return factories.make_incident(factories.make_source("Shop", policy=policy), now=now, dedup_key="d")


def fresh(incident: Incident) -> Incident:
    return Incident.objects.get(pk=incident.pk)


def press(client: Client, incident: Incident, verb: str, **form: str) -> str:
    """Press a button; return the errors and successes that the page then shows."""
    answer = client.post(f"/incidents/{incident.pk}/{verb}/", form, follow=True)
    assert answer.status_code == 200, answer.status_code
    return " ".join(str(one) for one in answer.context["messages"])


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", [*ROLES, "none"])
def test_who_may(incident: Incident, verb: str, role: str) -> None:
    client, _ = browser(*([] if role == "none" else [role]))
    if verb == "delete":
        Incident.objects.filter(pk=incident.pk).update(status="RESOLVED", closed_at=timezone.now())
    may, form = VERBS[verb]
    before = list(Incident.objects.values_list("version", "entries"))
    answer = client.post(f"/incidents/{incident.pk}/{verb}/", form)
    assert answer.status_code == (303 if role in may and verb != "delete" else 302 if role in may else 403)
    if role not in may:
        assert list(Incident.objects.values_list("version", "entries")) == before


@pytest.mark.parametrize("verb", [*VERBS, "tell/5f0c6a0e-0d4f-4b5c-8f0a-2f6f8f1c9d10"])
def test_a_get_changes_nothing(incident: Incident, verb: str) -> None:
    client, _ = browser("admin")
    before = (fresh(incident).version, fresh(incident).entries)
    assert client.get(f"/incidents/{incident.pk}/{verb}/").status_code == 405
    assert (fresh(incident).version, fresh(incident).entries) == before


def test_nobody_gets_in_without_signing_in(incident: Incident) -> None:
    for verb in VERBS:
        answer = Client().post(f"/incidents/{incident.pk}/{verb}/")
        assert (answer.status_code, answer["Location"].startswith("/login/")) == (302, True)
    assert fresh(incident).entries == incident.entries


def test_a_form_from_elsewhere_is_refused(incident: Incident) -> None:
    _, user = browser("admin")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="oncall.roles.RoleBackend")
    assert client.post(f"/incidents/{incident.pk}/resolve/").status_code == 403
    assert fresh(incident).status == "PENDING"


def test_status_is_no_field_of_any_form(incident: Incident) -> None:
    client, _ = browser("admin")
    page = client.get(f"/incidents/{incident.pk}/").content.decode()
    assert 'name="status"' not in page
    press(client, incident, "note", text="hello", status="RESOLVED")
    assert fresh(incident).status == "PENDING"


@pytest.mark.parametrize("verb", ["acknowledge", "resolve", "note", "unacknowledge"])
def test_pressing_twice_does_no_harm(incident: Incident, verb: str) -> None:
    client, _ = browser("responder")
    press(client, incident, verb, text="looking")
    once = fresh(incident)
    assert press(client, incident, verb, text="looking") == ""
    assert (fresh(incident).status, fresh(incident).entries) == (once.status, once.entries)


def test_escalating_twice_on_one_page_takes_one_step(incident: Incident) -> None:
    client, _ = browser("responder")
    factories.make_admin()
    run = incident.runs.get()
    form = {"sequence": str(run.taken)}
    press(client, incident, "escalate", **form)
    taken = incident.runs.get().taken
    assert "Already escalated to Ann" in press(client, incident, "escalate", **form)
    assert incident.runs.get().taken == taken


def test_a_resolved_incident_says_why_it_cannot_be_acknowledged(incident: Incident) -> None:
    client, _ = browser("responder")
    press(client, incident, "resolve")
    assert press(client, incident, "acknowledge") == "A resolved incident cannot be acknowledged."


def test_acknowledging_makes_me_the_one_who_has_it(incident: Incident) -> None:
    client, me = browser("responder")
    press(client, incident, "acknowledge")
    assert (fresh(incident).status, fresh(incident).acknowledged_by) == ("ACCEPTED", me)


def test_taking_over_what_a_colleague_has_pages_nobody(incident: Incident) -> None:
    ann = User.objects.get(username="ann")
    factories.acknowledge(incident, ann, now=timezone.now())
    client, me = browser("responder")
    pages = incident.pages.count()
    press(client, incident, "assign", to="me")
    now = fresh(incident)
    assert (now.status, now.acknowledged_by, [str(one) for one in now.assignments.all()]) == ("ACCEPTED", me, ["Me"])
    assert incident.pages.count() == pages
    assert "Me took it over from Ann." in client.get(f"/incidents/{incident.pk}/").content.decode()


HOLDERS: dict[str, Callable[[], object]] = {
    "user": lambda: User.objects.get(username="bob"),
    "team": lambda: Team.objects.create(name="Core"),
    "schedule": lambda: factories.make_schedule("S", User.objects.get(username="bob")),
    "policy": lambda: EscalationPolicy.objects.get(name="P"),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_it_can_be_given_to_a_person_a_team_a_schedule_or_a_policy(incident: Incident, kind: str) -> None:
    client, _ = browser("responder")
    holder = HOLDERS[kind]()
    if isinstance(holder, Team):
        holder.memberships.create(user=User.objects.get(username="bob"))
    assert press(client, incident, "assign", to=f"{kind}:{holder.uuid}") == ""  # type: ignore[attr-defined]
    assert incident.timeline.filter(kind="assign").exists()


@pytest.mark.parametrize("to", ["", "user:", "user:x", "elephant:5f0c6a0e-0d4f-4b5c-8f0a-2f6f8f1c9d10"])
def test_assigning_to_nothing_says_what_to_do(incident: Incident, to: str) -> None:
    client, _ = browser("responder")
    assert press(client, incident, "assign", to=to) == "Choose to whom."


def test_snoozing_until_morning_means_nine_in_my_zone(incident: Incident) -> None:
    client, me = browser("responder")
    User.objects.filter(pk=me.pk).update(time_zone="Asia/Tokyo")
    press(client, incident, "snooze", minutes="morning")
    until = fresh(incident).snoozed_until
    assert until is not None
    assert until.astimezone(User.objects.get(pk=me.pk).zone).strftime("%H:%M") == "09:00"
    assert timedelta(0) < until - timezone.now() <= timedelta(days=1, minutes=1)


@pytest.mark.parametrize(
    ("minutes", "said"), [("abc", "how many minutes"), ("0", "one minute to seven"), ("999999", "one minute to seven")]
)
def test_a_snooze_has_limits(incident: Incident, minutes: str, said: str) -> None:
    client, _ = browser("responder")
    assert said in press(client, incident, "snooze", minutes=minutes)
    assert fresh(incident).snoozed_until is None


def test_an_empty_note_says_so(incident: Incident) -> None:
    client, _ = browser("responder")
    assert press(client, incident, "note", text="  ") == "A note needs some words."


def test_only_what_is_over_can_be_deleted(incident: Incident) -> None:
    client, _ = browser("admin")
    assert "resolve it first" in press(client, incident, "delete")
    press(client, incident, "resolve")
    assert press(client, incident, "delete") == f"#{incident.pk} is deleted."
    assert not Incident.objects.filter(pk=incident.pk).exists()


def test_many_at_once_say_how_many_worked_and_which_did_not(incident: Incident) -> None:
    client, _ = browser("responder")
    source = incident.alert_source
    others = [factories.make_incident(source, dedup_key=str(n), now=timezone.now()) for n in range(3)]
    press(client, others[0], "resolve")
    press(client, others[1], "acknowledge")
    numbers = [one.pk for one in (incident, *others)]
    answer = client.post("/incidents/bulk/", {"verb": "acknowledge", "number": numbers}, follow=True)
    said = [str(one) for one in answer.context["messages"]]
    assert said == [
        "2 acknowledged. 1 needed nothing.",
        f"Not acknowledged: #{others[0].pk} (A resolved incident cannot be acknowledged).",
    ]


def test_many_at_once_asks_the_right_on_each(incident: Incident) -> None:
    client, _ = browser("manager")
    answer = client.post("/incidents/bulk/", {"verb": "delete", "number": incident.pk}, follow=True)
    assert "your roles do not allow it" in str(next(iter(answer.context["messages"])))
    assert Incident.objects.filter(pk=incident.pk).exists()


@pytest.mark.parametrize("form", [{"verb": "acknowledge"}, {"verb": "acknowledge", "number": "x"}])
def test_many_of_nothing_says_what_to_do(form: dict[str, str]) -> None:
    client, _ = browser("admin")
    answer = client.post("/incidents/bulk/", form, follow=True)
    assert "Choose one incident" in str(next(iter(answer.context["messages"])))


@pytest.mark.parametrize("verb", ["", "trigger", "note", "status"])
def test_many_know_only_their_buttons(incident: Incident, verb: str) -> None:
    client, _ = browser("admin")
    assert client.post("/incidents/bulk/", {"verb": verb, "number": incident.pk}).status_code == 404


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_a_button_leads_to_no_other_site(incident: Incident, where: str) -> None:
    client, _ = browser("responder")
    answer = client.post(f"/incidents/{incident.pk}/acknowledge/", {"next": where})
    assert answer["Location"] == f"/incidents/{incident.pk}/"


def test_what_belongs_to_a_private_team_does_not_exist_for_others(incident: Incident) -> None:
    client, me = browser("responder")
    secret = Team.objects.create(name="Secret", private=True)
    Incident.objects.filter(pk=incident.pk).update(team=secret)
    assert client.post(f"/incidents/{incident.pk}/resolve/").status_code == 404
    assert client.get(f"/incidents/{incident.pk}/").status_code == 404
    assert f"/incidents/{incident.pk}/" not in client.get("/incidents/").content.decode()
    secret.memberships.create(user=me)
    assert client.post(f"/incidents/{incident.pk}/resolve/").status_code == 303


def test_a_manual_connection_is_told_once_when_its_button_is_pressed(incident: Incident) -> None:
    client, _ = browser("responder")
    hook = Connector.objects.create(name="Tickets", kind="webhook", config={"url": "https://tickets.example.com"})
    button = Connection.objects.create(connector=hook, mode="manual", name="Create a ticket")
    page = f"/incidents/{incident.pk}/"
    assert "Create a ticket" in client.get(page).content.decode()
    for _ in range(2):
        assert client.post(f"{page}tell/{button.uuid}/").status_code == 303
    assert Delivery.objects.filter(connector=hook).count() == 1
    assert "Create a ticket: told" in client.get(page).content.decode()
    assert incident.timeline.filter(kind="note").count() == 1


def test_a_button_of_another_source_cannot_be_pressed(incident: Incident) -> None:
    client, _ = browser("responder")
    hook = Connector.objects.create(name="Tickets", kind="webhook", config={"url": "https://tickets.example.com"})
    other = factories.make_source("Other")
    button = Connection.objects.create(connector=hook, mode="manual", name="X", alert_source=other)
    automatic = Connection.objects.create(connector=hook, name="Y")
    for one in (button, automatic):
        assert client.post(f"/incidents/{incident.pk}/tell/{one.uuid}/").status_code == 404
    assert not Delivery.objects.exists()

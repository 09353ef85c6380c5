"""The pages of incidents, raw events and the first page: who sees them, what stands on them, what they cost."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from destinations.models import Connector
from incidents import lifecycle, manual
from incidents.models import Connection, Incident, Page, RawEvent
from incidents.timeline import Actor
from oncall.models import Schedule, Team
from tests import factories
from tests.incidents.admin.browsing import text
from tests.incidents.admin.visiting import ROLES, browser

pytestmark = pytest.mark.django_db

ALL = set(ROLES)
RESPONDERS = ALL - {"stakeholder"}
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
PAGES: dict[str, set[str]] = {  # who sees it; everybody who can sign in sees the first page
    "/": ALL | {"none"},
    "/live/": ALL | {"none"},
    "/banners/": ALL | {"none"},
    "/incidents/": ALL,
    "/incidents/live/": ALL,
    "/incidents/{number}/": ALL,
    "/incidents/{number}/live/": ALL,
    "/incidents/new/": RESPONDERS,
    "/raw-events/": RESPONDERS,
}


@pytest.fixture
def incident() -> Incident:
    policy = factories.make_policy((factories.make_user("ann"), 5), (factories.make_user("bob"), 5), name="P")
    source = factories.make_source("Shop", policy=policy)
    return factories.make_incident(source, now=timezone.now(), dedup_key="d", title="Disk full")


def queries(ask: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as found:
        ask()
    return len(found)


@pytest.mark.parametrize("role", [*ROLES, "none"])
@pytest.mark.parametrize("path", PAGES)
def test_who_sees_what_and_looking_changes_nothing(incident: Incident, path: str, role: str) -> None:
    client, _ = browser(*([] if role == "none" else [role]))
    address = path.format(number=incident.pk)
    assert client.get(address).status_code == (200 if role in PAGES[path] else 403)
    assert client.head(address).status_code == (200 if role in PAGES[path] else 403)
    assert Incident.objects.get(pk=incident.pk).version == incident.version


@pytest.mark.parametrize("path", PAGES)
def test_strangers_sign_in_first_and_come_back(incident: Incident, path: str) -> None:
    address = path.format(number=incident.pk)
    answer = Client().get(address)
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={address}")
    live = Client().get(
        address, headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver/incidents/{incident.pk}/"}
    )
    assert (live.status_code, live["HX-Redirect"]) == (401, f"/login/?next=/incidents/{incident.pk}/")


def test_a_refusal_names_what_is_missing(incident: Incident) -> None:
    client, _ = browser("stakeholder")
    assert "incidents.view_rawevent" in text(client.get("/raw-events/"))
    answer = client.get("/incidents/999999/")
    assert (answer.status_code, "Nothing here" in text(answer)) == (404, True)


def test_what_a_source_says_is_only_ever_text(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(
        title=EVIL,
        description=EVIL,
        labels={EVIL: EVIL},
        contextual_labels={"a": EVIL},
        details={EVIL: {"x": EVIL}},
        origin=EVIL,
        component=EVIL,
        class_name=EVIL,
        group=EVIL,
        dedup_key=EVIL,
        told=False,
        told_reason=EVIL,
        links=[
            {"href": "javascript:alert(1)", "text": "tempting"},
            {"href": " javascript:alert(2)", "text": "spaced"},
            {"href": "data:text/html,x", "text": "data"},
            {"href": "https://example.com/ok", "text": EVIL},
            {"href": "http://[", "text": "broken"},
        ],
        images=[{"src": "javascript:alert(3)", "alt": EVIL}],
    )
    RawEvent.objects.update(
        title=EVIL, body=EVIL, reason=EVIL, dedup_key=EVIL, errors=[{"field": EVIL, "detail": EVIL}]
    )
    client, _ = browser("admin")
    client.post(f"/incidents/{incident.pk}/note/", {"text": EVIL})
    for path in (f"/incidents/{incident.pk}/", f"/incidents/{incident.pk}/live/", "/incidents/", "/", "/raw-events/"):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert not re.search(r'href="\s*(javascript|data):', page), path
    page = client.get(f"/incidents/?q={EVIL}").content.decode()
    assert "<script>alert" not in page
    assert 'href="https://example.com/ok"' in client.get(f"/incidents/{incident.pk}/").content.decode()


@pytest.mark.parametrize("path", ["/", "/incidents/", "/incidents/?q=disk", "/raw-events/"])
def test_a_list_asks_a_fixed_number_of_queries(incident: Incident, path: str) -> None:
    client, me = browser("admin")

    def more() -> None:
        for _ in range(3):
            count = Incident.objects.count()
            team = Team.objects.create(name=f"T{count}")
            policy = factories.make_policy((factories.make_user(), 5))
            source = factories.make_source(policy=policy, team=team)
            one = factories.make_incident(source, now=timezone.now(), title="Disk")
            factories.acknowledge(one, me, now=timezone.now())
            factories.make_incident(source, now=timezone.now(), title="Disk")
            factories.make_schedule(f"S{count}", me)

    more()
    before = queries(lambda: client.get(path))
    more()
    assert queries(lambda: client.get(path)) == before


def test_the_page_of_an_incident_asks_a_fixed_number_of_queries(incident: Incident) -> None:
    client, _me = browser("admin")

    def ask() -> int:
        return queries(lambda: client.get(f"/incidents/{incident.pk}/"))

    def notes() -> None:
        for n in range(5):
            client.post(f"/incidents/{incident.pk}/note/", {"text": f"note {Page.objects.count()}.{n}"})

    notes()
    before = ask()
    notes()
    assert ask() == before


def test_an_unchanged_live_part_is_an_empty_answer_and_a_change_is_shown(incident: Incident) -> None:
    client, _ = browser("responder")
    page = client.get(f"/incidents/{incident.pk}/").content.decode()
    tag = re.search(r'data-tag="([^"]+)"', page)[1].replace("&quot;", '"')  # type: ignore[index]
    for path in (f"/incidents/{incident.pk}/live/", "/live/", "/incidents/live/"):
        first = client.get(path)
        same = client.get(path, headers={"If-None-Match": first["ETag"]})
        assert (same.status_code, same.content) == (304, b""), path
        if path.startswith(f"/incidents/{incident.pk}"):
            assert first["ETag"] == tag
        client.post(f"/incidents/{incident.pk}/note/", {"text": f"seen {path}"})
        after = client.get(path, headers={"If-None-Match": first["ETag"]})
        assert after.status_code == 200, path


def test_an_unchanged_live_part_costs_a_few_queries(incident: Incident) -> None:
    client, _ = browser("responder")
    path = f"/incidents/{incident.pk}/live/"
    tag = client.get(path)["ETag"]
    assert queries(lambda: client.get(path, headers={"If-None-Match": tag})) <= 8


def test_a_live_part_is_not_shared_between_people(incident: Incident) -> None:
    one, _ = browser("responder")
    two, _ = browser("stakeholder", username="other")
    tag = one.get(f"/incidents/{incident.pk}/live/")["ETag"]
    assert two.get(f"/incidents/{incident.pk}/live/", headers={"If-None-Match": tag}).status_code == 200


def test_who_may_do_nothing_sees_no_button(incident: Incident) -> None:
    client, _ = browser("stakeholder")
    page = client.get(f"/incidents/{incident.pk}/").content.decode()
    assert "verb-acknowledge" not in page
    assert "<form" not in page.split('id="main"')[1].split('id="logout-form"')[0].replace('<form method="dialog"', "")


def test_the_page_says_state_holder_next_and_record(incident: Incident) -> None:
    client, _ = browser("responder")
    page = text(client.get(f"/incidents/{incident.pk}/"))
    for words in ("PENDING", "critical", "Disk full", "Shop", "Opened by Shop.", "Acknowledge", "Resolve", "Escalate"):
        assert words in page, words
    client.post(f"/incidents/{incident.pk}/acknowledge/")
    page = text(client.get(f"/incidents/{incident.pk}/"))
    for words in ("ACCEPTED", "You have it", "Give it back", "Acknowledged by Me. Escalation rests."):
        assert words in page, words
    client.post(f"/incidents/{incident.pk}/resolve/")
    over = client.get(f"/incidents/{incident.pk}/")
    assert "Resolved by Me" in text(over)
    assert "verb-resolve" not in over.content.decode()


def test_nobody_was_told_is_a_red_band_with_its_reason_and_what_mends_it(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(told=False, told_reason="Nobody could be reached.")
    client, _ = browser("responder")
    page = client.get(f"/incidents/{incident.pk}/").content.decode()
    assert "band-loud" in page
    assert "Nobody could be reached." in page
    assert "I have it" in page
    assert str(incident.escalation_policy.uuid) in page  # type: ignore[union-attr]
    assert "nobody was told" in text(client.get("/"))
    client.post(f"/incidents/{incident.pk}/acknowledge/")
    assert "band-loud" not in client.get(f"/incidents/{incident.pk}/").content.decode()


def test_events_in_a_row_are_one_line_of_the_record(incident: Incident) -> None:
    for _ in range(7):
        factories.send(incident.alert_source, factories.event(dedup_key="d"), now=timezone.now())
    client, _ = browser("responder")
    page = text(client.get(f"/incidents/{incident.pk}/"))
    assert "Shop sent 7 more events." in page
    assert "another event" not in page


def test_details_are_facts_and_not_json(incident: Incident) -> None:
    nested = {"free_gb": 2, "disk": {"mount": "/var", "ids": [1, 2]}, "rows": [{"a": 1}, {"a": None}], "none": {}}
    Incident.objects.filter(pk=incident.pk).update(details=nested)
    client, _ = browser("responder")
    answer = client.get(f"/incidents/{incident.pk}/")
    assert answer.context["details"] == [
        ("free_gb", 2),
        ("disk.mount", "/var"),
        ("disk.ids", "1, 2"),
        ("rows.0.a", 1),
        ("rows.1.a", None),
    ]


def test_a_long_record_is_shown_in_parts(incident: Incident) -> None:
    client, me = browser("responder")
    for n in range(105):
        lifecycle.note([incident], f"note number {n}.", by=Actor.person(me, "console"), now=timezone.now())
    page = client.get(f"/incidents/{incident.pk}/")
    assert ("note number 104." in text(page), "note number 0." in text(page)) == (True, False)
    assert "6 older" in text(page)
    assert "note number 0." in text(client.get(f"/incidents/{incident.pk}/?all=1"))


def test_a_runbook_of_a_connection_is_the_first_link(incident: Incident) -> None:
    hook = Connector.objects.create(name="Hook", kind="webhook", config={"url": "https://example.com"})
    Connection.objects.create(connector=hook, runbook_links={"disk.*": "https://wiki.example.com/disk"})
    Incident.objects.filter(pk=incident.pk).update(class_name="disk.full")
    client, _ = browser("responder")
    assert 'href="https://wiki.example.com/disk"' in client.get(f"/incidents/{incident.pk}/").content.decode()


def test_tabs_and_search_choose(incident: Incident) -> None:
    client, _me = browser("responder")
    mine = factories.make_incident(incident.alert_source, now=timezone.now(), title="Mine to do")
    over = factories.make_incident(incident.alert_source, now=timezone.now(), title="All over")
    client.post(f"/incidents/{mine.pk}/acknowledge/")
    client.post(f"/incidents/{over.pk}/resolve/")

    def titles(query: str) -> set[str]:
        return {row.incident.title for row in client.get(f"/incidents/?{query}").context["rows"]}

    assert titles("") == {"Disk full", "Mine to do"}
    assert titles("tab=mine") == {"Mine to do"}
    assert titles("tab=resolved") == {"All over"}
    assert titles("q=disk") == {"Disk full"}
    assert titles("q=status:resolved") == {"All over"}  # whoever names a status means it
    page = client.get("/incidents/?q=colour:red")
    assert "colour: is not known" in text(page)


def test_pages_of_a_list_hold_each_incident_once(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(119):
        factories.make_incident(incident.alert_source, now=timezone.now(), dedup_key=f"n{n}")
    client, _ = browser("responder")
    seen: list[int] = []
    path: str | None = "/incidents/"
    while path:
        page = client.get(path)
        seen += [row.incident.pk for row in page.context["rows"]]
        older = re.search(r'rel="next"\s+href="([^"]+)"', page.content.decode())
        path = f"/incidents/{older[1].replace('&amp;', '&')}" if older else None
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen, reverse=True)


def test_a_cursor_that_is_not_ours_is_refused_in_words(incident: Incident) -> None:
    client, _ = browser("responder")
    answer = client.get("/incidents/?cursor=xyz")
    assert (answer.status_code, "Begin again" in text(answer)) == (400, True)


def test_an_empty_list_teaches(db: None) -> None:
    client, _ = browser("responder")
    assert "No incident yet" in text(client.get("/incidents/"))
    assert "No event yet" in text(client.get("/raw-events/"))


def test_an_incident_by_hand_belongs_to_manual_and_is_opened_once(incident: Incident) -> None:
    client, _me = browser("responder")
    form = client.get("/incidents/new/").context["form"]
    policy = incident.escalation_policy
    said = {"title": "Shop is down", "severity": "critical", "policy": policy.pk, "key": form.initial["key"]}  # type: ignore[union-attr]
    first = client.post("/incidents/new/", said)
    second = client.post("/incidents/new/", said)
    assert first["Location"] == second["Location"]
    opened = Incident.objects.get(title="Shop is down")
    assert (opened.alert_source.built_in, opened.escalation_policy, opened.runs.count()) == (True, policy, 1)
    assert "Opened by Me." in text(client.get(first["Location"]))


@pytest.mark.parametrize(
    "wrong", [{"title": ""}, {"severity": "loud"}, {"policy": "0"}, {"key": "no"}, {"title": "x" * 256}]
)
def test_an_incident_by_hand_says_what_is_missing(incident: Incident, wrong: dict[str, str]) -> None:
    client, _ = browser("responder")
    said = {"title": "T", "severity": "error", "policy": incident.escalation_policy.pk, "key": "0" * 32}  # type: ignore[union-attr]
    answer = client.post("/incidents/new/", {**said, **wrong})
    assert (answer.status_code, answer.context["form"].is_valid()) == (200, False)
    assert Incident.objects.count() == 1


def test_raw_events_are_searched_by_words_source_outcome_and_incident(incident: Incident) -> None:
    other = factories.make_source("Mail")
    factories.send(other, factories.event(title="Queue is long", raw='{"host": "mx-1"}', severity="info"))
    client, _ = browser("responder")

    def titles(query: str) -> set[str]:
        return {event.title for event, _, _ in client.get(f"/raw-events/?{query}").context["events"]}

    assert titles("") == {"Disk full", "Queue is long"}
    assert titles("q=mx-1") == {"Queue is long"}
    assert titles(f"source={other.pk}") == {"Queue is long"}
    assert titles("outcome=opened") == {"Disk full"}
    assert titles(f"incident={incident.pk}") == {"Disk full"}
    assert titles("source=x&outcome=y&incident=z") == {"Disk full", "Queue is long"}
    assert '"host": "mx-1"' in text(client.get("/raw-events/"))


def test_raw_events_of_a_private_team_are_hidden(incident: Incident) -> None:
    secret = Team.objects.create(name="Secret", private=True)
    type(incident.alert_source).objects.filter(pk=incident.alert_source.pk).update(team=secret)
    client, _ = browser("responder")
    assert not client.get("/raw-events/").context["events"]


def test_the_checklist_ticks_itself_and_goes(db: None) -> None:
    client, me = browser("admin")

    def done() -> dict[str, bool]:
        return {task.title: task.done for task in client.get("/").context["tasks"]}

    # a way to reach me is there already: make_user gives one
    assert sum(done().values()) == 1
    me.contact_methods.update(verified_at=None)
    assert not any(done().values())
    me.contact_methods.update(verified_at=timezone.now())
    factories.make_schedule("S", me)
    policy = factories.make_policy((me, 5))
    source = factories.make_source("Shop", policy=policy)
    assert [title for title, ticked in done().items() if not ticked] == ["A test event", "An alert destination"]
    opened = factories.make_incident(source, now=timezone.now())
    assert "nobody was told yet" in text(client.get("/"))
    execution = opened.runs.get().executions.create(sequence=1, due_at=timezone.now(), at=timezone.now())
    Page.objects.create(
        execution=execution, incident=opened, user=me, rule_key="r", kind="email", address="x",
        delivery_key="k", state="sent", due_at=timezone.now(),
    )  # fmt: skip
    assert client.get("/").context["tasks"] == []  # the destination is optional


def test_the_checklist_is_for_those_who_set_things_up(db: None) -> None:
    client, _ = browser("responder")
    assert "first page in five minutes" not in text(client.get("/"))


def test_a_gap_on_the_first_page_is_red_and_says_until_when(db: None) -> None:
    client, me = browser("responder")
    factories.make_schedule("Covered", me)
    Schedule.objects.create(name="Empty")
    page = text(client.get("/"))
    assert "Nobody in Empty" in page
    assert "Me in Covered" in page


def test_connectors_that_switched_themselves_off_are_on_every_page_of_those_who_may_see_them(db: None) -> None:
    Connector.objects.create(name="Slack", kind="slack", enabled=False, off="failures", off_reason="11 of 11 failed.")
    client, _ = browser("responder")
    for path in ("/", "/incidents/", "/banners/"):
        assert "Slack switched itself off" in text(client.get(path)), path
    client, _ = browser("stakeholder")
    assert "Slack switched itself off" not in text(client.get("/"))


def test_an_engine_that_never_ran_is_said_on_every_page(db: None) -> None:
    client, _ = browser("stakeholder")
    assert "The engine has not ticked yet" in text(client.get("/incidents/"))


def test_the_manual_source_is_made_once(db: None) -> None:
    assert manual.manual_source() == manual.manual_source()


def test_times_are_in_my_zone(incident: Incident) -> None:
    client, me = browser("responder")
    type(me).objects.filter(pk=me.pk).update(time_zone="Asia/Kathmandu")
    Incident.objects.filter(pk=incident.pk).update(opened_at=timezone.now() - timedelta(hours=3))
    page = client.get(f"/incidents/{incident.pk}/").content.decode()
    assert "+0545" in page
    assert Actor.person(me, "console").name == "Me"

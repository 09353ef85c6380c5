"""The pages of schedules: who is on call, the drawing, overrides."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.models import AuditEntry
from oncall.models import Layer, Override, Participant, Schedule, User
from tests.callers import person
from tests.factories import make_policy, make_schedule
from tests.incidents.admin.browsing import browser, said, same_queries, text

pytestmark = pytest.mark.django_db
ZONE = "America/New_York"


@pytest.fixture
def root() -> User:
    return person("root", "admin", name="Rita Root", time_zone="Europe/Riga")


@pytest.fixture
def client(root: User) -> Client:
    return browser(root)


def page(schedule: Schedule) -> str:
    return reverse("console-schedule", args=[schedule.uuid])


def typed(at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo(ZONE)):%Y-%m-%dT%H:%M}"


def test_an_empty_installation_is_told_what_a_schedule_is_for(client: Client) -> None:
    said(client.get("/schedules/"), "No schedule yet", "Make the first schedule")
    said(browser(person("sam", "stakeholder")).get("/schedules/"), "A manager can make one.")


def test_the_list_says_who_is_on_call_until_when_and_who_is_next(client: Client) -> None:
    ann, bob = person("ann", "responder", name="Ann Ash"), person("bob", "responder", name="Bob Berg")
    make_schedule("Core", ann, bob)
    make_schedule("Empty")
    answer = client.get("/schedules/")
    shown = text(answer)
    assert ("Ann Ash until" in shown and "then Bob Berg" in shown) or (
        "Bob Berg until" in shown and "then Ann Ash" in shown
    )
    said(answer, "Nobody is on call, and nobody will be in the next 30 days")
    assert "Empty" not in text(client.get("/schedules/?search=core"))
    said(client.get("/schedules/?search=nothing"), "No schedule or team is called like “nothing”")


def test_the_list_costs_the_same_with_many(client: Client) -> None:
    ann = person("ann", "responder")
    names = iter(range(100))
    same_queries(lambda: client.get("/schedules/"), lambda: make_schedule(f"S{next(names)}", ann))


def test_one_drawing_costs_the_same_with_many_layers(client: Client, root: User) -> None:
    schedule = make_schedule("Core", root)

    def more() -> None:
        layer = Layer.objects.create(schedule=schedule, time_zone="UTC", anchor="2026-01-01T00:00", position=1)
        Participant.objects.create(layer=layer, position=0, user=root)

    same_queries(lambda: client.get(page(schedule)), more)


def test_the_drawing_has_my_shift_outlined_the_gap_hatched_and_both_zones(client: Client, root: User) -> None:
    schedule = make_schedule("Core", root, None, zone=ZONE, anchor="2026-01-05T09:00")
    body = client.get(page(schedule) + "?from=2026-02-02").content.decode()
    assert "bar-mine" in body
    assert "bar-gap" in body
    assert "Mon 2 Feb 16:00 – Mon 9 Feb 16:00, which is Mon 2 Feb 09:00 – Mon 9 Feb 09:00 in America/New_York" in body
    assert "clocks go forward 1 h" in client.get(page(schedule) + "?from=2026-03-02").content.decode()


@pytest.mark.parametrize("word", ["", "yesterday", "0001-01-01", "9999-12-31", "2026-13-40", "%00"])
def test_a_careless_date_is_today(client: Client, root: User, word: str) -> None:
    schedule = make_schedule("Core", root)
    answer = client.get(page(schedule), {"from": word})
    assert answer.status_code == 200
    assert "rota-now" in answer.content.decode()


def test_a_schedule_without_anybody_says_so_in_red_and_who_uses_it(client: Client, root: User) -> None:
    schedule = make_schedule("Core")
    make_policy((schedule, 5), name="Ladder")
    said(client.get(page(schedule)), "Nobody is on call.", "A step that asks this schedule is passed over.", "Ladder")


def add(client: Client, schedule: Schedule, **given: Any) -> Any:
    return client.post(reverse("console-override-add", args=[schedule.uuid]), given)


def test_an_override_is_typed_in_the_time_of_the_schedule(client: Client, root: User) -> None:
    ann = person("ann", "responder")
    schedule = make_schedule("Core", root, zone=ZONE)
    start = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    answer = add(client, schedule, user="ann", start=typed(start), end=typed(start + timedelta(hours=4)))
    assert answer.status_code == 302
    made = Override.objects.get()
    assert (made.user, made.start, made.end, made.created_by) == (ann, start, start + timedelta(hours=4), root)
    entry = AuditEntry.objects.get(action="created")
    assert (entry.actor, entry.via, entry.kind) == ("root", "console", "oncall.override")


def test_nobody_may_be_put_in_on_purpose(client: Client, root: User) -> None:
    schedule = make_schedule("Core", root, zone=ZONE)
    start = timezone.now() + timedelta(days=2)
    add(client, schedule, user="-", start=typed(start), end=typed(start + timedelta(hours=4)))
    assert Override.objects.get().user is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"user": "ann"}, "Choose a day and a time."),
        ({"user": "ann", "start": "soon", "end": "later"}, "Choose a day and a time."),
        ({"user": "ann", "start": "0001-01-01T00:00", "end": "9999-12-31T23:59"}, "Choose a day and a time."),
        ({"user": "ann", "start": "2031-01-02T00:00", "end": "2031-01-01T00:00"}, "It must be later than the start."),
        (
            {"user": "ann", "start": "2031-01-01T00:00", "end": "2033-01-01T00:00"},
            "An override lasts at most one year.",
        ),
        ({"user": "ann", "start": "2020-01-01T00:00", "end": "2020-01-02T00:00"}, "the past is not changed"),
        ({"user": "ghost", "start": "2031-01-01T00:00", "end": "2031-01-02T00:00"}, "Choose who is on call instead."),
        ({"user": "gone", "start": "2031-01-01T00:00", "end": "2031-01-02T00:00"}, "is deactivated"),
    ],
)
def test_a_careless_override_is_refused_in_words_and_keeps_what_was_typed(
    client: Client, root: User, given: dict[str, str], told: str
) -> None:
    person("ann", "responder")
    person("gone", "responder", is_active=False)
    answer = add(client, make_schedule("Core", root), **given)
    assert answer.status_code == 400
    said(answer, told)
    assert f'value="{given.get("start")}"' in answer.content.decode() or "start" not in given
    assert not Override.objects.exists()


def test_a_responder_covers_only_with_themselves() -> None:
    ann = person("ann", "responder")
    schedule = make_schedule("Core", ann)
    client = browser(ann)
    body = client.get(page(schedule)).content.decode()
    assert '<option value="ann"' in body
    assert "Nobody</option>" not in body
    times = {"start": "2031-01-01T00:00", "end": "2031-01-01T08:00"}
    person("bob", "responder")
    assert add(client, schedule, user="bob", **times).status_code == 403
    assert add(client, schedule, user="ann", **times).status_code == 302
    assert 'id="cover"' not in browser(person("sam", "stakeholder")).get(page(schedule)).content.decode()


def test_one_that_has_begun_ends_and_one_to_come_is_deleted(client: Client, root: User) -> None:
    schedule, now = make_schedule("Core", root), timezone.now()
    begun = Override.objects.create(schedule=schedule, start=now - timedelta(hours=1), end=now + timedelta(hours=1))
    later = Override.objects.create(schedule=schedule, start=now + timedelta(hours=2), end=now + timedelta(hours=3))
    refused = client.post(
        reverse("console-override-delete", args=[begun.uuid]),
        HTTP_REFERER="http://testserver" + page(schedule),
        follow=True,
    )
    said(refused, "This override has begun. End it now instead")
    client.post(reverse("console-override-end", args=[begun.uuid]))
    client.post(reverse("console-override-delete", args=[later.uuid]))
    kept = Override.objects.get()
    assert kept.pk == begun.pk
    assert now <= kept.end < now + timedelta(minutes=1)
    assert {"ended", "deleted"} == set(AuditEntry.objects.values_list("action", flat=True))


def test_one_that_is_used_is_not_deleted(client: Client, root: User) -> None:
    schedule = make_schedule("Core", root)
    policy = make_policy((schedule, 5), name="Ladder")
    said(client.get(reverse("console-schedule-delete", args=[schedule.uuid])), "cannot be deleted while", "Ladder")
    client.post(reverse("console-schedule-deleted", args=[schedule.uuid]))
    assert Schedule.objects.exists()
    assert not AuditEntry.objects.exists()
    policy.delete()
    said(client.post(reverse("console-schedule-deleted", args=[schedule.uuid]), follow=True), "Core is deleted.")
    assert not Schedule.objects.exists()

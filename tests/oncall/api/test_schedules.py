"""Schedules over REST: the document both ways, who is on call, overrides, previews."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from config.models import AuditEntry
from config.wire import instant
from oncall.models import Layer, Override, Schedule, Team, User
from tests.callers import bearer, person

pytestmark = pytest.mark.django_db
PATH = "/api/v1/schedules/"
GOLDEN = json.loads((Path(__file__).parents[2] / "golden/oncall.json").read_text())
WEEKLY: dict[str, Any] = {
    "name": "Core primary",
    "time_zone": "Europe/Berlin",
    "layers": [{"users": ["ann", "bob"], "rotation": {"unit": "week", "length": 1}, "anchor": "2026-11-02T09:00"}],
}


@pytest.fixture
def people() -> dict[str, User]:
    given = {"ann": "admin", "bob": "responder", "max": "manager", "cyd": "responder", "sam": "stakeholder"}
    return {name: person(name, role) for name, role in given.items()}


@pytest.fixture
def ann(people: dict[str, User]) -> APIClient:
    return bearer(people["ann"])


def make(client: APIClient, **changes: Any) -> dict[str, Any]:
    answer = client.post(PATH, {**WEEKLY, **changes}, format="json")
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_schedule_shows_what_was_sent(ann: APIClient) -> None:
    Team.objects.create(name="Core")
    made = make(ann, team="Core")
    assert {name: made[name] for name in WEEKLY} == WEEKLY
    assert (made["team"], made["overrides"]) == ("Core", [])
    assert ann.get(f"{PATH}{made['id']}/").json() == made


def test_what_was_read_can_be_sent_back_and_changes_nothing(ann: APIClient) -> None:
    made = make(ann)
    again = ann.patch(f"{PATH}{made['id']}/", made, format="json")
    assert (again.status_code, again.json()) == (200, made)
    assert Layer.objects.count() == 1
    assert AuditEntry.objects.count() == 1


def test_a_change_begins_now_and_the_past_stays(ann: APIClient) -> None:
    made = make(ann)
    past = instant(timezone.now() - timedelta(days=1))
    before = ann.get(f"{PATH}{made['id']}/on-call/?at={past}").json()
    layers = [{**WEEKLY["layers"][0], "users": ["cyd"]}]
    assert ann.patch(f"{PATH}{made['id']}/", {"layers": layers}, format="json").status_code == 200
    assert ann.get(f"{PATH}{made['id']}/on-call/").json()["user"] == "cyd"
    assert ann.get(f"{PATH}{made['id']}/on-call/?at={past}").json()["user"] == before["user"]


def test_everything_wrong_is_told_at_once_with_its_path(ann: APIClient) -> None:
    wrong = {
        "name": "",
        "time_zone": "Mars",
        "colour": "red",
        "layers": [{"users": ["nobody"], "rotation": {"unit": "eon"}, "anchor": "yesterday"}],
    }
    answer = ann.post(PATH, wrong, format="json")
    assert answer.status_code == 400
    assert {"name", "time_zone", "colour", "layers.0.rotation.unit", "layers.0.anchor"} <= {
        one["field"] for one in answer.json()["errors"]
    }
    unknown = ann.post(PATH, {**WEEKLY, "layers": [{**WEEKLY["layers"][0], "users": ["nobody"]}]}, format="json")
    assert unknown.json()["errors"][0]["field"] == "layers.0.users.0"
    assert ann.post(PATH, [WEEKLY], format="json").status_code == 400
    assert not Schedule.objects.exists()


def test_on_call_at_an_instant(ann: APIClient) -> None:
    path = f"{PATH}{make(ann)['id']}/on-call/"
    answer = ann.get(f"{path}?at=2026-11-09T07:59:59Z").json()
    assert answer == {
        "at": "2026-11-09T07:59:59.000Z",
        "user": "ann",
        "until": "2026-11-09T08:00:00.000Z",
        "source": "layer 1",
    }
    assert ann.get(f"{path}?at=2026-11-09T09:00:00%2B01:00").json()["user"] == "bob"
    for wrong in ("at=tomorrow", "at=2026-11-09T09:00:00", "when=now", "at=9999-12-31T23:59:59Z"):
        assert ann.get(f"{path}?{wrong}").status_code == 400, wrong


def test_nobody_on_call_is_an_answer_not_an_error(ann: APIClient) -> None:
    made = make(ann, layers=[])
    answer = ann.get(f"{PATH}{made['id']}/on-call/")
    assert (answer.status_code, answer.json()["user"], answer.json()["until"]) == (200, None, None)


def test_shifts_tile_the_range(ann: APIClient) -> None:
    path = f"{PATH}{make(ann)['id']}/shifts/"
    found = ann.get(f"{path}?from=2026-11-02T08:00:00Z&until=2026-11-16T08:00:00Z").json()["shifts"]
    assert [(one["start"], one["end"], one["user"]) for one in found] == [
        ("2026-11-02T08:00:00.000Z", "2026-11-09T08:00:00.000Z", "ann"),
        ("2026-11-09T08:00:00.000Z", "2026-11-16T08:00:00.000Z", "bob"),
    ]
    assert ann.get(path).status_code == 200
    assert ann.get(f"{path}?from=2026-11-02T08:00:00Z&until=2026-11-02T08:00:00Z").status_code == 400


def test_members_put_in_themselves_and_managers_anyone(ann: APIClient, people: dict[str, User]) -> None:
    path = f"{PATH}{make(ann)['id']}/overrides/"
    start = timezone.now() + timedelta(hours=1)
    body = {"start": instant(start), "end": instant(start + timedelta(hours=2)), "user": "bob", "replaces": None}
    bob, cyd, max_, sam = (bearer(people[name]) for name in ("bob", "cyd", "max", "sam"))
    made = bob.post(path, body, format="json")
    assert (made.status_code, made.json()["user"], made.json()["created_by"]) == (201, "bob", "bob")
    assert bob.post(path, {**body, "user": "ann"}, format="json").status_code == 403
    assert cyd.post(path, {**body, "user": "cyd"}, format="json").status_code == 403
    assert sam.post(path, {**body, "user": "sam"}, format="json").status_code == 403
    assert max_.post(path, {**body, "user": "cyd"}, format="json").status_code == 201
    assert [one["user"] for one in bob.get(path).json()["results"]] == ["bob", "cyd"]
    assert cyd.delete(f"{path}{made.json()['id']}/").status_code == 403
    assert bob.delete(f"{path}{made.json()['id']}/").status_code == 204
    assert AuditEntry.objects.filter(kind="oncall.override").count() == 3


def test_an_override_that_has_begun_is_ended_not_deleted(ann: APIClient) -> None:
    made = make(ann)
    path = f"{PATH}{made['id']}/overrides/"
    now = timezone.now()
    row = Override.objects.create(
        schedule=Schedule.objects.get(),
        start=now - timedelta(hours=1),
        end=now + timedelta(hours=1),
        user=User.objects.get(username="cyd"),
    )
    assert ann.get(f"{PATH}{made['id']}/on-call/").json()["user"] == "cyd"
    refused = ann.delete(f"{path}{row.uuid}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "override_running")
    assert ann.post(f"{path}{row.uuid}/end/").status_code == 200
    assert ann.get(f"{PATH}{made['id']}/on-call/").json()["user"] != "cyd"
    other = make(ann, name="Other")
    assert ann.delete(f"{PATH}{other['id']}/overrides/{row.uuid}/").status_code == 404


@pytest.mark.parametrize("name", sorted(GOLDEN["schedules"]))
def test_a_preview_of_every_golden_schedule(people: dict[str, User], name: str) -> None:
    cases = [case for case in GOLDEN["cases"] if case["schedule"] == name]
    body = {"schedule": GOLDEN["schedules"][name], "at": [case["at"] for case in cases]}
    answer = bearer(people["sam"]).post(f"{PATH}preview/", body, format="json")
    assert answer.status_code == 200, answer.content
    assert [one["user"] for one in answer.json()["results"]] == [case["expect"] for case in cases]
    assert not Schedule.objects.exists()


def test_a_preview_of_a_range(ann: APIClient) -> None:
    schedule = GOLDEN["schedules"]["weekly-berlin"]
    span = {"from": "2024-03-18T08:00:00Z", "until": "2024-04-01T07:00:00Z"}
    found = ann.post(f"{PATH}preview/", {"schedule": schedule, **span}, format="json").json()["shifts"]
    assert [one["user"] for one in found] == ["alice", "bob"]
    for wrong in (
        {},
        {"schedule": schedule},
        {"schedule": schedule, "at": ["x"]},
        {"schedule": schedule, "at": [], **span},
    ):
        refused = ann.post(f"{PATH}preview/", wrong, format="json")
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid"), wrong


def test_a_schedule_that_a_policy_uses_stays(ann: APIClient) -> None:
    made = make(ann)
    policy = {"name": "Core", "steps": [{"targets": [{"schedule": "Core primary"}]}]}
    assert ann.post("/api/v1/escalation-policies/", policy, format="json").status_code == 201
    refused = ann.delete(f"{PATH}{made['id']}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")


def test_a_team_manager_may_have_it_in_the_team_and_nowhere_else(ann: APIClient, people: dict[str, User]) -> None:
    ann.post("/api/v1/teams/", {"name": "Core", "managers": ["bob"]}, format="json")
    Team.objects.create(name="Shop")
    bob = bearer(people["bob"])
    made = make(bob, team="Core")
    assert bob.post(PATH, {**WEEKLY, "name": "x", "team": "Shop"}, format="json").status_code == 403
    assert bob.post(PATH, {**WEEKLY, "name": "x"}, format="json").status_code == 403
    assert bob.patch(f"{PATH}{made['id']}/", {"team": "Shop"}, format="json").status_code == 403
    assert bob.patch(f"{PATH}{made['id']}/", {"name": "Renamed"}, format="json").status_code == 200


def test_queries_of_a_list_do_not_grow_with_it(ann: APIClient) -> None:
    counts = []
    for place in range(4):
        make(ann, name=f"S{place}")
        with CaptureQueriesContext(connection) as queries:
            assert len(ann.get(PATH).json()["results"]) == place + 1
        counts.append(len(queries))
    assert len(set(counts)) == 1, counts

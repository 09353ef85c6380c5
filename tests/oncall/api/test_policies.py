"""Escalation policies over REST."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from oncall.models import Schedule, Team
from tests.callers import bearer, person

pytestmark = pytest.mark.django_db
PATH = "/api/v1/escalation-policies/"
CORE: dict[str, Any] = {
    "name": "Core",
    "team": "Core",
    "repeat": 1,
    "start_delay_minutes": 0,
    "ack_timeout_minutes": None,
    "steps": [
        {"targets": [{"schedule": "Core primary"}], "delay_minutes": 5, "strategy": "everyone"},
        {"targets": [{"user": "bob"}, {"team": "Core"}], "delay_minutes": 10, "strategy": "round_robin"},
    ],
}


@pytest.fixture
def ann() -> APIClient:
    person("bob", "responder")
    Team.objects.create(name="Core")
    Schedule.objects.create(name="Core primary")
    return bearer(person("ann", "admin"))


def test_a_policy_shows_what_was_sent(ann: APIClient) -> None:
    made = ann.post(PATH, CORE, format="json")
    assert made.status_code == 201, made.content
    assert {name: made.json()[name] for name in CORE} == CORE
    assert made.json()["low_urgency"] == "first_step"
    assert ann.get(made["Location"]).json() == made.json()
    again = ann.patch(made["Location"], made.json(), format="json")
    assert (again.status_code, again.json()["steps"]) == (200, CORE["steps"])


def test_targets_are_named_by_id_too(ann: APIClient) -> None:
    ids = {"schedule": str(Schedule.objects.get().uuid)}
    made = ann.post(PATH, {**CORE, "steps": [{"targets": [ids]}]}, format="json").json()
    assert made["steps"][0]["targets"] == [{"schedule": "Core primary"}]


def test_everything_wrong_is_told_at_once_with_its_path(ann: APIClient) -> None:
    steps = [
        {"targets": [{"user": "nobody"}]},
        {"targets": [], "delay_minutes": -1},
        {"targets": [{"user": "bob", "team": "Core"}]},
    ]
    answer = ann.post(PATH, {"name": "X", "repeat": 10, "steps": steps}, format="json")
    assert answer.status_code == 400
    fields = {one["field"] for one in answer.json()["errors"]}
    assert {"repeat", "steps.1.targets", "steps.1.delay_minutes"} <= fields
    unknown = ann.post(PATH, {"name": "X", "steps": steps[:1]}, format="json").json()["errors"][0]
    assert unknown["field"] == "steps.0.targets.0.user"


def test_a_change_speaks_of_some_things_only(ann: APIClient) -> None:
    made = ann.post(PATH, CORE, format="json")
    changed = ann.patch(made["Location"], {"repeat": None}, format="json").json()
    assert (changed["repeat"], changed["steps"], changed["team"]) == (None, CORE["steps"], "Core")


def test_a_stale_version_is_refused_also_if_only_a_step_changed(ann: APIClient) -> None:
    made = ann.post(PATH, CORE, format="json")
    ann.patch(made["Location"], {"steps": CORE["steps"][:1]}, format="json")
    answer = ann.patch(made["Location"], {"repeat": 3}, format="json", headers={"If-Match": made["ETag"]})
    assert answer.status_code == 412


def test_it_is_read_out_with_whom_it_would_reach_now(ann: APIClient) -> None:
    made = ann.post(PATH, CORE, format="json")
    lines = ann.get(f"{made['Location']}sentences/").json()["sentences"]
    assert len(lines) == 3
    assert "Core primary" in lines[0]["text"]
    assert lines[0]["warning"]


def test_a_person_who_is_a_target_is_found(ann: APIClient) -> None:
    ann.post(PATH, CORE, format="json")
    ann.post(PATH, {**CORE, "name": "Other", "steps": CORE["steps"][:1]}, format="json")
    assert [one["name"] for one in ann.get(f"{PATH}?user=bob").json()["results"]] == ["Core"]
    assert len(ann.get(f"{PATH}?schedule=Core%20primary&team=Core").json()["results"]) == 2


def test_queries_of_a_list_do_not_grow_with_it(ann: APIClient) -> None:
    counts = []
    for place in range(4):
        ann.post(PATH, {**CORE, "name": f"P{place}"}, format="json")
        with CaptureQueriesContext(connection) as queries:
            assert len(ann.get(PATH).json()["results"]) == place + 1
        counts.append(len(queries))
    assert len(set(counts)) == 1, counts

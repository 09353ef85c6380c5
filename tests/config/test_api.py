"""The conventions of REST, each on a real resource."""

import time
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from config.models import AuditEntry, KeptAnswer
from oncall.models import EscalationPolicy, Step, StepTarget, Team, Token
from tests.callers import bearer, person, signed_in

pytestmark = pytest.mark.django_db
PROBLEM = "application/problem+json"


@pytest.fixture
def admin() -> APIClient:
    return bearer(person("ann", "admin"))


def team(client: APIClient, name: str = "Core", **more: object) -> dict[str, Any]:
    answer = client.post("/api/v1/teams/", {"name": name, **more}, format="json")
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


# --- errors --------------------------------------------------------------------------------------------------------
def test_a_refusal_is_a_problem_document(admin: APIClient) -> None:
    answer = admin.get("/api/v1/teams/00000000-0000-4000-8000-00000000dead/")
    assert (answer.status_code, answer["Content-Type"]) == (404, PROBLEM)
    assert answer.json() == {
        "type": "urn:problem:not_found",
        "title": "Not found",
        "status": 404,
        "code": "not_found",
        "detail": "No team has this id.",
    }


def test_nobody_gets_401_and_is_told_how_to_come_in() -> None:
    answer = APIClient().get("/api/v1/teams/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_authenticated"


def test_a_wrong_token_gets_401() -> None:
    answer = APIClient(headers={"Authorization": "Bearer nonsense"}).get("/api/v1/teams/")
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_unknown_and_wrong_parameters_are_told_together(admin: APIClient) -> None:
    answer = admin.get("/api/v1/teams/?colour=red&page_size=0")
    body = answer.json()
    assert (answer.status_code, body["code"], body["detail"]) == (400, "invalid", "2 parameters are not valid.")
    assert [(one["field"], one["code"]) for one in body["errors"]] == [
        ("colour", "unknown_parameter"),
        ("page_size", "min_value"),
    ]


def test_unknown_and_wrong_fields_are_told_together(admin: APIClient) -> None:
    answer = admin.post("/api/v1/teams/", {"nmae": "Core", "private": "perhaps", "members": ["nobody"]}, format="json")
    found = {one["field"]: one["code"] for one in answer.json()["errors"]}
    assert answer.status_code == 400
    assert found == {"nmae": "unknown_field", "name": "required", "private": "invalid", "members": "does_not_exist"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "line 1, column 2"),
        (b'{"name": NaN}', "NaN"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'{"name": "\\ud800"}', "surrogate"),
        (b"[" * 200 + b"]" * 200, "nested deeper"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
        (b'{"name": ' + b"1" * 5000 + b"}", "Not JSON"),
        (b'{"name": "a\\u0000b"}', "1 field is not valid"),
        (b"[]", "1 field is not valid"),
        (b"", "1 field is not valid"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_the_reason(admin: APIClient, body: bytes, said: str) -> None:
    answer = admin.post("/api/v1/teams/", data=body, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, PROBLEM)
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"config": {"url": "https://a.example", "headers": [{"x": "a\\u0000b"}]}}', "config.headers.0.x"),
        (b'{"config": {"a\\u0000b": 1}}', "config"),
        (b'{"a\\u0000b": "a"}', ""),
    ],
)
def test_a_null_character_is_refused_wherever_it_stands(admin: APIClient, body: bytes, field: str) -> None:
    answer = admin.post("/api/v1/connectors/", data=body, content_type="application/json")
    assert answer.status_code == 400
    [fault] = answer.json()["errors"]
    assert (fault["field"], fault["code"]) == (field, "null_characters_not_allowed")


def test_a_backslash_in_front_of_u0000_is_text(admin: APIClient) -> None:
    answer = admin.post("/api/v1/teams/", data=b'{"name": "a\\\\u0000b"}', content_type="application/json")
    assert (answer.status_code, answer.json()["name"]) == (201, "a\\u0000b")


def test_a_null_character_in_a_parameter_is_refused(admin: APIClient) -> None:
    assert admin.get("/api/v1/teams/?name=a%00b").status_code == 400


def test_a_body_over_five_megabytes_is_413(admin: APIClient) -> None:
    answer = admin.post("/api/v1/teams/", data=b" " * (5 * 1024 * 1024 + 1), content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_another_media_type_is_415(admin: APIClient) -> None:
    answer = admin.post("/api/v1/teams/", data="name=Core", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_method_that_is_not_there_is_405(admin: APIClient) -> None:
    answer = admin.put("/api/v1/teams/", {}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/api/nothing", "/api/v1/teams/not-a-uuid/", "/integrations/none/0", "/v2/nothing"])
def test_an_unknown_machine_path_is_404_in_json(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, PROBLEM)


def test_any_accept_header_gets_json(admin: APIClient) -> None:
    assert admin.get("/api/v1/teams/", HTTP_ACCEPT="application/xml").status_code == 200


def test_what_is_still_used_cannot_be_deleted(admin: APIClient) -> None:
    from_api = team(admin)
    used = Team.objects.get(uuid=from_api["id"])
    policy = EscalationPolicy.objects.create(name="Shop")
    StepTarget.objects.create(step=Step.objects.create(policy=policy, position=0), position=0, team=used)
    answer = admin.delete(f"/api/v1/teams/{from_api['id']}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert Team.objects.filter(pk=used.pk).exists()


# --- shapes --------------------------------------------------------------------------------------------------------
def test_a_row_shows_its_uuid_and_instants_with_three_decimals(admin: APIClient) -> None:
    made = team(admin)
    assert made["id"] == str(Team.objects.get().uuid)
    assert str(made["created_at"]).endswith("Z")
    assert len(str(made["created_at"])) == len("2026-11-21T03:47:00.000Z")


def test_both_spellings_of_an_address_work(admin: APIClient) -> None:
    assert admin.post("/api/v1/teams", {"name": "Core"}, format="json").status_code == 201
    made = admin.get("/api/v1/teams").json()["results"][0]
    assert admin.get(f"/api/v1/teams/{made['id']}").status_code == 200
    assert admin.patch(f"/api/v1/teams/{made['id']}", {"private": True}, format="json").status_code == 200


def test_201_says_where_it_is(admin: APIClient) -> None:
    answer = admin.post("/api/v1/teams", {"name": "Core"}, format="json")
    assert answer["Location"] == f"http://testserver/api/v1/teams/{answer.json()['id']}/"
    assert admin.get(answer["Location"]).json() == answer.json()


def test_what_was_read_can_be_sent_back(admin: APIClient) -> None:
    made = team(admin, members=["ann"])
    answer = admin.patch(f"/api/v1/teams/{made['id']}/", made, format="json")
    assert answer.status_code == 200
    assert {**answer.json(), "updated_at": None} == {**made, "updated_at": None}


def test_people_are_named_by_username_or_id(admin: APIClient) -> None:
    bob = person("bob")
    assert team(admin, "A", members=["bob"])["members"] == ["bob"]
    assert team(admin, "B", members=[str(bob.uuid)])["members"] == ["bob"]


# --- versions ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["{}", "W/{}", '"old", {}', "*"])
def test_if_match_lets_the_present_version_pass(admin: APIClient, form: str) -> None:
    made = team(admin)
    tag = admin.get(f"/api/v1/teams/{made['id']}/")["ETag"]
    answer = admin.patch(
        f"/api/v1/teams/{made['id']}/", {"private": True}, format="json", headers={"If-Match": form.format(tag)}
    )
    assert answer.status_code == 200
    assert answer["ETag"] != tag


def test_if_match_refuses_an_older_version_and_tells_the_present_one(admin: APIClient) -> None:
    made = team(admin)
    path = f"/api/v1/teams/{made['id']}/"
    old = admin.get(path)["ETag"]
    new = admin.patch(path, {"private": True}, format="json")["ETag"]
    for answer in (
        admin.patch(path, {"private": False}, format="json", headers={"If-Match": old}),
        admin.delete(path, headers={"If-Match": old}),
    ):
        assert (answer.status_code, answer.json()["code"], answer["ETag"]) == (412, "version_mismatch", new)
    assert Team.objects.get().private


def test_if_none_match_gives_304_without_a_body(admin: APIClient) -> None:
    path = f"/api/v1/teams/{team(admin)['id']}/"
    tag = admin.get(path)["ETag"]
    answer = admin.get(path, headers={"If-None-Match": f"W/{tag}"})
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    assert admin.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


# --- idempotency ---------------------------------------------------------------------------------------------------
def keyed(client: APIClient, key: str, body: object, path: str = "/api/v1/teams/") -> Any:
    return client.post(path, body, format="json", headers={"Idempotency-Key": key})


def test_the_same_request_is_done_once_and_answered_twice(admin: APIClient) -> None:
    first = keyed(admin, "k1", {"name": "Core"})
    second = keyed(admin, '"k1"', {"name": "Core"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert (first["ETag"], first["Location"]) == (second["ETag"], second["Location"])
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Team.objects.count() == 1


def test_a_refusal_is_kept_too(admin: APIClient) -> None:
    first, second = keyed(admin, "k1", {}), keyed(admin, "k1", {})
    assert (first.status_code, second.status_code) == (400, 400)
    assert second["Idempotency-Replayed"] == "true"
    assert second["Content-Type"] == PROBLEM
    assert first.json() == second.json()


def test_a_key_is_good_for_one_request(admin: APIClient) -> None:
    keyed(admin, "k1", {"name": "Core"})
    for answer in (keyed(admin, "k1", {"name": "Other"}), keyed(admin, "k1", {"name": "Core"}, "/api/v1/connectors/")):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Team.objects.count() == 1


def test_keys_of_two_callers_have_nothing_to_do_with_each_other(admin: APIClient) -> None:
    other = bearer(person("bob", "admin"))
    assert keyed(admin, "k1", {"name": "A"}).status_code == 201
    assert keyed(other, "k1", {"name": "B"}).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "k" * 256])
def test_a_key_has_1_to_255_characters(admin: APIClient, key: str) -> None:
    assert keyed(admin, key, {"name": "Core"}).status_code == 400
    assert Team.objects.count() == 0


def test_a_clear_token_in_a_kept_answer_is_encrypted(admin: APIClient) -> None:
    answer = keyed(admin, "k1", {"name": "terraform", "scopes": ["read"]}, "/api/v1/tokens/")
    with connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM config_keptanswer")
        stored = cursor.fetchone()[0]
    assert answer.json()["token"] not in stored
    assert KeptAnswer.objects.get().answer["body"]["token"] == answer.json()["token"]


@override_settings(REQUIRE_IDEMPOTENCY_KEY=True)
def test_an_installation_may_demand_keys(admin: APIClient) -> None:
    answer = admin.post("/api/v1/teams/", {"name": "Core"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")
    assert keyed(admin, "k", {"name": "Core"}).status_code == 201


# --- sessions ------------------------------------------------------------------------------------------------------
def test_a_session_reads_but_writes_only_with_csrf() -> None:
    client = signed_in(person("ann", "admin"))
    assert client.get("/api/v1/teams/").status_code == 200
    answer = client.post("/api/v1/teams/", {"name": "Core"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    client.get("/incidents/new/")
    token = client.cookies["csrftoken"].value
    assert client.post("/api/v1/teams/", {"name": "Core"}, format="json", HTTP_X_CSRFTOKEN=token).status_code == 201


# --- limits --------------------------------------------------------------------------------------------------------
def test_the_6001st_request_of_a_minute_waits(admin: APIClient) -> None:
    token = Token.objects.get()
    minute = int(time.time() // 60)
    for one in (minute, minute + 1):
        cache.set(f"caller:token:{token.pk}:{one}", 5999)
    assert admin.get("/api/v1/teams/").status_code == 200
    answer = admin.get("/api/v1/teams/")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= 60
    cache.clear()


# --- the trail -----------------------------------------------------------------------------------------------------
def test_every_write_leaves_a_line_that_says_who_and_what(admin: APIClient) -> None:
    made = team(admin, members=["ann"])
    admin.patch(f"/api/v1/teams/{made['id']}/", {"private": True}, format="json")
    admin.patch(f"/api/v1/teams/{made['id']}/", {"private": True}, format="json")
    admin.delete(f"/api/v1/teams/{made['id']}/")
    lines = list(AuditEntry.objects.order_by("id").values_list("action", "actor", "via", "name", "changes"))
    assert [line[0] for line in lines] == ["created", "changed", "deleted"]
    assert {line[1:4] for line in lines} == {("ann with the token test", "api", "Core")}
    assert lines[1][4] == {"private": [False, True]}
    assert lines[0][4]["members"] == [None, ["ann"]]


def test_a_refused_write_leaves_no_line(admin: APIClient) -> None:
    admin.post("/api/v1/teams/", {}, format="json")
    assert AuditEntry.objects.count() == 0


def test_queries_of_a_list_do_not_grow_with_it(admin: APIClient) -> None:
    people = [person(f"p{place}").username for place in range(6)]
    counts = []
    for place in range(6):
        team(admin, f"T{place}", members=people[: place + 1])
        with CaptureQueriesContext(connection) as queries:
            admin.get("/api/v1/teams/")
        counts.append(len(queries))
    assert len(set(counts)) == 1, counts

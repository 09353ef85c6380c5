"""Tokens: made, found, worn out."""

from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIClient

from config.problems import Conflict, Invalid, Problem
from oncall import tokens
from oncall.models import Token
from oncall.models.access import SCOPES
from tests.callers import bearer, person

NOW = datetime(2026, 11, 21, 3, 47, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def test_the_clear_text_is_nowhere_in_the_row() -> None:
    token, clear = tokens.make(person("ann"), "terraform", ["read", "read", "write"], now=NOW)
    row = Token.objects.filter(pk=token.pk).values().get()
    assert clear not in str(row)
    assert clear.startswith(row["prefix"])
    assert len(row["prefix"]) < len(clear) / 3
    assert row["scopes"] == ["read", "write"]
    assert tokens.find(clear, now=NOW) == token


@pytest.mark.parametrize("scopes", [["incidents"], ["read", "root"]])
def test_only_known_scopes(scopes: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        tokens.make(person("ann"), "t", scopes, now=NOW)
    assert refused.value.errors[0].field == "scopes"


def test_a_revoked_an_expired_and_an_inactive_persons_token_open_nothing() -> None:
    ann = person("ann")
    token, clear = tokens.make(ann, "t", ["read"], expires_at=NOW + timedelta(hours=1), now=NOW)
    assert tokens.find(clear, now=NOW + timedelta(minutes=59, seconds=59))
    with pytest.raises(AuthenticationFailed, match="expired"):
        tokens.find(clear, now=NOW + timedelta(hours=1))
    ann.is_active = False
    ann.save()
    with pytest.raises(AuthenticationFailed, match="deactivated"):
        tokens.find(clear, now=NOW)
    tokens.revoke(token, now=NOW)
    with pytest.raises(AuthenticationFailed, match="revoked"):
        tokens.find(clear, now=NOW)
    with pytest.raises(AuthenticationFailed, match="not known"):
        tokens.find(clear + "x", now=NOW)


def test_use_is_noted_at_most_once_a_minute() -> None:
    token, clear = tokens.make(person("ann"), "t", ["read"], now=NOW)
    noted = []
    for seconds in (0, 59, 60, 119, 120):
        tokens.find(clear, now=NOW + timedelta(seconds=seconds))
        token.refresh_from_db()
        noted.append(token.last_used_at)
    assert noted == [NOW + timedelta(seconds=seconds) for seconds in (0, 0, 60, 60, 120)]


def test_rotating_revokes_the_old_and_keeps_what_it_may() -> None:
    ann = person("ann")
    token, clear = tokens.make(ann, "t", ["read"], service=True, expires_at=NOW + timedelta(days=1), now=NOW)
    later = NOW + timedelta(hours=1)
    other, fresh = tokens.rotate(token, by=ann, now=later)
    assert (other.name, other.scopes, other.service, other.expires_at) == ("t", ["read"], True, token.expires_at)
    assert tokens.find(fresh, now=later) == other
    with pytest.raises(AuthenticationFailed):
        tokens.find(clear, now=later)


def test_what_has_expired_or_was_revoked_is_not_rotated() -> None:
    ann = person("ann")
    expired, _ = tokens.make(ann, "t", ["read"], expires_at=NOW + timedelta(hours=1), now=NOW)
    revoked, _ = tokens.make(ann, "t", ["read"], now=NOW)
    tokens.revoke(revoked, now=NOW)
    for token, code in ((expired, "token_expired"), (revoked, "token_revoked")):
        with pytest.raises(Conflict) as refused:
            tokens.rotate(token, by=ann, now=NOW + timedelta(hours=1))
        assert refused.value.code == code
    assert Token.objects.count() == 2


def test_an_admin_does_not_get_the_clear_text_of_another_persons_token() -> None:
    root = person("root", "admin")
    token, clear = tokens.make(person("ann"), "t", ["read"], now=NOW)
    with pytest.raises(Problem, match="Only its owner"):
        tokens.rotate(token, by=root, now=NOW)
    assert tokens.find(clear, now=NOW) == token
    answer = bearer(root).post(f"/api/v1/tokens/{token.uuid}/rotate/")
    assert (answer.status_code, "token" in answer.json()) == (403, False)


def test_an_expiry_in_the_past_is_refused() -> None:
    with pytest.raises(Invalid):
        tokens.make(person("ann"), "t", ["read"], expires_at=NOW, now=NOW)


@pytest.mark.parametrize("clear", ["a preset one, with blanks", "tok-tok-tok-tok-tok-tok", "ключ-ключ-ключ-ключ-ключ"])
def test_a_preset_token_is_any_printable_text_and_replaces_the_one_before(clear: str) -> None:
    ann = person("ann", "admin")
    tokens.preset(ann, "the one of yesterday, 20+")
    tokens.preset(ann, clear)
    tokens.preset(ann, clear)
    assert Token.objects.get().scopes == list(SCOPES)
    answer = APIClient().get("/api/v1/teams/", HTTP_AUTHORIZATION=f"Bearer {clear}".encode().decode("latin-1"))
    assert answer.status_code == 200


@pytest.mark.parametrize("clear", ["short", "x" * 19, "line\nbreak in the middle of it"])
def test_a_preset_token_that_is_none_is_refused(clear: str) -> None:
    with pytest.raises(Invalid):
        tokens.preset(person("ann"), clear)


@pytest.mark.parametrize(
    ("held", "opens"),
    [
        ({"read"}, {"read", "incidents:read"}),
        ({"write"}, {"write", "incidents:assign", "incidents:acknowledge", "incidents:close"}),
        ({"incidents:close"}, {"incidents:close"}),
        ({"admin"}, set(SCOPES)),
        (set(), set()),
    ],
)
def test_what_a_scope_opens(held: set[str], opens: set[str]) -> None:
    token = Token(scopes=sorted(held))
    assert {scope for scope in SCOPES if token.allows(scope)} == opens


def test_a_verb_outside_the_scope_is_refused_and_named() -> None:
    answer = bearer(person("ann", "admin"), "read").post("/api/v1/teams/", {"name": "Core"}, format="json")
    body = answer.json()
    assert (answer.status_code, body["code"], body["required_scope"]) == (403, "permission_denied", "write")
    assert "write" in body["detail"]


def test_a_token_never_exceeds_its_users_rights() -> None:
    client = bearer(person("bob", "stakeholder"), *SCOPES)
    assert client.post("/api/v1/teams/", {"name": "Core"}, format="json").status_code == 403
    assert client.get("/api/v1/teams/").status_code == 200


# --- over REST -----------------------------------------------------------------------------------------------------
def test_the_clear_text_is_shown_once() -> None:
    client = bearer(person("ann", "responder"), "read", "admin")
    made = client.post("/api/v1/tokens/", {"name": "t", "scopes": ["read"]}, format="json")
    clear = made.json()["token"]
    assert made.status_code == 201
    path = f"/api/v1/tokens/{made.json()['id']}/"
    for text in (client.get(path), client.get("/api/v1/tokens/")):
        assert clear not in text.content.decode()
    assert APIClient().get("/api/v1/teams/", headers={"Authorization": f"Bearer {clear}"}).status_code == 200
    rotated = client.post(f"{path}rotate/")
    assert rotated.status_code == 201
    assert rotated.json()["token"] != clear
    assert APIClient().get("/api/v1/teams/", headers={"Authorization": f"Bearer {clear}"}).status_code == 401
    assert client.get(path).json()["revoked_at"]


def test_people_see_their_own_tokens_and_admins_all() -> None:
    ann, bob = bearer(person("ann", "admin")), bearer(person("bob", "responder"))
    assert [row["user"] for row in bob.get("/api/v1/tokens/").json()["results"]] == ["bob"]
    assert len(ann.get("/api/v1/tokens/").json()["results"]) == 2
    others = ann.get("/api/v1/tokens/?user=ann").json()["results"][0]["id"]
    assert bob.delete(f"/api/v1/tokens/{others}/").status_code == 404

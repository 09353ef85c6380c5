"""The OpenAPI document and the pages that show it."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = Client().get("/api/schema/").json()
    return found


def test_it_is_valid_and_without_warnings() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_every_address_documents_its_refusals_by_one_component(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            wanted = {"400", "401", "403", "429"} | ({"404"} if "{" in path else set())
            wanted |= {"409"} if method != "get" else set()
            wanted |= {"412"} if method in {"patch", "delete"} else set()
            assert wanted <= set(answers), (path, method)
            for code in wanted:
                assert answers[code]["content"]["application/problem+json"]["schema"] == {
                    "$ref": "#/components/schemas/Problem"
                }


def test_posts_that_change_something_take_an_idempotency_key(schema: dict[str, Any]) -> None:
    names = {
        path: {one["name"] for one in operations["post"].get("parameters", [])}
        for path, operations in schema["paths"].items()
        if "post" in operations
    }
    assert "Idempotency-Key" in names["/api/v1/teams/"]
    assert "Idempotency-Key" in names["/api/v1/connectors/{id}/test/"]
    assert "Idempotency-Key" not in names["/api/v1/schedules/preview/"]


def test_secrets_are_write_only(schema: dict[str, Any]) -> None:
    user = schema["components"]["schemas"]
    assert "password" not in user["User"]["properties"]
    assert "token" not in user["Token"]["properties"]
    assert "token" in user["MadeToken"]["properties"]


@pytest.mark.parametrize("path", ["/api/schema", "/api/docs", "/api/docs/?script="])
def test_the_docs_are_there_with_and_without_the_slash(path: str) -> None:
    assert Client().get(path).status_code == 200


def test_the_docs_load_nothing_from_elsewhere_and_run_under_our_policy() -> None:
    page = Client().get("/api/docs/")
    text = page.content.decode()
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert not re.findall(r"""(?:src|href)=["']https?://""", text)
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
    assert inline == []
    for asset in re.findall(r"""(?:src|href)=["'](/static/[^"']+)""", text):
        assert Client().get(asset).status_code == 200, asset

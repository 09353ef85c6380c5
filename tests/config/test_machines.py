"""A machine's POST goes past the middleware of people; everything else goes through it."""

from typing import Any

import pytest

from config.machines import by_door


@pytest.mark.parametrize(
    ("method", "path", "handler"),
    [
        ("POST", "/api/v1/events", "machines"),
        ("POST", "/api/v1/events/", "machines"),
        ("GET", "/api/v1/events", "people"),
        ("POST", "/v2/enqueue", "machines"),
        ("POST", "/integrations/alertmanager/key", "machines"),
        ("POST", "/api/v1/incidents/", "people"),
        ("POST", "/login/", "people"),
        ("POST", "/reply/token", "people"),
    ],
)
def test_who_answers(method: str, path: str, handler: str) -> None:
    def say(word: str) -> Any:
        return lambda environ, start_response: [word.encode()]

    application = by_door(people=say("people"), machines=say("machines"))
    assert application({"REQUEST_METHOD": method, "PATH_INFO": path}, lambda *_: None) == [handler.encode()]

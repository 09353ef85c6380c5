"""A body that comes without its length is read all the same."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import pytest

from config.bodies import WithLength


class Source(BytesIO):
    """What a server hands over; remembers whether it was asked."""

    asked = False

    def read(self, size: int | None = -1) -> bytes:
        self.asked = True
        return super().read(size)


def seen(environ: dict[str, Any]) -> tuple[str | None, bytes]:
    """Return the length and the body that the application sees."""
    found: list[tuple[str | None, bytes]] = []

    def application(given: dict[str, Any], _: Any) -> Iterable[bytes]:
        found.append((given.get("CONTENT_LENGTH"), given["wsgi.input"].read()))
        return []

    WithLength(application, most=10)(environ, lambda *_: None)
    return found[0]


def request(method: str = "POST", body: bytes = b"hello", **more: object) -> dict[str, Any]:
    return {"REQUEST_METHOD": method, "wsgi.input": Source(body), "wsgi.input_terminated": True, **more}


def test_a_chunked_body_gets_its_length() -> None:
    assert seen(request()) == ("5", b"hello")


def test_one_that_is_too_long_is_read_no_further_than_shows_it() -> None:
    assert seen(request(body=b"x" * 1000)) == ("11", b"x" * 11)


def test_a_body_with_its_length_is_left_alone() -> None:
    assert seen(request(CONTENT_LENGTH="3")) == ("3", b"hello")


@pytest.mark.parametrize("environ", [request("GET"), {**request(), "wsgi.input_terminated": False}])
def test_what_may_never_end_is_not_waited_for(environ: dict[str, Any]) -> None:
    WithLength(lambda *_: [], most=10)(environ, lambda *_: None)
    assert not environ["wsgi.input"].asked

"""A browser for the tests of the console's pages: signed in, and what a person reads on a page."""

import html
import re
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from oncall.models import User


def browser(user: User | None = None) -> Client:
    """Return the browser of somebody who is signed in; None: of a stranger."""
    client = Client()
    if user is not None:
        client.force_login(user, backend="oncall.roles.RoleBackend")
    return client


def text(response: Any) -> str:
    """Return what a person reads, also in fields: tags are spaces, and any number of spaces is one."""
    words = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    filled = re.findall(r'<input[^>]*\bvalue="([^"]*)"', words)
    return re.sub(r"\s+", " ", html.unescape(" ".join([re.sub(r"<[^>]*>", " ", words), *filled])))


def said(response: Any, *words: str) -> None:
    """Assert that a page says all of this."""
    seen = text(response)
    for one in words:
        assert one in seen, f"{one!r} is not in: {seen}"


def same_queries(ask: Callable[[], Any], more: Callable[[], Any]) -> None:
    """Assert that a page takes as many queries when there is more on it."""
    more()
    before = _queries(ask)
    more()
    assert _queries(ask) == before


def _queries(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as found:
        ask()
    return len(found)

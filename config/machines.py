"""Requests of machines pass by what only people need: sessions, sign-in, CSRF, messages, page policies.

A door that takes events looks at its key itself and touches no database, so the middleware would be most of its cost.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
DOORS = ("/api/v1/events", "/v2/", "/integrations/")


class MachineHandler(WSGIHandler):
    """Django without middleware: the routes, the views, and an answer for whatever they raise."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Load none."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._middleware_chain = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and say how long the answer is: else it would leave in chunks."""
        response = super().get_response(request)
        if isinstance(response, HttpResponse) and not response.has_header("Content-Length"):
            response["Content-Length"] = str(len(response.content))
        return response


def by_door(people: Application, machines: Application) -> Application:
    """Return the application that hands a machine's POST to one handler and everything else to the other."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        is_event = environ["REQUEST_METHOD"] == "POST" and environ.get("PATH_INFO", "").startswith(DOORS)
        return (machines if is_event else people)(environ, start_response)

    return application

"""What every request passes: a request id, the content security policy, the person's time zone."""

import uuid
import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

Answer = Callable[[HttpRequest], HttpResponse]
# Alpine, which the console's look is built on, compiles its expressions: 'unsafe-eval'; inline styles are its, too.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


class RequestId:
    """Give each request an id: taken from X-Request-Id if it is a short word, else made."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with the id in the answer too."""
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if given.isalnum() and len(given) <= 64 else uuid.uuid4().hex  # type: ignore[attr-defined]
        response = self.answer(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


class ContentSecurityPolicy:
    """Let pages load nothing from elsewhere."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer under the policy, unless the view has one of its own."""
        response = self.answer(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class PersonalTimeZone:
    """Show times in the zone of whoever is signed in."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in the zone."""
        if "sessionid" not in request.COOKIES or not request.user.is_authenticated:
            return self.answer(request)
        with timezone.override(zoneinfo.ZoneInfo(request.user.time_zone)):
            return self.answer(request)

"""Bodies that come without their length: in chunks (RFC 9112 7.1), or by HTTP/2. Django reads by the length alone."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WithLength:
    """Read such a body and name its length, before the application asks; one over `most` bytes shows as one too long.

    Only where the server ends the input with the body (`wsgi.input_terminated`): elsewhere reading could wait for ever.
    """

    def __init__(self, application: Application, most: int) -> None:
        self.application = application
        self.most = most

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer."""
        bodiless = environ["REQUEST_METHOD"] in {"GET", "HEAD", "OPTIONS"}
        if not bodiless and not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read(self.most + 1)
            environ = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return self.application(environ, start_response)

"""The one door to the outside for HTTP.

It calls only addresses that may be called, follows no redirect, ends in time, reads little of the answer, says in one
place what an answer means, and never repeats an address: many of them hold a secret.
"""

import json
import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from destinations import addresses
from destinations.addresses import NoConnection
from destinations.base import Outcome, Result
from destinations.deadline import Deadline

logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # its lines hold whole addresses, which may be secrets

MOST_BYTES = 64 * 1024  # of an answer
EXCERPT = 500  # characters of an answer that are kept
AGAIN = frozenset({408, 425, 429})  # and every 5xx: a passing fault


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: `status` is None if nothing did. `result` is what it means unless the kind knows better."""

    result: Result
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text, whatever its bytes are."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> dict[str, Any]:
        """Return the body if it is a JSON object, else {}."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def to_bytes(payload: object) -> bytes:
    """Return JSON as it is sent: built once, so that what is signed is what is sent."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def post_json(
    url: str, payload: object, *, timeout: timedelta, now: datetime, headers: Mapping[str, str] | None = None
) -> Answer:
    """POST a JSON value once. See `call`."""
    return call("POST", url, to_bytes(payload), timeout=timeout, now=now, headers=headers)


def call(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    timeout: timedelta,
    now: datetime,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Call once, within `timeout` for everything, and say what came of it; no fault of the network is an exception.

    Nothing was delivered if the name, the connection or TLS failed (retry); if the time is over or the connection
    breaks after that, it may have been (unknown).
    """
    if not url.lower().startswith(("http://", "https://")):
        return Answer(result=_rejected("bad_url", "The address is not an http:// or https:// address. Fix it."))
    sent = {"User-Agent": f"Tocsin/{settings.VERSION}", "Content-Type": "application/json", **(headers or {})}
    sent |= {"Accept-Encoding": "identity", "Connection": "close"}
    with Deadline(timeout) as deadline, requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc that nobody thought of
        adapter = _Adapter(deadline)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        try:
            response = session.request(
                method,
                url,
                data=body,
                headers=sent,
                stream=True,
                allow_redirects=False,
                timeout=timeout.total_seconds(),
            )
            if deadline.over:  # within the headers: what came of them is not to be relied on
                response.close()
                raise TimeoutError
            answer = _read(response)
        except NoConnection as exc:
            return Answer(result=exc.result)
        except (requests.RequestException, HTTPError, OSError, ValueError) as exc:
            return Answer(result=_failure(exc, adapter, deadline))
    return Answer(
        result=classify(response.status_code, response.headers, answer, now),
        status=response.status_code,
        headers=response.headers,
        body=answer,
    )


def _read(response: requests.Response) -> bytes:
    """Return the beginning of the body; what breaks off there is not missed, because the status has come."""
    body = b""
    try:
        while len(body) < MOST_BYTES:
            piece = response.raw.read(MOST_BYTES - len(body), decode_content=False)
            if not piece:
                break
            body += piece
    except (HTTPError, OSError):
        pass
    response.close()
    return body


def classify(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Result:
    """Return what an HTTP status means, with an excerpt of the body and the wait that the other side asked for."""
    outcome, advice = _meaning(status)
    detail = f"{status} {_phrase(status)}. {advice}".rstrip() if outcome is not Outcome.SENT else ""
    return Result(
        outcome=outcome,
        detail=detail,
        status=status,
        answer=excerpt(body.decode("utf-8", "replace")),
        retry_after=None if outcome is Outcome.SENT else _retry_after(headers.get("Retry-After", ""), now),
    )


def _meaning(status: int) -> tuple[Outcome, str]:
    if 200 <= status < 300:
        return Outcome.SENT, ""
    if 300 <= status < 400:
        return Outcome.REJECTED, "It redirects, and redirects are not followed: fix the URL."
    if status in AGAIN or status >= 500:
        return Outcome.RETRY, _ADVICE.get(status, "")
    return Outcome.REJECTED, _ADVICE.get(status, "The other side does not take it; its answer says why.")


_ADVICE = {
    401: "Check the key, token or password.",
    403: "Check the key and what it may do.",
    404: "Check the URL: there is nothing at it.",
    405: "Check the URL: it takes no messages.",
    410: "It is gone and wants no more messages: make a new URL there, or switch this off.",
    413: "The message is too large for it.",
    429: "Too many messages: it asks to wait.",
}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"


def _retry_after(value: str, now: datetime) -> timedelta | None:
    """Read Retry-After, seconds or an HTTP date (RFC 9110 10.2.3); anything else is no wait."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), 10**7))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(timedelta(0), at.replace(tzinfo=at.tzinfo or UTC) - now)


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, without characters that do not print."""
    printed = "".join(char if char.isprintable() else " " for char in text[: EXCERPT * 4])
    return re.sub(r"\s+", " ", printed).strip()[:EXCERPT]


def _rejected(code: str, detail: str) -> Result:
    return Result(outcome=Outcome.REJECTED, error_code=code, detail=detail)


def _failure(exc: Exception, adapter: "_Adapter", deadline: Deadline) -> Result:
    """Say what went wrong without the exception's own text: it holds the address."""
    late = deadline.over or isinstance(exc, requests.Timeout | TimeoutError)
    if adapter.connected:
        what = "did not answer in time" if late else "broke the connection before it answered"
        return Result(
            outcome=Outcome.UNKNOWN,
            error_code="timeout" if late else "reset",
            detail=f"The other side {what}: the message may or may not have arrived.",
        )
    if not adapter.dialled:
        return _rejected("bad_url", "The address or a header is not usable. Fix it.")
    if late:
        return Result(outcome=Outcome.RETRY, error_code="connect", detail="No connection in time. Nothing was sent.")
    reason = _tls_reason(exc)
    if reason:
        return Result(
            outcome=Outcome.RETRY,
            error_code="tls",
            detail=f"No trusted TLS connection: {reason}. Nothing was sent. If the certificate is signed by an "
            "authority of your own, name its file in TOCSIN_CA_BUNDLE.",
        )
    return Result(
        outcome=Outcome.RETRY,
        error_code="connect",
        detail="The connection was refused or broke before anything was sent.",
    )


def _tls_reason(exc: BaseException) -> str:
    found = re.search(r"certificate verify failed: ([^(\"']+)", str(exc))
    if found:
        return found[1].strip().split(", certificate is not valid for")[0]
    return "the handshake failed" if "SSL" in str(exc) or isinstance(exc, requests.exceptions.SSLError) else ""


@lru_cache(maxsize=4)
def _trust(bundle: str) -> ssl.SSLContext:
    """Return whom TLS trusts: the usual authorities and, if named, one's own. Reading them is slow, so it is kept."""
    context = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    if bundle:
        try:
            context.load_verify_locations(cafile=bundle)
        except OSError as exc:
            why = "TOCSIN_CA_BUNDLE names no file of PEM certificates that can be read. Mend it and restart."
            raise NoConnection(_rejected("ca_bundle", why)) from exc
    return context


def trust() -> ssl.SSLContext:
    """Return whom TLS connections trust. Raises NoConnection if TOCSIN_CA_BUNDLE cannot be read."""
    return _trust(settings.CA_BUNDLE)


class _Adapter(HTTPAdapter):
    """One call: a fresh connection to a checked address, under a deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.dialled = False  # whether an address was looked up
        self.connected = False  # whether something may have been sent
        super().__init__(max_retries=0)

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        parts = urlsplit(request.url or "")
        host = parts.hostname or ""
        if parts.scheme == "https":
            pool: HTTPConnectionPool = HTTPSConnectionPool(host, parts.port or 443, ssl_context=trust(), call=self)
            pool.ConnectionCls = _TlsConnection
        else:
            pool = HTTPConnectionPool(host, parts.port or 80, call=self)
            pool.ConnectionCls = _PlainConnection
        return pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The pool has its own trust, which no caller can loosen."""

    def dial(self, host: str, port: int) -> Any:
        """Return a connection to a checked address of the host. Raises NoConnection, OSError."""
        self.dialled = True
        found = addresses.checked(host.strip("[]"), port, self.deadline.seconds_left)
        return self.deadline.connect(found, port)


class _PlainConnection(HTTPConnection):
    """Connects to the address that was checked; Host keeps the name."""

    def __init__(self, *args: Any, call: _Adapter, **kwargs: Any) -> None:
        self.call = call
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> Any:
        return self.call.dial(self._dns_host, self.port)

    def connect(self) -> None:
        super().connect()
        self.call.connected = True


class _TlsConnection(HTTPSConnection):
    """The same over TLS: SNI and the certificate are those of the name."""

    def __init__(self, *args: Any, call: _Adapter, **kwargs: Any) -> None:
        self.call = call
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> Any:
        return self.call.dial(self._dns_host, self.port)

    def connect(self) -> None:
        super().connect()
        self.call.connected = True

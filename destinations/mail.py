"""Mail: how a message is written so that it can be read raw and threaded, and how one is handed to the mail server.

The server is EMAIL_URL: `smtp://` uses STARTTLS if it is offered, whoever signed the certificate; `smtp+tls://`
demands it, and `smtps://` is TLS from the first byte, both with a trusted certificate. It is the operator's own, so it
may have a private address.
"""

import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.charset import QP, Charset
from email.generator import BytesGenerator
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import format_datetime, formataddr, parseaddr
from io import BytesIO
from urllib.parse import unquote, urlsplit

from django.conf import settings

from destinations import addresses, http
from destinations.addresses import NoConnection
from destinations.base import Outcome, Result
from destinations.deadline import Deadline

PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
LONGEST_LINE = 998  # bytes, RFC 5322 2.1.1
NOT_SET = Result(
    outcome=Outcome.REJECTED,
    error_code="no_mail_server",
    detail="Mail is not set up: set EMAIL_URL (smtp://user:password@host:port, smtp+tls:// or smtps://) and restart.",
)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail to one person. `root` is the synthetic message that a whole thread answers to; "" for none."""

    message_id: str
    root: str = ""
    recipient_name: str = ""
    recipient: str
    subject: str
    text: str
    html: str
    at: datetime


def one_line(text: str) -> str:
    """Return a text that can stand in a header: one line, nothing that does not print."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


def message_id(word: str) -> str:
    """Return the Message-ID that belongs to a word such as a delivery's id; the same word gives the same."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<{re.sub(r'[^A-Za-z0-9-]+', '.', word).strip('.')}@{domain}>"


def compose(mail: Mail, *, eight_bit: bool) -> bytes:
    """Return the mail as it goes over the wire: plain text and HTML, never in base64; an ASCII subject as it is."""
    root = MIMEMultipart("alternative")
    sender_name, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
    headers = {
        "From": formataddr((one_line(sender_name), sender)),
        "To": formataddr((one_line(mail.recipient_name), mail.recipient)),
        "Subject": _subject(one_line(mail.subject)),
        "Date": format_datetime(mail.at),
        "Message-ID": mail.message_id,
        "Auto-Submitted": "auto-generated",  # RFC 3834: no holiday notice comes back
        "X-Auto-Response-Suppress": "All",
    }
    if mail.root:
        headers |= {"In-Reply-To": mail.root, "References": mail.root}
    for name, value in headers.items():
        root[name] = value
    root.attach(_part("plain", mail.text, eight_bit=eight_bit))
    root.attach(_part("html", mail.html, eight_bit=eight_bit))
    written = BytesIO()
    BytesGenerator(written, mangle_from_=False, maxheaderlen=0).flatten(root, linesep="\r\n")
    return written.getvalue()


def _subject(subject: str) -> str:
    if subject.isascii():
        return subject[: LONGEST_LINE - len("Subject: ")]
    return Header(subject, "utf-8", header_name="Subject").encode()


def _part(subtype: str, text: str, *, eight_bit: bool) -> MIMENonMultipart:
    text = text.replace("\0", "")
    charset = Charset("utf-8")
    plain = (text.isascii() or eight_bit) and all(len(line.encode()) <= LONGEST_LINE for line in text.splitlines())
    charset.body_encoding = None if plain else QP  # type: ignore[assignment]  # None: as it is, 7bit or 8bit
    part = MIMENonMultipart("text", subtype)
    part.set_payload(text, charset)
    return part


def send(mail: Mail, timeout: timedelta) -> Result:
    """Hand one mail to the server of EMAIL_URL; no answer of it, and no fault of the network, is an exception.

    Refused for good at RCPT or AUTH is `rejected`, 4yz is `retry`; a break after the text was sent is `unknown`.
    """
    if not settings.EMAIL_URL:
        return NOT_SET
    if not mail.recipient.isascii() or one_line(mail.recipient) != mail.recipient:
        return _rejected("The address has characters that mail cannot carry. Fix it.")
    with Deadline(timeout) as deadline:
        session = _Session(deadline)
        try:
            return session.deliver(mail)
        except NoConnection as exc:
            return exc.result
        except smtplib.SMTPResponseException as exc:
            return _answered(session.stage, exc.smtp_code, exc.smtp_error)
        except smtplib.SMTPNotSupportedError:
            return _rejected("The mail server does not offer what EMAIL_URL asks for (TLS or signing in).")
        except (smtplib.SMTPException, OSError) as exc:
            return session.broken(exc)
        finally:
            session.close()


class _Session:
    """One SMTP session; `stage` says how far it came."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.stage = "connect"
        self.smtp: _Smtp | None = None

    def deliver(self, mail: Mail) -> Result:
        url = urlsplit(settings.EMAIL_URL)
        if url.scheme not in PORTS or not url.hostname:
            return _rejected("EMAIL_URL is not smtp://, smtp+tls:// or smtps:// with a host. Fix it and restart.")
        smtp = self.smtp = _Smtp(self.deadline, implicit=url.scheme == "smtps")
        smtp.open(url.hostname, url.port or PORTS[url.scheme])
        self._secure(smtp, demanded=url.scheme == "smtp+tls")
        if url.username:
            self.stage = "auth"
            smtp.login(unquote(url.username), unquote(url.password or ""))
        return self._hand_over(smtp, mail)

    def _secure(self, smtp: "_Smtp", *, demanded: bool) -> None:
        self.stage = "ehlo"
        smtp.ehlo_or_helo_if_needed()
        if demanded or (not smtp.implicit and smtp.has_extn("starttls")):
            self.stage = "starttls"
            smtp.starttls(context=http.trust() if demanded else _any_certificate())
            self.stage = "ehlo"
            smtp.ehlo_or_helo_if_needed()

    def _hand_over(self, smtp: "_Smtp", mail: Mail) -> Result:
        self.stage = "mail"
        eight_bit = smtp.has_extn("8bitmime")
        _expect(smtp.mail(parseaddr(settings.DEFAULT_FROM_EMAIL)[1], ["BODY=8BITMIME"] if eight_bit else []))
        self.stage = "rcpt"
        _expect(smtp.rcpt(mail.recipient))
        self.stage = "data"
        _expect(smtp.docmd("DATA"), 354)
        self.stage = "text"
        smtp.send(_with_dots(compose(mail, eight_bit=eight_bit)))
        code, said = smtp.getreply()
        if code >= 300:
            return _answered("text", code, said)
        return Result(outcome=Outcome.SENT, status=code, answer=_text(said), reference={"message_id": mail.message_id})

    def broken(self, exc: Exception) -> Result:
        """Say what a fault of the network means where the session stood."""
        late = self.deadline.over or isinstance(exc, TimeoutError)
        if self.stage == "text":
            what = "did not answer in time" if late else "broke the connection"
            return Result(
                outcome=Outcome.UNKNOWN,
                error_code="timeout" if late else "reset",
                detail=f"The mail server {what} after the mail was sent: it may or may not have been taken.",
            )
        if isinstance(exc, ssl.SSLError):
            why = "No trusted TLS connection to the mail server. Check EMAIL_URL's host name and TOCSIN_CA_BUNDLE."
            return Result(outcome=Outcome.RETRY, error_code="tls", detail=f"{why} Nothing was sent.")
        what = "did not answer in time" if late else "cannot be reached or broke the connection"
        return Result(
            outcome=Outcome.RETRY,
            error_code="timeout" if late else "connect",
            detail=f"The mail server of EMAIL_URL {what} ({self.stage}). Nothing was sent.",
        )

    def close(self) -> None:
        """End the session without waiting for an answer to QUIT."""
        if self.smtp is not None:
            self.smtp.close()


class _Smtp(smtplib.SMTP):
    """smtplib's client over a connection that ends with the deadline."""

    def __init__(self, deadline: Deadline, *, implicit: bool) -> None:
        self.deadline = deadline
        self.implicit = implicit
        super().__init__(local_hostname=_own_name(), timeout=max(0.01, deadline.seconds_left))

    def open(self, host: str, port: int) -> None:
        self._host = host  # the name that STARTTLS is checked against
        code, said = self.connect(host, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        found = addresses.resolve(host, port, self.deadline.seconds_left)
        connection = self.deadline.connect(found, port)
        return http.trust().wrap_socket(connection, server_hostname=host) if self.implicit else connection


def _own_name() -> str:
    """Return what is said in EHLO; asking DNS for it, as smtplib does by itself, may hang."""
    name = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    return f"[{name}]" if re.fullmatch(r"[0-9.]+", name) else name if ":" not in name else f"[IPv6:{name}]"


def _any_certificate() -> ssl.SSLContext:
    """Return a context for TLS that is only better than none (RFC 7435): many relays sign for themselves."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _with_dots(text: bytes) -> bytes:
    """Return the text with leading dots doubled, and the final one (RFC 5321 4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", text).rstrip(b"\r\n") + b"\r\n.\r\n"


def _expect(answer: tuple[int, bytes], wanted: int = 0) -> None:
    code, said = answer
    if not (code == wanted or (not wanted and 200 <= code < 300)):
        raise smtplib.SMTPResponseException(code, said)


def _answered(stage: str, code: int, said: bytes | str) -> Result:
    """Say what a refusal means: 4yz passes by, 5yz does not."""
    outcome = Outcome.RETRY if code < 500 else Outcome.REJECTED
    hints = {
        "auth": "The mail server does not take the user name and password in EMAIL_URL.",
        "rcpt": "The mail server does not take this address.",
        "mail": "The mail server does not take the sender: check TOCSIN_MAIL_FROM.",
    }
    answer = _text(said)
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}", answer)
    return Result(
        outcome=outcome,
        status=code,
        error_code=enhanced[0] if enhanced else f"{stage}_{code}",
        answer=answer,
        detail=f"{code} at {stage.upper()}. {hints.get(stage, 'The mail server does not take the mail.')}",
    )


def _text(said: bytes | str) -> str:
    return http.excerpt(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)


def _rejected(detail: str) -> Result:
    return Result(outcome=Outcome.REJECTED, error_code="email_url", detail=detail)

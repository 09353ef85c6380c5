"""Mail: what is written, how it threads, and what each answer of a mail server means."""

import re
import ssl
import string
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from destinations import delivery, mail
from destinations.base import TEST_PREFIX, Message, Outcome, kinds
from destinations.kinds.email import PLACEHOLDERS, EmailConfig, subject
from tests.destinations.making import NOW, make_message, make_target
from tests.servers import free_port
from tests.sinks import SmtpSink

LINKS = {"acknowledge": "https://tocsin.example.org/reply/AAA", "resolve": "https://tocsin.example.org/reply/RRR"}


def send(message: Message, *, seconds: float = 10, **config: Any) -> Any:
    target = make_target({"name": "Ops", "address": "Ops@Example.org", **config}, timeout=timedelta(seconds=seconds))
    return kinds()["email"].send(target, message)


def test_a_connectors_mail(smtp_sink: SmtpSink) -> None:
    result = send(make_message("accepted", actor="Alice Ahn"))
    assert (result.outcome, result.status) == (Outcome.SENT, 250)
    letter = smtp_sink.letters[0]
    assert letter.recipients == ["ops@example.org"]
    assert b"\r\nSubject: Alert Disk 96% full on db-1 changed status to ACCEPTED.\r\n" in letter.raw
    parsed = letter.parsed
    assert parsed["To"] == "Ops <ops@example.org>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert b"base64" not in letter.raw
    for body in (letter.text, letter.html):
        assert "https://tocsin.example.org/incidents/1042/" in body
        assert "Alice Ahn" in body


def test_a_persons_page_has_the_links_to_answer_and_no_payload(smtp_sink: SmtpSink) -> None:
    message = make_message("page", reply_links=LINKS, details={"password": "hunter22"})
    kinds()["email"].send(make_target(address={"address": "alice@example.org"}), message)
    letter = smtp_sink.letters[0]
    assert letter.recipients == ["alice@example.org"]
    for body in (letter.text, letter.html):
        assert all(link in body for link in LINKS.values())
        assert "hunter22" not in body
    assert letter.text.index("Acknowledge") < letter.text.index("Resolve")


def test_one_incident_is_one_thread_and_a_retry_is_the_same_mail(smtp_sink: SmtpSink) -> None:
    for delivery_id, event in (("d1", "opened"), ("d1", "opened"), ("d2", "resolved")):
        target = make_target({"address": "ops@example.org"}, delivery_id=delivery_id)
        kinds()["email"].send(target, make_message(event))
    first, again, last = (letter.parsed for letter in smtp_sink.letters)
    assert first["Message-ID"] == again["Message-ID"] != last["Message-ID"]
    assert {one["References"] for one in (first, again, last)} == {first["In-Reply-To"]}
    assert re.fullmatch(r"<incident\.[0-9a-f-]{36}@[^>@]+>", first["References"])


def test_a_code_is_its_title(smtp_sink: SmtpSink) -> None:
    send(Message(event="code", title="Your code is 123456", text="It is good for 15 minutes."))
    assert smtp_sink.letters[0].parsed["Subject"] == "Your code is 123456"
    assert "References" not in smtp_sink.letters[0].parsed


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("plain", "7bit"), ("Čau – 96 %", "8bit"), ("x" * 2000, "quoted-printable"), ("č" * 600, "quoted-printable")],
)
def test_bodies_are_never_base64(text: str, encoding: str, smtp_sink: SmtpSink) -> None:
    send(make_message(text=text))
    letter = smtp_sink.letters[0]
    part = letter.parsed.get_body(("plain",))
    assert part is not None
    assert part["Content-Transfer-Encoding"] == encoding
    assert text in letter.text


def test_a_server_that_takes_seven_bits_gets_seven() -> None:
    letter = mail.Mail(message_id="<a@b>", recipient="a@b.org", subject="s", text="Čau", html="<p>Čau", at=NOW)
    assert mail.compose(letter, eight_bit=False).isascii()
    assert not mail.compose(letter, eight_bit=True).isascii()


def test_a_line_that_is_only_a_dot_ends_nothing(smtp_sink: SmtpSink) -> None:
    send(make_message(text="before\n.\n..\n.after"))
    assert "before\n.\n..\n.after" in smtp_sink.letters[0].text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("stage", "answer", "outcome", "code"),
    [
        ("rcpt", "550 5.1.1 nobody of that name", Outcome.REJECTED, "5.1.1"),
        ("rcpt", "450 4.2.1 mailbox busy", Outcome.RETRY, "4.2.1"),
        ("rcpt", "553 what is this", Outcome.REJECTED, "rcpt_553"),
        ("mail", "530 5.7.0 sign in first", Outcome.REJECTED, "5.7.0"),
        ("mail", "421 4.3.2 shutting down", Outcome.RETRY, "4.3.2"),
        ("data", "554 5.7.1 looks like spam", Outcome.REJECTED, "5.7.1"),
        ("data", "451 4.3.0 try later", Outcome.RETRY, "4.3.0"),
    ],
)
def test_what_a_refusal_means(stage: str, answer: str, outcome: Outcome, code: str, smtp_sink: SmtpSink) -> None:
    smtp_sink.refuse(stage, answer)
    result = send(make_message())
    assert (result.outcome, result.error_code, result.status) == (outcome, code, int(answer[:3]))
    assert answer.split(" ", 2)[-1] in result.answer
    assert send(make_message()).outcome is Outcome.SENT, "it passes when the server takes it"


def test_silence_after_the_text_is_unknown(smtp_sink: SmtpSink) -> None:
    smtp_sink.hold = threading.Event()
    result = send(make_message(), seconds=0.4)
    assert (result.outcome, result.error_code) == (Outcome.UNKNOWN, "timeout")


def test_without_a_mail_server_it_says_what_to_set(settings: Settings) -> None:
    settings.EMAIL_URL = ""
    result = send(make_message())
    assert result.outcome is Outcome.REJECTED
    assert "EMAIL_URL" in result.detail


def test_a_mail_server_that_is_away_got_nothing(settings: Settings) -> None:
    settings.EMAIL_URL = f"smtp://127.0.0.1:{free_port()}"
    result = send(make_message())
    assert (result.outcome, result.error_code) == (Outcome.RETRY, "connect")


def test_the_mail_server_may_have_a_private_address(smtp_sink: SmtpSink, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    assert send(make_message()).outcome is Outcome.SENT


@pytest.fixture
def secure_sink(server_tls: ssl.SSLContext) -> Iterator[SmtpSink]:
    sink = SmtpSink(tls_context=server_tls, login=True, auth_require_tls=True)
    yield sink
    sink.stop()


@pytest.mark.parametrize(
    ("scheme", "trusted", "outcome"),
    [
        ("smtp", False, Outcome.SENT),  # TLS is better than none, whoever signed
        ("smtp+tls", False, Outcome.RETRY),
        ("smtp+tls", True, Outcome.SENT),
    ],
)
def test_starttls(
    scheme: str, trusted: bool, outcome: Outcome, secure_sink: SmtpSink, settings: Settings, authority_file: Path
) -> None:
    settings.CA_BUNDLE = str(authority_file) if trusted else ""
    settings.EMAIL_URL = f"{scheme}://tocsin:let%2Dme-in@localhost:{secure_sink.port}"
    assert send(make_message()).outcome is outcome


def test_a_wrong_password_is_for_a_person_to_mend(secure_sink: SmtpSink, settings: Settings) -> None:
    settings.EMAIL_URL = f"smtp://tocsin:wr0ng-password@localhost:{secure_sink.port}"
    result = send(make_message())
    assert (result.outcome, result.status) == (Outcome.REJECTED, 535)
    assert "EMAIL_URL" in result.detail
    assert "wr0ng" not in repr(result)


def test_tls_is_not_gone_without_where_it_is_demanded(smtp_sink: SmtpSink, settings: Settings) -> None:
    settings.EMAIL_URL = smtp_sink.url.replace("smtp://", "smtp+tls://")
    assert send(make_message()).outcome is Outcome.REJECTED
    assert smtp_sink.letters == []


def test_a_test_has_its_prefix_in_front(smtp_sink: SmtpSink) -> None:
    sample = delivery.sample_message("info", NOW)
    result = delivery.send_test("email", {"address": "ops@example.org"}, sample, now=NOW)
    assert result.outcome is Outcome.SENT
    found = smtp_sink.letters[0].parsed["Subject"]
    assert found == f"{TEST_PREFIX} Alert Disk 96% full on db-1 changed status to PENDING."


@pytest.mark.parametrize(
    "template", ["{nothing}", "{alert_name!r}", "{state:>9}", "{", "}", "{0}", "{alert_name.x}", "{}"]
)
def test_an_unknown_placeholder_is_refused(template: str) -> None:
    form = EmailConfig({"address": "ops@example.org", "subject_template": template})
    assert "subject_template" in form.errors


@given(st.text(alphabet=string.printable + "{}čž\u2028\x85", max_size=60))
def test_a_subject_that_the_form_takes_can_always_be_written(template: str) -> None:
    form = EmailConfig({"address": "ops@example.org", "subject_template": template})
    if form.is_valid():
        subject(form.cleaned_data["subject_template"] or "x", make_message())


@given(
    title=st.text(max_size=300),
    name=st.text(max_size=50),
    template=st.sampled_from([f"{{{name}}} x" for name in PLACEHOLDERS]),
    source=st.text(max_size=50),
)
def test_no_text_can_add_a_header(title: str, name: str, template: str, source: str) -> None:
    message = replace(make_message(), title=title, source=source)
    letter = mail.Mail(
        message_id=mail.message_id(title),
        root=mail.message_id(source),
        recipient_name=name,
        recipient="ops@example.org",
        subject=subject(template, message),
        text=title,
        html=title,
        at=NOW,
    )
    written = mail.compose(letter, eight_bit=True)
    parsed = message_from_bytes(written, policy=policy.default)
    expected = {"content-type", "mime-version", "from", "to", "subject", "date", "message-id", "auto-submitted"}
    assert {key.lower() for key in parsed} == expected | {"x-auto-response-suppress", "in-reply-to", "references"}
    assert parsed["Subject"].strip() == mail.one_line(letter.subject)[:989].strip() or not letter.subject.isascii()
    assert [address.addr_spec for address in parsed["To"].addresses] == ["ops@example.org"]

"""Email: an incident is one thread, the text is never in base64, and every mail to a person says how to answer."""

import string
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string

from destinations import mail
from destinations.base import TEST_PREFIX, Kind, Message, Result, Target, register

SUBJECT = "Alert {alert_name} changed status to {state}."
PLACEHOLDERS = ("alert_name", "state", "url", "severity", "number", "source", "class")
ANSWERS = {"acknowledge": "Acknowledge", "resolve": "Resolve", "escalate": "Escalate"}


def known_placeholders(template: str) -> None:
    """Refuse a subject with a placeholder that no message fills, or with an unpaired brace."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        specs = [bool(spec or conversion) for _, _, spec, conversion in string.Formatter().parse(template)]
    except ValueError as exc:
        raise ValidationError("A brace is not paired. Write {{ for a brace of its own.", code="braces") from exc
    unknown = sorted({name for name in names if name not in PLACEHOLDERS})
    if unknown or any(specs):
        said = ", ".join(f"{{{name}}}" for name in unknown) or "A format"
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValidationError(f"{said} is not known here. Use: {known}.", code="unknown_placeholder")


class EmailConfig(forms.Form):
    """A mailbox that is told of incidents: a list, a ticket system, a colleague."""

    name = forms.CharField(label="Recipient's name", max_length=100, required=False)
    address = forms.EmailField(
        label="Recipient's address",
        help_text="Mail leaves through EMAIL_URL; Send test says so if it is not set up.",
    )
    subject_template = forms.CharField(
        label="Subject",
        max_length=200,
        required=False,
        initial=SUBJECT,
        validators=[known_placeholders],
        help_text=f"Placeholders: {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}. {{state}} is PENDING, ACCEPTED "
        "or RESOLVED.",
    )


class EmailAddress(forms.Form):
    """A person's mailbox."""

    address = forms.EmailField(label="Email address", max_length=254)


@register("email")
class Email(Kind):
    """A mail to one mailbox."""

    label = "Email"
    group = "Chat"
    blurb = "Mail, one thread an incident"
    help = "Nothing to do elsewhere: name the mailbox. The mail server is the installation's own, set by EMAIL_URL."
    config_form = EmailConfig
    address_form = EmailAddress

    def normal_address(self, address: str) -> str:
        """Mailboxes are compared without case; a domain in letters of its own becomes its ASCII form."""
        local, _, domain = address.strip().lower().rpartition("@")
        try:
            return f"{local}@{domain.encode('idna').decode()}"
        except UnicodeError:
            return f"{local}@{domain}"

    def send(self, target: Target, message: Message) -> Result:
        """Mail it under a Message-ID that stays over all retries."""
        address = target.address.get("address") or target.config.get("address") or ""
        return mail.send(
            mail.Mail(
                message_id=mail.message_id(target.delivery_id),
                root=mail.message_id(message.key) if message.key else "",
                recipient_name="" if target.address else target.config.get("name", ""),
                recipient=self.normal_address(address),
                subject=subject(target.config.get("subject_template") or SUBJECT, message),
                text=render_to_string("destinations/mail.txt", _told(message)),
                html=render_to_string("destinations/mail.html", _told(message)),
                at=target.now,
            ),
            target.timeout,
        )


def subject(template: str, message: Message) -> str:
    """Return the subject on one line; a test's prefix stands in front. Without a status the title is the subject."""
    title = message.title.removeprefix(TEST_PREFIX).strip() if message.test else message.title
    values = {
        "alert_name": title,
        "state": message.status,
        "url": message.url,
        "severity": message.severity,
        "number": "" if message.number is None else str(message.number),
        "source": message.source,
        "class": message.class_name,
    }
    written = mail.one_line(template.format_map(values) if message.status else title)
    return f"{TEST_PREFIX} {written}" if message.test else written


def _told(message: Message) -> dict[str, Any]:
    """Return what the templates show: never the payload's details, which may hold secrets."""
    facts = {
        "Status": message.status,
        "Severity": message.severity,
        "Source": message.source,
        "Component": message.component,
        "Group": message.group,
        "Class": message.class_name,
        "Since" if message.event == "page" else "At": message.occurred_at,
        "By": message.actor,
        "Labels": ", ".join(f"{name}={value}" for name, value in message.labels.items()),
    }
    links = [link for link in message.links if urlsplit(link.get("href", "")).scheme in {"http", "https"}]
    return {
        "message": message,
        "facts": {name: str(value)[:500] for name, value in facts.items() if value},
        "links": links,
        "answers": [
            {"label": label, "href": message.reply_links[verb]}
            for verb, label in ANSWERS.items()
            if verb in message.reply_links
        ],
    }

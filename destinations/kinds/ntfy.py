"""ntfy: push to a phone without anybody's account. API: https://docs.ntfy.sh/publish/#publish-as-json."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from destinations import http
from destinations.base import Action, Kind, Message, Outcome, Result, Target, register

PRIORITIES = {"critical": 5, "error": 4, "warning": 3, "info": 2}
TITLE, MOST_BYTES = 200, 4096  # characters; bytes of the message, beyond which it becomes an attachment
TAGS = {Action.TRIGGER: "rotating_light", Action.ACKNOWLEDGE: "eyes", Action.RESOLVE: "white_check_mark"}
ANSWERS = {"acknowledge": "Acknowledge", "resolve": "Resolve", "escalate": "Escalate"}
USED_UP = 42908  # the day's messages: no wait that a page can afford mends it


def whole_topic(address: str) -> None:
    """Refuse an address without a topic."""
    if not split(address)[1]:
        raise ValidationError("Give the whole address with its topic, such as https://ntfy.sh/<topic>.", code="topic")


def split(address: str) -> tuple[str, str]:
    """Return the server's root and the topic, which is the last part of the path."""
    parts = urlsplit(address.strip())
    folder, _, topic = parts.path.rstrip("/").rpartition("/")
    return parts._replace(path=f"{folder}/", query="", fragment="").geturl(), topic


HELP = "The whole address, such as https://ntfy.sh/<topic>. On a public server the topic is the password: make it long."


class NtfyConfig(forms.Form):
    """A topic that many may follow."""

    url = forms.URLField(
        label="Topic address", assume_scheme="https", max_length=255, validators=[whole_topic], help_text=HELP
    )
    token = forms.CharField(
        label="Access token", max_length=200, required=False, help_text="Only if the server asks for one."
    )


class NtfyAddress(forms.Form):
    """A person's topic."""

    address = forms.URLField(
        label="Topic address", assume_scheme="https", max_length=255, validators=[whole_topic], help_text=HELP
    )
    token = forms.CharField(
        label="Access token", max_length=200, required=False, help_text="Only if the server asks for one."
    )


@register("ntfy")
class Ntfy(Kind):
    """A push to a topic."""

    label = "ntfy"
    group = "Phone"
    blurb = "Pushes to a phone, with buttons"
    help = (
        "Install the ntfy app, tap +, and subscribe to a topic whose name nobody can guess. "
        "Put the topic's whole address here. Allow the app to override Do Not Disturb for priority 5."
    )
    config_form = NtfyConfig
    address_form = NtfyAddress
    secret_fields = frozenset({"token"})

    def send(self, target: Target, message: Message) -> Result:
        """Publish it to the server's root, which takes JSON; the topic's own address would show it as text."""
        given = target.address or {"address": target.config.get("url", ""), "token": target.config.get("token", "")}
        root, topic = split(str(given.get("address", "")))
        headers = {"Authorization": f"Bearer {given['token']}"} if given.get("token") else {}
        body = {"topic": topic, **notification(message)}
        answer = http.post_json(root, body, timeout=target.timeout, now=target.now, headers=headers)
        return judge(answer)


def judge(answer: http.Answer) -> Result:
    """Keep ntfy's id and its own error number; its answer repeats the topic, so that is not kept."""
    said, result = answer.json(), answer.result
    if result.outcome is Outcome.SENT:
        found = str(said.get("id", ""))
        return Result(
            outcome=Outcome.SENT, status=result.status, answer=f"id {found}" if found else "", reference={"id": found}
        )
    code = said.get("code")
    if code is None:
        return result
    used_up = code == USED_UP
    return Result(
        outcome=Outcome.REJECTED if used_up else result.outcome,
        status=result.status,
        error_code=str(code)[:60],
        detail=f"{result.detail} ntfy says: {http.excerpt(str(said.get('error', '')))}",
        answer=result.answer,
        retry_after=result.retry_after,
    )


def notification(message: Message) -> dict[str, Any]:
    """Return the push without its topic: loud when something is wrong, quieter for the rest."""
    number = f"#{message.number} " if message.number is not None else ""
    priority = PRIORITIES.get(message.severity, 4)
    if message.test:
        priority = 2
    elif message.action is not Action.TRIGGER and message.event != "page":
        priority = min(priority, 3)
    body: dict[str, Any] = {
        "title": (number + message.title)[:TITLE],
        "message": _cut(_lines(message)),
        "priority": priority,
        "tags": [TAGS[message.action]] if message.action in TAGS else [],
        "actions": [
            _button(label, message.reply_links, verb) for verb, label in ANSWERS.items() if verb in message.reply_links
        ],
    }
    return body | ({"click": message.url} if message.url else {})


def _button(label: str, links: Mapping[str, str], verb: str) -> dict[str, Any]:
    return {"action": "http", "label": label, "url": links[verb], "method": "POST", "clear": True}


def _lines(message: Message) -> str:
    facts = " · ".join(one for one in (message.status, message.severity, message.source) if one)
    return "\n".join(line for line in (message.text, facts) if line) or message.title


def _cut(text: str) -> str:
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= MOST_BYTES else encoded[: MOST_BYTES - 3].decode("utf-8", "ignore") + "…"

"""Slack incoming webhooks (https://api.slack.com/messaging/webhooks). The answer's token decides, not its status."""

from typing import Any

from django import forms

from destinations import http
from destinations.base import Action, Kind, Message, Outcome, Result, Target, register

HEADER, SECTION, FIELD, TEXT = 150, 3000, 2000, 4000  # characters Block Kit takes
SIGNS = {Action.ACKNOWLEDGE: "👀", Action.RESOLVE: "✅"}
SEVERITY_SIGNS = {"critical": "🔴", "error": "🟠", "warning": "🟡", "info": "🔵"}
PASSING = frozenset(
    {"rate_limited", "ratelimited", "rollup_error", "fatal_error", "internal_error", "service_unavailable"}
)
ADVICE = {
    "invalid_token": "The webhook was removed in Slack. Make a new one and put its URL here.",
    "no_service": "The webhook was removed or switched off in Slack. Make a new one and put its URL here.",
    "no_active_hooks": "The webhook was switched off in Slack. Make a new one and put its URL here.",
    "no_team": "The workspace is gone. Make a webhook in another.",
    "team_disabled": "The workspace is switched off.",
    "channel_not_found": "The channel does not exist. Fix the channel, or leave it empty.",
    "channel_is_archived": "The channel is archived. Choose another.",
    "user_not_found": "There is no such user. Fix the channel, or leave it empty.",
    "action_prohibited": "An administrator of the workspace has forbidden this.",
    "posting_to_general_channel_denied": "This webhook may not post to #general. Choose another channel.",
}


class SlackConfig(forms.Form):
    """What Slack's page for incoming webhooks calls things."""

    url = forms.URLField(label="Slack Webhook URL", assume_scheme="https", max_length=500)
    channel = forms.CharField(
        max_length=100,
        required=False,
        help_text="#name or @name. Only old custom integrations obey; a webhook of an app keeps its own channel.",
    )
    username = forms.CharField(
        max_length=80, required=False, help_text="Only old custom integrations obey; an app keeps its own name."
    )
    icon = forms.CharField(
        max_length=500,
        required=False,
        help_text=":emoji: or the URL of a picture. Only old custom integrations obey; an app keeps its own.",
    )


class SlackSettings(forms.Form):
    """What one connection may say otherwise."""

    channel = forms.CharField(max_length=100, required=False, help_text="In place of the connector's channel.")


@register("slack")
class Slack(Kind):
    """A message to the webhook's channel."""

    label = "Slack"
    group = "Chat"
    blurb = "Posts each change to a channel"
    help = (
        "In Slack open Your apps > Create New App > From scratch, then Incoming Webhooks: switch it on, "
        "Add New Webhook to Workspace, choose the channel, and copy the Webhook URL."
    )
    config_form = SlackConfig
    settings_form = SlackSettings
    secret_fields = frozenset({"url"})

    def send(self, target: Target, message: Message) -> Result:
        """Post blocks, with a text for notifications."""
        config = target.config
        body = {"text": _cut(_escape(_headline(message)), TEXT), "blocks": blocks(message), "unfurl_links": False}
        icon = config.get("icon", "")
        given = {
            "channel": message.settings.get("channel") or config.get("channel"),
            "username": config.get("username"),
            "icon_emoji" if icon.startswith(":") else "icon_url": icon,
        }
        body |= {name: value for name, value in given.items() if value}
        answer = http.post_json(config["url"], body, timeout=target.timeout, now=target.now)
        return answer.result if answer.status is None else judge(answer)


def judge(answer: http.Answer) -> Result:
    """Return what Slack's answer means: `ok`, or a token that says what is wrong, under any status."""
    token = answer.text.strip()
    result = answer.result
    if result.outcome is Outcome.SENT and token.lower() == "ok":
        return result
    if not token.isascii() or not token.replace("_", "").isalnum() or len(token) > 60:  # not a token: a proxy's page
        token = ""
    if result.outcome is not Outcome.SENT and token not in ADVICE:
        return _but(result, result.outcome, token, result.detail)
    outcome = Outcome.RETRY if token in PASSING else Outcome.REJECTED
    said = ADVICE.get(token) or f"Slack answered {token or 'something else than ok'}."
    return _but(result, outcome, token, said)


def _but(result: Result, outcome: Outcome, token: str, detail: str) -> Result:
    return Result(
        outcome=outcome,
        detail=detail,
        status=result.status,
        error_code=token,
        answer=result.answer,
        retry_after=result.retry_after,
    )


def blocks(message: Message) -> list[dict[str, Any]]:
    """Return Block Kit blocks within Slack's limits."""
    lines = [f"*{_escape(message.title)}*"]
    if message.text:
        lines.append(_escape(message.text))
    fields = {
        "Status": message.status,
        "Severity": message.severity,
        "Source": message.source,
        "Class": message.class_name,
        "By": message.actor,
        "Labels": ", ".join(f"{name}={value}" for name, value in message.labels.items()),
    }
    section: dict[str, Any] = {"type": "section", "text": _mrkdwn(_cut("\n".join(lines), SECTION))}
    shown = [_mrkdwn(_cut(f"*{name}*\n{_escape(value)}", FIELD)) for name, value in fields.items() if value]
    if shown:
        section["fields"] = shown
    made: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(_headline(message), HEADER), "emoji": True}},
        section,
    ]
    links = [(message.url, "View in Tocsin"), *((link.get("href", ""), link.get("text", "")) for link in message.links)]
    written = " · ".join(_link(href, text) for href, text in links if href.startswith(("http://", "https://")))
    if written:
        made.append({"type": "context", "elements": [_mrkdwn(_cut(written, FIELD))]})
    return made


def _headline(message: Message) -> str:
    sign = SIGNS.get(message.action) or SEVERITY_SIGNS.get(message.severity, "⚪")
    number = f"#{message.number} " if message.number is not None else ""
    return f"{sign} {number}{message.title}" + (f" is {message.status}" if message.status else "")


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _link(href: str, text: str) -> str:
    address = _escape(href).replace("|", "%7C")
    return f"<{address}|{_escape(text or href).replace('|', '/')}>" if len(address) <= 1000 else ""


def _cut(text: str, longest: int) -> str:
    """Cut at `longest` characters with an ellipsis, never inside an entity or a link."""
    if len(text) <= longest:
        return text
    kept = text[: longest - 1]
    for opening, closing in (("&", ";"), ("<", ">")):
        start = kept.rfind(opening)
        if start > kept.rfind(closing):
            kept = kept[:start]
    return kept + "…"

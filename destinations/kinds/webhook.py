"""Webhook: each change as JSON to any address, signed after Standard Webhooks.

The signature is that of https://github.com/standard-webhooks/standard-webhooks: HMAC-SHA256 over id, time and body.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from destinations import http
from destinations.base import Kind, Message, Result, Target, register

MOST_HEADERS = 20
OURS = frozenset(
    {"host", "content-length", "content-type", "accept-encoding", "connection", "keep-alive", "te", "trailer"}
)
OURS |= {"transfer-encoding", "upgrade", "proxy-authenticate", "proxy-authorization"}


class HeadersField(forms.JSONField):
    """HTTP headers: a JSON object, or one `Name: value` a line."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> dict[str, str]:  # type: ignore[override]  # a mapping, unlike its parent
        """Return names and values. Raises ValidationError."""
        if isinstance(value, str) and not value.lstrip().startswith("{"):
            value = _lines(value)
        given = super().to_python(value) or {}
        if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
            raise ValidationError("Write one `Name: value` a line.", code="headers")
        return {str(name).strip(): one.strip() for name, one in given.items()}

    def validate(self, value: dict[str, str]) -> None:
        """Refuse what would break the request or forge its signature. Raises ValidationError."""
        super().validate(value)
        if len(value) > MOST_HEADERS:
            raise ValidationError(f"At most {MOST_HEADERS} headers.", code="too_many")
        for name, one in value.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not re.fullmatch(r"[\x20-\x7e]*", one):
                raise ValidationError(f"{name!r}: a header is ASCII, on one line.", code="headers")
            if name.lower() in OURS or name.lower().startswith("webhook-"):
                raise ValidationError(f"{name} is set by Tocsin and cannot be set here.", code="refused")

    def prepare_value(self, value: Any) -> Any:
        """Show one header a line."""
        if isinstance(value, Mapping):
            return "\n".join(f"{name}: {one}" for name, one in value.items())
        return value


def _lines(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not all(":" in line for line in lines):
        raise ValidationError("Write one `Name: value` a line.", code="headers")
    return {name.strip(): one.strip() for name, _, one in (line.partition(":") for line in lines)}


def signing_key(secret: str) -> bytes:
    """Return the key in `whsec_<base64 of 24 to 64 bytes>`. Raises ValidationError."""
    try:
        key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValidationError("Not whsec_ followed by base64.", code="secret") from exc
    if not 24 <= len(key) <= 64:
        raise ValidationError("A signing secret holds 24 to 64 bytes.", code="secret")
    return key


def well_formed(secret: str) -> None:
    """Refuse what is no signing secret. Raises ValidationError."""
    signing_key(secret)


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    """Return one signature, `v1,<base64>`."""
    signed = b"%s.%d.%s" % (message_id.encode(), int(at.timestamp()), body)
    return "v1," + base64.b64encode(hmac.digest(signing_key(secret), signed, hashlib.sha256)).decode()


class WebhookConfig(forms.Form):
    """Where to post, and how the receiver knows that it is us."""

    url = forms.URLField(label="URL", assume_scheme="https", max_length=2000, help_text="Receives a POST of JSON.")
    secret = forms.CharField(
        label="Signing secret",
        max_length=200,
        required=False,
        validators=[well_formed],
        help_text="whsec_ and 24 to 64 random bytes in base64; empty: not signed. Make one with: "
        "echo whsec_$(openssl rand -base64 32)",
    )
    old_secret = forms.CharField(
        label="Old signing secret",
        max_length=200,
        required=False,
        validators=[well_formed],
        help_text="While you change secrets: signatures of both are sent.",
    )
    username = forms.CharField(max_length=200, required=False, help_text="For HTTP Basic authentication.")
    password = forms.CharField(max_length=200, required=False, strip=False)
    headers = HeadersField(required=False, help_text="Further headers, one `Name: value` a line, at most 20.")

    def clean(self) -> dict[str, Any]:
        """Refuse two ways of saying who we are."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("username") and any(name.lower() == "authorization" for name in cleaned.get("headers") or {}):
            self.add_error("headers", ValidationError("Authorization is made from the username.", code="refused"))
        return cleaned


@register("webhook")
class Webhook(Kind):
    """A signed POST of JSON."""

    label = "Webhook"
    group = "Webhook"
    blurb = "Signed JSON to any address"
    help = "Give the address that receives the POST and, so that it can check who called, a signing secret."
    config_form = WebhookConfig
    secret_fields = frozenset({"secret", "old_secret", "password", "headers"})

    def send(self, target: Target, message: Message) -> Result:
        """POST it under an id that stays over all retries, with the time of this attempt."""
        config, body = target.config, http.to_bytes(payload(message))
        headers = {
            **(config.get("headers") or {}),
            "webhook-id": f"msg_{target.delivery_id.replace('-', '')}",
            "webhook-timestamp": str(int(target.now.timestamp())),
        }
        secrets = [config[name] for name in ("secret", "old_secret") if config.get(name)]
        if secrets:
            signatures = [sign(secret, headers["webhook-id"], target.now, body) for secret in secrets]
            headers["webhook-signature"] = " ".join(signatures)
        if config.get("username"):
            pair = f"{config['username']}:{config.get('password', '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return http.call("POST", config["url"], body, timeout=target.timeout, now=target.now, headers=headers).result


def payload(message: Message) -> dict[str, Any]:
    """Return the body: type, the instant of the event (not of the attempt), and the incident as REST shows it."""
    return {
        "type": "test" if message.test else f"incident.{message.event}",
        "timestamp": message.occurred_at,
        "data": {
            "incident": message.document,
            "actor": {"name": message.actor} if message.actor else None,
            "channel": message.channel,
        },
        "test": message.test,
    }

"""PagerDuty Events API v2: https://developer.pagerduty.com/docs/events-api-v2/overview/.

A resolve or acknowledge through another key than its trigger's is dropped there without a word, so the key that
triggered is remembered in the lane and used to its end.
"""

from collections.abc import Mapping
from typing import Any

from django import forms

from destinations import http
from destinations.base import Action, Kind, Message, Outcome, Result, Target, register

REGIONS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
SUMMARY, DEDUP_KEY, MOST_BYTES = 1024, 255, 512_000
SEVERITIES = {"critical": "critical", "error": "error", "warning": "warning", "info": "info"}
SEVERITIES |= {"high": "error", "medium": "warning", "low": "info"}
KEY = "routing_key"


class PagerDutyConfig(forms.Form):
    """What PagerDuty's page for an Events API v2 integration calls things."""

    integration_key = forms.CharField(label="Integration Key", max_length=200)
    routing_key = forms.CharField(
        label="Routing key",
        max_length=200,
        required=False,
        help_text="Used in place of the Integration Key, such as that of an event orchestration. Usually empty.",
    )
    region = forms.ChoiceField(
        label="Service region", choices=[("us", "US"), ("eu", "EU")], initial="us", required=False
    )
    api_url = forms.URLField(
        label="Events API address",
        assume_scheme="https",
        required=False,
        max_length=500,
        help_text="Only for a relay or a compatible product; empty: PagerDuty's own, of the region.",
    )


class PagerDutySettings(forms.Form):
    """What one connection may say otherwise."""

    routing_key = forms.CharField(label="Routing key", max_length=200, required=False)


@register("pagerduty")
class PagerDuty(Kind):
    """An event to one integration."""

    label = "PagerDuty"
    group = "Paging"
    blurb = "Triggers, acknowledges and resolves alerts there"
    help = (
        "In PagerDuty open Services > your service > Integrations > Add an integration, choose Events API V2, "
        "and copy the Integration Key."
    )
    config_form = PagerDutyConfig
    settings_form = PagerDutySettings
    secret_fields = frozenset({"integration_key", "routing_key"})

    def reference_for(self, config: Mapping[str, Any], message: Message) -> dict[str, Any]:
        """Remember the key that a trigger goes to."""
        return {KEY: _own_key(config, message)} if message.action is Action.TRIGGER else {}

    def send(self, target: Target, message: Message) -> Result:
        """Enqueue a trigger with everything, or an acknowledge or resolve with exactly three names."""
        if message.action is Action.NOTE:
            return Result(outcome=Outcome.SENT, detail="PagerDuty's Events API takes no notes: nothing was sent.")
        key = target.reference.get(KEY) or _own_key(target.config, message)
        if message.action is Action.TRIGGER:
            key = _own_key(target.config, message)
        event: dict[str, Any] = {
            "routing_key": key,
            "event_action": message.action.value,
            "dedup_key": message.key[:DEDUP_KEY],
        }
        if message.action is Action.TRIGGER:
            event |= trigger(message)
        answer = http.call("POST", _address(target.config), _fitting(event), timeout=target.timeout, now=target.now)
        return judge(answer)


def judge(answer: http.Answer) -> Result:
    """Add what PagerDuty says of a refusal; 202 means that it was queued there."""
    said = answer.json()
    if answer.result.outcome is Outcome.SENT or not said.get("message"):
        return answer.result
    errors = said.get("errors")
    what = "; ".join(str(one) for one in [said["message"], *(errors if isinstance(errors, list) else [])])
    return Result(
        outcome=answer.result.outcome,
        detail=f"{answer.result.detail} PagerDuty says: {http.excerpt(what)}",
        status=answer.status,
        error_code=str(said.get("status", ""))[:60],
        answer=answer.result.answer,
        retry_after=answer.result.retry_after,
    )


def trigger(message: Message) -> dict[str, Any]:
    """Return what a trigger has beyond the three names that every event has."""
    payload: dict[str, Any] = {
        "summary": _cut(message.title or "(no title)", SUMMARY),
        "source": message.source or "Tocsin",
        "severity": SEVERITIES.get(message.severity.lower(), "error"),
        "timestamp": message.occurred_at,
        "component": message.component,
        "group": message.group,
        "class": message.class_name,
        "custom_details": _details(message),
    }
    links = [{"href": message.url, "text": "View in Tocsin"}, *message.links]
    return {
        "client": "Tocsin",
        "client_url": message.url,
        "payload": {name: value for name, value in payload.items() if value},
        "links": [link for link in links if link.get("href")],
        "images": [image for image in message.images if image.get("src", "").startswith("https://")],
    }


def _details(message: Message) -> dict[str, Any]:
    details = {"description": message.text, **({"labels": message.labels} if message.labels else {}), **message.details}
    return {name: value for name, value in details.items() if value not in ("", None)}


def _own_key(config: Mapping[str, Any], message: Message) -> str:
    """Return the key of the first routing rule that matched, else the connector's own, else its Integration Key."""
    return str(message.settings.get(KEY) or config.get(KEY) or config.get("integration_key", ""))


def _address(config: Mapping[str, Any]) -> str:
    base = str(config.get("api_url") or REGIONS.get(config.get("region") or "us", REGIONS["us"])).rstrip("/")
    return base if base.endswith("/v2/enqueue") else f"{base}/v2/enqueue"


def _fitting(event: dict[str, Any]) -> bytes:
    """Return the event as bytes that PagerDuty takes: details that are too long are left out, and it is said."""
    body = http.to_bytes(event)
    if len(body) <= MOST_BYTES:
        return body
    note = {"note": f"The details were left out: the event was {len(body)} bytes long. See it in Tocsin."}
    payload = {**event["payload"], "custom_details": note}
    return http.to_bytes({**event, "payload": payload, "links": event["links"][:1], "images": []})


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

"""Prometheus Alertmanager's webhook: one event for each alert of a notification, never one for the group.

Source: Alertmanager, "webhook_config" (payload version 4). A firing group carries members that are resolved, and
members resolved earlier no longer appear: each alert is judged by its own status, and nothing by its absence.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from incidents.sources.attachments import as_text
from incidents.sources.base import Action, Event, Refused, Settings, Unreadable, register
from incidents.sources.draft import Draft
from incidents.sources.reading import json_value, kind_of
from incidents.sources.texts import MAX_LINE, MAX_URL, dedup_key, first_line, line

MOST_ALERTS = 10_000
MAX_GROUP_DETAILS = 8192  # characters of JSON
MAX_FILTER = 1000

DEAD_MANS_SWITCHES = {"watchdog", "deadmansswitch"}
_TITLES = ("summary", "title", "message")
_SEVERITIES = ("severity", "priority", "level")
_RUNBOOKS = ("runbook_url", "runbook")
_ALERT_FIELDS = {"status", "labels", "startsAt", "endsAt", "fingerprint"}  # all else of an alert goes to the details
_GROUP_FIELDS = {
    "alerts",
    "status",
    "groupKey",
    "commonLabels",
    "commonAnnotations",
}  # the common ones are in each alert

PASTE = """\
receivers:
  - name: tocsin
    webhook_configs:
      - url: {url}
        send_resolved: true

route:
  receiver: tocsin
"""


@register("alertmanager", label="Prometheus Alertmanager", paste=PASTE)
def parse(body: bytes, headers: Mapping[str, str], settings: Settings) -> list[Event | Refused]:
    """Read one notification. An empty list of alerts gives no events.

    Raises Unreadable if the body is no JSON or neither an object nor a list.
    """
    document = json_value(body)
    if isinstance(document, list):  # the alerts alone, as Prometheus posts them
        return _alerts(document, _group({}), settings)
    if not isinstance(document, dict):
        raise Unreadable(f"The body is {kind_of(document)}. Send Alertmanager's webhook notifications here.")
    alerts = document.get("alerts")
    if not isinstance(alerts, list):
        return [_of_unknown_shape(document, settings)]
    return _alerts(alerts, _group(document), settings)


@dataclass(frozen=True)
class _Group:
    """What the alerts of a notification share; read once, because a group may have thousands."""

    status: str
    names: str  # the group labels' values but the alert's name: a title made of labels ends with them
    silences: str  # the page on which that Alertmanager makes a silence
    details: dict[str, Any]  # what no alert says itself, within a limit
    note: str


def _group(document: Mapping[str, Any]) -> _Group:
    labels = _texts(document.get("groupLabels"))
    base = as_text(document.get("externalURL")).rstrip("/")
    details = _shared_details(document)
    if document.get("groupKey"):  # for those who want one incident of a group
        details["groupKey"] = dedup_key(as_text(document["groupKey"]))
    cut = document.get("truncatedAlerts")
    truncated = isinstance(cut, int) and cut > 0
    return _Group(
        status=as_text(document.get("status")) or "firing",
        names=" ".join(value for name, value in labels.items() if name != "alertname" and value)[:MAX_LINE],
        silences=f"{base}/#/silences/new" if base else "",
        details=details,
        note=f"{cut} more alerts of this group were not sent: max_alerts is set in Alertmanager." if truncated else "",
    )


def _shared_details(document: Mapping[str, Any]) -> dict[str, Any]:
    """What an alert does not say itself, up to a limit: every event of the group gets a copy."""
    kept, room = dict[str, Any](), MAX_GROUP_DETAILS
    for name, value in document.items():
        size = len(name) + len(json.dumps(value, ensure_ascii=False)) if name not in _GROUP_FIELDS else room + 1
        if size <= room:
            kept[name] = value
            room -= size
    return kept


def _alerts(alerts: list[Any], group: _Group, settings: Settings) -> list[Event | Refused]:
    events = [_event(alert, group, settings) for alert in alerts[:MOST_ALERTS]]
    if len(alerts) > MOST_ALERTS:
        rest = Draft(settings)
        rest.refuse(
            "alerts", "too_many", f"{len(alerts) - MOST_ALERTS} alerts after the first {MOST_ALERTS} were not read."
        )
        events.append(rest.finish(""))
    return events


def _event(alert: Any, group: _Group, settings: Settings) -> Event | Refused:
    draft = Draft(settings)
    raw = json.dumps(alert, ensure_ascii=False)
    if not isinstance(alert, dict):
        draft.refuse("alerts", "wrong_type", f"An alert is an object; this is {kind_of(alert)}.")
        return draft.finish(raw)
    labels, annotations = _texts(alert.get("labels")), _texts(alert.get("annotations"))
    draft.details.update({name: value for name, value in alert.items() if name not in _ALERT_FIELDS})
    for name, value in group.details.items():
        draft.aside(name, value)
    _identify(draft, alert, labels)
    _state(draft, alert, group.status)
    _describe(draft, labels, annotations, group.names)
    draft.links(_links(alert, labels, annotations, group.silences))
    if group.note:
        draft.notes.append(group.note)
    if labels.get("alertname", "").lower() in DEAD_MANS_SWITCHES:
        draft.notes.append(
            "It fires for ever, to show that alerting works: its silence is the alarm. Make it a heartbeat."
        )
    return draft.finish(raw)


def _identify(draft: Draft, alert: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    draft.labels(labels)
    draft.dedup_key(as_text(alert.get("fingerprint")).strip() or fingerprint(labels))
    draft.line("class_name", labels.get("alertname", ""), "alertname")
    draft.line("source", labels.get("instance", ""), "instance")


def _state(draft: Draft, alert: Mapping[str, Any], of_group: str) -> None:
    status = as_text(alert.get("status")) or of_group
    draft.fields["action"] = Action.RESOLVE if status == "resolved" else Action.TRIGGER
    if status not in {"resolved", "firing"}:
        draft.notes.append(f"Its status is {status[:40]!r}, which is taken as firing.")
    draft.occurred_at(alert.get("endsAt" if status == "resolved" else "startsAt"))


def _describe(draft: Draft, labels: Mapping[str, str], annotations: Mapping[str, str], names: str) -> None:
    draft.line("title", _title(labels, annotations, names) or f"Alert {draft.fields['dedup_key']}")
    draft.description(annotations.get("description") or annotations.get("message", ""))
    word = next((labels[name] for name in _SEVERITIES if labels.get(name)), "")
    if word and not draft.severity(word):
        draft.notes.append(f"The severity {word[:40]!r} is not known: map it on the alert source.")


def _title(labels: Mapping[str, str], annotations: Mapping[str, str], names: str) -> str:
    for name in _TITLES:
        if line(annotations.get(name, "")):
            return annotations[name]
    described = first_line(annotations.get("description", ""))
    alert_name = line(labels.get("alertname", ""))
    return described or (f"{alert_name} {names}" if alert_name else "")


def _links(
    alert: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str], silences: str
) -> list[Any]:
    runbook = next((annotations[name] for name in _RUNBOOKS if annotations.get(name)), "")
    found = [
        (as_text(alert.get("generatorURL")), "Source"),
        (runbook, "Runbook"),
        (annotations.get("dashboard_url", ""), "Dashboard"),
        (_silence(silences, labels), "Silence"),
    ]
    return [{"href": href, "text": text} for href, text in found if href.strip()]


def _silence(page: str, labels: Mapping[str, str]) -> str:
    """The page on which a silence is made, filled in with these labels if they are not too long for an address."""
    matchers = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
    if not page or len(matchers) > MAX_FILTER:
        return page
    chosen = f"{page}?filter={quote(f'{{{matchers}}}', safe='')}"
    return chosen if len(chosen) <= MAX_URL else page


def _of_unknown_shape(document: dict[str, Any], settings: Settings) -> Event | Refused:
    """An alert in an odd shape still is an alert: read what can be read, and keep the rest."""
    draft = Draft(settings)
    labels = _texts(document.get("labels") or document.get("commonLabels"))
    annotations = _texts(document.get("annotations") or document.get("commonAnnotations"))
    draft.details.update(document)
    draft.notes.append("This is no notification of Alertmanager that we know: there is no list of alerts in it.")
    _identify(draft, {"fingerprint": document.get("fingerprint") or document.get("groupKey")}, labels)
    _state(draft, document, "firing")
    _describe(draft, labels, annotations, _group(document).names)
    if not (labels or annotations):
        draft.line("title", "A message in an unknown form from Alertmanager")
    return draft.finish(json.dumps(document, ensure_ascii=False))


def _texts(given: Any) -> dict[str, str]:
    return {name: as_text(value) for name, value in given.items()} if isinstance(given, dict) else {}


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint of a label set: FNV-1a, 64 bit, over name, 0xff, value, 0xff, by name.

    Source: prometheus/common, model.LabelSet.Fingerprint. Alertmanager sends it since 0.19.
    """
    digest = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in f"{name}\0{labels[name]}\0".encode().replace(b"\0", b"\xff"):
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"

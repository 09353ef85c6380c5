"""Where events come from, and every event as it arrived."""

import uuid

from django.db import models
from django.utils import timezone

from config.records import Record
from incidents.models.severity import Severity
from incidents.sources.base import kind_choices
from oncall.models import EscalationPolicy, Team


class AlertSource(Record):
    """A tool that sends events: it has a key of its own and an escalation policy."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=40, choices=kind_choices, default="events")
    enabled = models.BooleanField(default=True)
    built_in = models.BooleanField(default=False)  # "Manual": incidents made by hand; has no key, cannot be deleted
    key_hash = models.CharField(max_length=64, unique=True, null=True, blank=True)
    key_prefix = models.CharField(max_length=8, blank=True)
    old_key_hash = models.CharField(max_length=64, blank=True, db_index=True)  # still good until old_key_until
    old_key_until = models.DateTimeField(null=True, blank=True)
    escalation_policy = models.ForeignKey(  # null: the catch-all is paged at once
        EscalationPolicy, null=True, blank=True, on_delete=models.PROTECT, related_name="alert_sources"
    )
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="alert_sources")
    rate_limit = models.PositiveIntegerField("events a minute", default=10_000)  # 0: none
    default_severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.CRITICAL)
    severity_map = models.JSONField(default=dict, blank=True)  # the source's own words -> our four
    urgency_map = models.JSONField(
        default=dict, blank=True
    )  # severity -> high, low or "" where it differs from the rule
    page_again_on_rise = models.BooleanField(default=False)  # an accepted incident whose severity rises is paged anew
    last_event_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def urgency_of(self, severity: str) -> str:
        """Return high, low or "" (pages nobody): the rule, unless this source says otherwise."""
        said = self.urgency_map.get(severity)
        return Severity(severity).urgency if said is None else str(said)


class RawEvent(models.Model):
    """One event as it arrived, and what came of it. Kept for TOCSIN_RAW_EVENT_DAYS, then pruned."""

    class Outcome(models.TextChoices):
        """What came of an event; the Event API answers with these words."""

        OPENED = "opened", "opened an incident"
        UPDATED = "updated", "added to an open incident"
        ACCEPTED = "accepted", "acknowledged an incident"
        RESOLVED = "resolved", "resolved an incident"
        SUPPRESSED = "suppressed", "recorded, nobody paged"
        IGNORED = "ignored", "nothing to do"
        REFUSED = "refused", "refused"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.ForeignKey(AlertSource, on_delete=models.CASCADE, related_name="raw_events")
    received_at = models.DateTimeField(default=timezone.now)
    remote_address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    body = models.TextField(blank=True)  # this event's own part of the request, as text
    size = models.PositiveIntegerField(default=0)  # bytes as received
    action = models.CharField(max_length=12, blank=True)
    dedup_key = models.CharField(max_length=255, blank=True)
    title = models.CharField(max_length=255, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.CharField(max_length=500, blank=True)  # why it was refused, ignored or suppressed
    errors = models.JSONField(default=list, blank=True)  # [{"field", "code", "detail"}]
    incident = models.ForeignKey(
        "incidents.Incident", null=True, blank=True, on_delete=models.SET_NULL, related_name="raw_events"
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["received_at"], name="raw_event_received"),
            models.Index(fields=["source", "-id"], name="raw_event_source"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.uuid)

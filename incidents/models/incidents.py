"""The incident, who has it, and the record of what happened to it."""

import uuid
from typing import Any

from django.db import models
from django.db.models import ProtectedError, Q
from django.utils import timezone

from config.records import Record
from incidents.models.severity import Severity
from incidents.models.sources import AlertSource
from oncall.models import EscalationPolicy, Team, Urgency, User

__all__ = ["Assignment", "Incident", "Severity", "Status", "TimelineEntry"]


class Status(models.TextChoices):
    """What people see. Only `incidents/lifecycle.py` writes it."""

    PENDING = "PENDING", "PENDING"  # it escalates
    ACCEPTED = "ACCEPTED", "ACCEPTED"  # someone has it: escalation halts
    RESOLVED = "RESOLVED", "RESOLVED"  # final: nothing more is sent, it never opens again


def protect_while_open(collector: Any, field: Any, rows: models.QuerySet["Incident"], using: str) -> None:
    """Refuse to delete what an open incident needs; a resolved one only forgets it (E1)."""
    open_ones: set[models.Model] = set(rows.exclude(status=Status.RESOLVED))
    if open_ones:
        raise ProtectedError("Open incidents use it.", open_ones)
    models.SET_NULL(collector, field, rows, using)


class Incident(Record):
    """What needs attention. Its number is the primary key; holes are allowed."""

    alert_source = models.ForeignKey(AlertSource, on_delete=models.PROTECT, related_name="incidents")
    dedup_key = models.CharField(max_length=255)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    firing = models.BooleanField(default=True)  # whether the source still says so
    title = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    urgency = models.CharField(max_length=4, choices=Urgency.choices, blank=True)  # "": pages nobody
    risk_score = models.FloatField(null=True, blank=True)
    class_name = models.CharField("class", max_length=255, blank=True)
    origin = models.CharField("source", max_length=255, blank=True)  # the event's `source`: a host, a service
    component = models.CharField(max_length=255, blank=True)
    group = models.CharField(max_length=255, blank=True)
    labels = models.JSONField(default=dict, blank=True)  # the source's own
    contextual_labels = models.JSONField(default=dict, blank=True)  # set by Tocsin
    details = models.JSONField(default=dict, blank=True)
    links = models.JSONField(default=list, blank=True)
    images = models.JSONField(default=list, blank=True)
    occurred_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    last_event_at = models.DateTimeField(default=timezone.now)
    events = models.PositiveIntegerField(default=1)  # how many it has collected
    escalation_policy = models.ForeignKey(
        EscalationPolicy, null=True, blank=True, on_delete=protect_while_open, related_name="incidents"
    )
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="incidents")
    acknowledged_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    ack_timeout_at = models.DateTimeField(null=True, blank=True)  # then it is pending again (E4)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    told = models.BooleanField(null=True, blank=True)  # null: not settled yet; false: nobody was told
    told_reason = models.CharField(max_length=500, blank=True)
    previous = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="later")
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="merged")
    is_muted = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)  # raised by every change: the ETag
    entries = models.PositiveIntegerField(default=0)  # how many timeline entries it has: their numbers have no holes

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("acknowledge_incident", "Can acknowledge, unacknowledge, snooze and escalate incidents"),
            ("assign_incident", "Can assign incidents"),
            ("close_incident", "Can resolve and close incidents"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["alert_source", "dedup_key"], condition=~Q(status="RESOLVED"), name="one_open_incident_a_key"
            ),
            models.CheckConstraint(
                condition=Q(status="RESOLVED", closed_at__isnull=False) | (~Q(status="RESOLVED") & Q(closed_at=None)),
                name="closed_when_resolved",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="incident_status"),
            models.Index(fields=["alert_source", "dedup_key", "-id"], name="incident_key"),
            models.Index(fields=["snoozed_until"], name="incident_snoozed", condition=~Q(snoozed_until=None)),
            models.Index(fields=["ack_timeout_at"], name="incident_ack_timeout", condition=~Q(ack_timeout_at=None)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def subject(self) -> str:
        """What deliveries call this incident: stable for its life, and its dedup key at every target."""
        return f"incident:{self.uuid}"

    @property
    def snoozed(self) -> bool:
        """Whether run and pages rest until `snoozed_until`."""
        return self.snoozed_until is not None


class Assignment(models.Model):
    """Who has an incident: a person, or a team as a whole."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="assignments")
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="assignments")
    assigned_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    assigned_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "user"], condition=~Q(user=None), name="assigned_once"),
            models.UniqueConstraint(fields=["incident", "team"], condition=~Q(team=None), name="team_assigned_once"),
            models.CheckConstraint(
                condition=Q(user=None, team__isnull=False) | Q(user__isnull=False, team=None), name="assigned_to_one"
            ),
        ]

    def __str__(self) -> str:
        return str(self.user or self.team)


class TimelineEntry(models.Model):
    """One thing that happened to an incident. Never changed, never deleted; numbered without holes (I7)."""

    class Kind(models.TextChoices):
        """What happened. The words are those of REST's `type`."""

        OPEN = "open", "opened"
        UPSERT_STATE = "upsert_state", "told by the source"
        SEVERITY = "severity", "severity changed"
        ACKNOWLEDGE = "acknowledge", "acknowledged"
        UNACKNOWLEDGE = "unacknowledge", "no longer acknowledged"
        ASSIGN = "assign", "assigned"
        UNASSIGN = "unassign", "unassigned"
        SNOOZE = "snooze", "snoozed"
        UNSNOOZE = "unsnooze", "snooze ended"
        ESCALATE = "escalate", "escalation step"
        EXHAUST = "exhausted", "nobody answered"
        REMIND = "remind", "reminded"
        UNTOLD = "untold", "nobody was told"
        NOTIFY = "notify", "a person was told"
        DELIVER = "deliver", "a connected system was told"
        NOTE = "note", "note"
        EDIT = "edit", "changed"
        RESOLVE = "resolve", "resolved"
        CLOSE = "close", "closed"
        MERGE = "merge", "merged"

    class Originator(models.TextChoices):
        """Who did it."""

        PERSON = "person", "a person"
        SOURCE = "source", "an alert source"
        TOKEN = "token", "a service token"
        SYSTEM = "system", "Tocsin"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="timeline")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    originator = models.CharField(max_length=8, choices=Originator.choices)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=150, blank=True)  # the name as it was then
    via = models.CharField(max_length=20, blank=True)  # console, api, link, email, command ...
    facts = models.JSONField(default=dict, blank=True)  # what the sentence is made from, by kind

    class Meta:
        ordering = ["incident", "number"]
        verbose_name_plural = "timeline entries"
        constraints = [models.UniqueConstraint(fields=["incident", "number"], name="timeline_without_doubles")]
        indexes = [models.Index(fields=["at"], name="timeline_at")]

    def __str__(self) -> str:
        return f"{self.kind} by {self.actor or 'Tocsin'}"

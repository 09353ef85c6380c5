"""Schedules: wall-clock rules in a named zone. Who is on call is computed from these rows, never stored."""

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from config.records import Record
from oncall.models.people import Team, User, known_zone


class Schedule(Record):
    """Answers "who is on call at instant t" with one person or nobody (R12)."""

    name = models.CharField(max_length=100, unique=True)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="schedules")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[known_zone])

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Layer(Record):
    """One generation of a rotation. An edit at T ends it at T and begins a new one, so that the past stays."""

    class Unit(models.TextChoices):
        """What a turn's length is counted in, on the wall clock."""

        HOUR = "hour", "hours"
        DAY = "day", "days"
        WEEK = "week", "weeks"
        MONTH = "month", "months"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="layers")
    line = models.UUIDField(default=uuid.uuid4)  # the same through all generations of one layer
    position = models.PositiveSmallIntegerField(default=0)  # later wins (R8)
    name = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=64, validators=[known_zone])  # a changed zone is a new generation too
    unit = models.CharField(max_length=5, choices=Unit.choices, default=Unit.WEEK)
    length = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(9000)])
    anchor = models.CharField(max_length=16)  # naive wall time "2024-03-04T09:00": turn 0 begins
    effective_from = models.DateTimeField(null=True, blank=True)  # null: from the anchor
    effective_until = models.DateTimeField(null=True, blank=True)
    restrictions = models.JSONField(default=list, blank=True)  # windows: [{"type": "daily", "from", "to"}, ...] (R7)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name or f"layer {self.position + 1}"


class Participant(models.Model):
    """Whose turn comes at this position; null is a vacant turn (R9). A person may stand in the list twice."""

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="participants")
    position = models.PositiveSmallIntegerField()
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="turns")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["layer", "position"], name="one_turn_a_position")]


class Override(Record):
    """A dated replacement, applied after the layers in order of creation (R10)."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="overrides")
    start = models.DateTimeField()
    end = models.DateTimeField()
    user = models.ForeignKey(  # null: nobody is on call
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="overrides"
    )
    replaces = models.ForeignKey(  # applies only while the answer so far is this person (swaps)
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["schedule", "end"], name="override_span")]
        constraints = [models.CheckConstraint(condition=Q(end__gt=F("start")), name="override_ends_after_it_starts")]

    def __str__(self) -> str:
        return f"{self.user or 'nobody'} on {self.schedule}"

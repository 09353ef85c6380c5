"""Escalation policies: ordered steps with targets, repeated until somebody answers."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from config.records import Record
from oncall.models.people import Team, User
from oncall.models.schedules import Schedule


class EscalationPolicy(Record):
    """Who is told first, who next, how long each has, and how often it begins again."""

    class LowUrgency(models.TextChoices):
        """What a low-urgency incident does with the steps."""

        FIRST_STEP = "first_step", "the first step only"
        FULL = "full", "all steps"

    name = models.CharField(max_length=100, unique=True)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="policies")
    repeat = models.PositiveSmallIntegerField(  # further passes; null: until somebody answers
        null=True, blank=True, validators=[MaxValueValidator(9)]
    )
    start_delay_minutes = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(60)])
    ack_timeout_minutes = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(9000)]
    )
    low_urgency = models.CharField(max_length=10, choices=LowUrgency.choices, default=LowUrgency.FIRST_STEP)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "escalation policies"

    def __str__(self) -> str:
        return self.name


class Step(Record):
    """Tell these targets, then wait `delay_minutes` for somebody to answer before the next step."""

    class Strategy(models.TextChoices):
        """How many of a step's people are told."""

        EVERYONE = "everyone", "everyone at once"
        ROUND_ROBIN = "round_robin", "one after another, in turn"

    policy = models.ForeignKey(EscalationPolicy, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    delay_minutes = models.PositiveSmallIntegerField(default=5, validators=[MaxValueValidator(9000)])
    strategy = models.CharField(max_length=12, choices=Strategy.choices, default=Strategy.EVERYONE)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["policy", "position"], name="one_step_a_position")]

    def __str__(self) -> str:
        return f"{self.policy} step {self.position + 1}"


class StepTarget(models.Model):
    """One target of a step: a person, whoever is on call on a schedule, or a team (E11)."""

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="targets")
    position = models.PositiveSmallIntegerField()
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    schedule = models.ForeignKey(Schedule, null=True, blank=True, on_delete=models.PROTECT, related_name="step_targets")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="step_targets")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(user__isnull=False, schedule=None, team=None)
                    | Q(user=None, schedule__isnull=False, team=None)
                    | Q(user=None, schedule=None, team__isnull=False)
                ),
                name="a_target_is_one_thing",
            )
        ]

    def __str__(self) -> str:
        return str(self.user or self.schedule or self.team)

"""The climb of one incident: its run, each step that was taken, and each page that came of it."""

from django.db import models
from django.db.models import Q

from incidents.models.incidents import Incident
from oncall.models import ContactMethod, EscalationPolicy, NotificationRule, User


class Run(models.Model):
    """One climb through a copy of the policy's steps (E1). `due_at` is when it does its next thing."""

    class State(models.TextChoices):
        """What the run does when it is due."""

        CLIMBING = "climbing", "takes the next step"
        SEARCHING = "searching", "nobody was reached: tries the steps again each minute"  # E7
        HALTED = "halted", "acknowledged, snoozed, or all that low urgency does is done"
        EXHAUSTED = "exhausted", "all passes done: reminds each hour"  # E12
        ENDED = "ended", "over"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="runs")
    policy = models.ForeignKey(EscalationPolicy, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    snapshot = models.JSONField()  # oncall.policy.Policy as a document, as it was when the run began
    state = models.CharField(max_length=10, choices=State.choices, default=State.CLIMBING)
    position = models.PositiveSmallIntegerField(default=0)  # the step to be taken next
    loop = models.PositiveSmallIntegerField(default=0)  # which pass: 0 is the first
    taken = models.PositiveIntegerField(default=0)  # how many executions it has had: the next sequence number
    due_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["incident"], condition=~Q(state="ended"), name="one_live_run_an_incident")
        ]
        indexes = [models.Index(fields=["due_at"], name="run_due", condition=~Q(due_at=None))]

    def __str__(self) -> str:
        return f"run {self.pk} of incident {self.incident_id}"


class Execution(models.Model):
    """A step that was taken, or another reason to page: doing it twice adds nothing."""

    class Reason(models.TextChoices):
        """Why people were paged."""

        DUE = "due", "its time had come"
        ESCALATED = "escalated", "somebody asked for the next"
        ASSIGNED = "assigned", "it was assigned"
        AGAIN = "again", "the present step anew"  # unacknowledged, unassigned, acknowledgement timed out
        ACCEPTED = "accepted", "those who were paged are told who has it"
        CATCH_ALL = "catch_all", "nobody else could be reached"
        REMINDER = "reminder", "nobody has answered"
        RESOLVED = "resolved", "those who were paged are told the end"

        @property
        def informs(self) -> bool:
            """Whether its pages only inform: they wake nobody, and are dropped when they are late (F6)."""
            return self in {self.ACCEPTED, self.RESOLVED}

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="executions")
    sequence = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField(null=True, blank=True)  # of the step; null: no step of the policy
    loop = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=10, choices=Reason.choices, default=Reason.DUE)
    due_at = models.DateTimeField()
    at = models.DateTimeField()  # when it was really taken
    targets = models.JSONField(default=list)  # in words: [{"target", "people": [usernames], "reason"}]

    class Meta:
        ordering = ["run", "sequence"]
        constraints = [models.UniqueConstraint(fields=["run", "sequence"], name="a_step_is_taken_once")]


class Page(models.Model):
    """One attempt to tell one person of one incident by one contact method. Its delivery waits in the outbox."""

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", "waits for its time"
        SENT = "sent", "sent"
        FAILED = "failed", "failed"
        UNKNOWN = "unknown", "outcome unknown"
        CANCELLED = "cancelled", "not needed any more"

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="pages")
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="pages")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="pages")
    rule = models.ForeignKey(NotificationRule, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    contact_method = models.ForeignKey(
        ContactMethod, null=True, blank=True, on_delete=models.SET_NULL, related_name="pages"
    )
    rule_key = models.CharField(max_length=40)  # "rule:<id>", or "method:<id>" where no rule led to it
    kind = models.CharField(max_length=40)  # of the contact method, as it was
    address = models.CharField(max_length=255)
    delivery_key = models.CharField(max_length=255, unique=True)  # of the outbox row
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    detail = models.CharField(max_length=500, blank=True)
    due_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["execution", "user", "rule_key"], name="a_rule_pages_once_an_execution")
        ]
        indexes = [
            models.Index(fields=["incident", "user"], name="page_of_incident"),
            models.Index(fields=["incident", "id"], name="page_waiting", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"page to {self.user} by {self.kind}"

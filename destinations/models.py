"""The nouns of telling: a connector, a delivery and each attempt to hand it over. None knows incidents or people."""

from django.db import models
from django.db.models import Q

from config.records import Record
from config.secrets import EncryptedJSONField
from destinations.base import Outcome, kind_choices


class Connector(Record):
    """A global target system with its credentials: a webhook, a Slack hook, a PagerDuty key."""

    class Off(models.TextChoices):
        """Why a connector sends nothing."""

        NOT = "", "on"
        PERSON = "person", "switched off by a person"
        FAILURES = "failures", "switched itself off: too many failures"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=40, choices=kind_choices)
    config = models.JSONField(default=dict, blank=True)  # settings that may be shown
    secrets = EncryptedJSONField(default=dict, blank=True)  # settings that may not: Kind.secret_fields
    enabled = models.BooleanField(default=True)
    off = models.CharField(max_length=20, choices=Off.choices, blank=True, default=Off.NOT)
    off_reason = models.CharField(max_length=500, blank=True)
    off_at = models.DateTimeField(null=True, blank=True)
    on_at = models.DateTimeField(
        null=True, blank=True
    )  # when it was last switched on again: older failures are forgotten

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def settings(self) -> dict[str, object]:
        """Everything the kind's form holds, secrets included: for sending only, never for showing."""
        return {**self.config, **self.secrets}


class Delivery(Record):
    """One outgoing message: an outbox row. Only `destinations/delivery.py` writes its state."""

    class State(models.TextChoices):
        """Where a delivery stands; the last four are settled."""

        QUEUED = "queued", "queued"
        SENDING = "sending", "sending"
        SENT = "sent", "sent"
        UNKNOWN = "unknown", "outcome unknown"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    class Priority(models.IntegerChoices):
        """Who goes first when many are due: pages before chat before tickets."""

        PAGE = 0, "page to a person"
        CHAT = 1, "message"
        TICKET = 2, "ticket"

    OPEN = (State.QUEUED, State.SENDING)

    key = models.CharField(max_length=255, unique=True)  # doing the step that enqueued it twice adds nothing
    lane = models.CharField(max_length=255, blank=True)  # deliveries of one lane leave in order; "" has no order
    priority = models.SmallIntegerField(choices=Priority.choices, default=Priority.CHAT)
    connector = models.ForeignKey(Connector, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=40, choices=kind_choices)
    target = EncryptedJSONField(default=dict)  # a person's address and its secret; {} for a connector's own target
    subject = models.CharField(max_length=60, blank=True)  # opaque: "incident:<uuid>"
    recipient = models.CharField(max_length=60, blank=True)  # opaque: "contact-method:<uuid>"
    event = models.CharField(max_length=40, blank=True)  # the message's: opened, accepted, page ...
    message = EncryptedJSONField()  # destinations.base.Message: it may hold routing keys and signed links
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    due_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)  # attempts begun since it was enqueued or replayed
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_by = models.CharField(max_length=120, blank=True)  # the process that is sending it, and which claim of its
    outcome = models.CharField(max_length=10, choices=[(o.value, o.value) for o in Outcome], blank=True)
    detail = models.CharField(max_length=500, blank=True)  # the last answer in words; never a secret
    reference = EncryptedJSONField(default=dict)  # the target's ids, for later updates in the same lane
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["priority", "due_at", "id"], name="delivery_due", condition=Q(state="queued")),
            models.Index(fields=["connector", "due_at", "id"], name="delivery_queued", condition=Q(state="queued")),
            models.Index(fields=["lease_until", "connector"], name="delivery_leased", condition=Q(state="sending")),
            models.Index(fields=["lane", "id"], name="delivery_lane"),
            models.Index(fields=["connector", "-id"], name="delivery_connector"),
            models.Index(fields=["subject", "id"], name="delivery_subject"),
            models.Index(fields=["recipient", "id"], name="delivery_recipient"),
            models.Index(fields=["settled_at"], name="delivery_settled", condition=~Q(settled_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"


class Attempt(models.Model):
    """One try to hand a delivery over, and what the target answered. Never changed, never holds a secret."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    connector = models.ForeignKey(  # null: to a person, which counts for no connector's switch-off
        Connector, null=True, blank=True, on_delete=models.CASCADE, related_name="attempts"
    )
    at = models.DateTimeField()
    seconds = models.FloatField(default=0)
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # HTTP or SMTP status, if one came
    outcome = models.CharField(max_length=10, choices=[(o.value, o.value) for o in Outcome])
    error_code = models.CharField(max_length=60, blank=True)  # the target's own word: invalid_auth, 42908
    answer = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["connector", "outcome", "at"], name="attempt_connector")]

    def __str__(self) -> str:
        return f"{self.outcome} at {self.at:%Y-%m-%d %H:%M:%S}"

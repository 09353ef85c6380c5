"""What all floors remember together: the trail of changes, and answers kept for callers that ask twice."""

import uuid
from typing import Any, NoReturn

from django.db import models

from config.secrets import EncryptedJSONField


class AppendOnly(models.QuerySet["AuditEntry"]):
    """Rows that can be added and read, and nothing else."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise TypeError("the audit trail is only ever added to")

    def delete(self) -> NoReturn:
        """Refuse."""
        raise TypeError("the audit trail is only ever added to")


class AuditEntry(models.Model):
    """Who changed what, and how. Names are kept as they were: no foreign key, so that nothing here ever changes."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField()
    actor = models.CharField(max_length=255)  # "alice", "alice with the token terraform", "Tocsin"
    actor_id = models.CharField(max_length=40, blank=True)  # the person's uuid
    via = models.CharField(max_length=20, blank=True)  # console, api, command
    action = models.CharField(max_length=40)  # created, changed, deleted, or a verb: deactivated, vouched, rotated
    kind = models.CharField(max_length=60)  # the model: "oncall.schedule"
    object_id = models.CharField(max_length=40, blank=True)  # its uuid
    name = models.CharField(max_length=255, blank=True)
    changes = models.JSONField(default=dict)  # field -> [before, after], secrets masked

    objects = AppendOnly.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit trail"
        indexes = [
            models.Index(fields=["kind", "object_id", "-id"], name="audit_of_object"),
            models.Index(fields=["at"], name="audit_at"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.kind} {self.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store it the first time; refuse afterwards."""
        if not self._state.adding:
            raise TypeError("the audit trail is only ever added to")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise TypeError("the audit trail is only ever added to")


class KeptAnswer(models.Model):
    """One Idempotency-Key of one caller: held while its request runs, then the answer that repeats get."""

    caller = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # of method, path and body
    holder = models.UUIDField(default=uuid.uuid4)  # the request that runs
    taken_at = models.DateTimeField()
    answer = EncryptedJSONField(null=True, blank=True)  # {"status", "headers", "body"}; null while the request runs

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="one_answer_a_key")]
        indexes = [models.Index(fields=["taken_at"], name="kept_answer_taken")]

    def __str__(self) -> str:
        return f"{self.key} of {self.caller}"


class Tick(models.Model):
    """The engine's last sign of life: one row, number 1."""

    at = models.DateTimeField()  # by the clock of the process
    process = models.CharField(max_length=255)  # "host:pid"
    clock_difference_seconds = models.FloatField(default=0)  # that clock minus the database's

    def __str__(self) -> str:
        return f"{self.process} at {self.at:%Y-%m-%d %H:%M:%S}"

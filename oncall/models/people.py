"""People, teams, how a person can be reached and after how many minutes by which way."""

import zoneinfo
from typing import ClassVar, Self

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property

from config.records import Record
from config.secrets import EncryptedJSONField
from destinations.base import kind_choices
from destinations.models import Connector

ROLES = ("admin", "manager", "responder", "stakeholder")  # each is a group of that name, capitalised


class Urgency(models.TextChoices):
    """How loudly an incident speaks. Follows from its severity; info has none and pages nobody."""

    HIGH = "high", "high"
    LOW = "low", "low"


def known_zone(name: str) -> None:
    """Refuse a time zone that is not in the IANA database."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name!r} is not an IANA time zone. Use a name such as Europe/Riga or UTC.")


class User(AbstractUser, Record):
    """A person. Deactivated, never deleted: the record of who was paged has to stay true."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    name = models.CharField(max_length=150, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[known_zone])
    phone = models.CharField(max_length=20, blank=True)
    wants_resolved = models.BooleanField("tell me when an incident I was paged for is resolved", default=False)

    objects: ClassVar[UserManager[Self]] = UserManager()

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.name or self.username

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The zone in which this person reads times."""
        return zoneinfo.ZoneInfo(self.time_zone)

    @cached_property
    def roles(self) -> frozenset[str]:
        """The roles this person has, in lower case."""
        return frozenset(name for name in (group.name.lower() for group in self.groups.all()) if name in ROLES)

    @property
    def is_admin(self) -> bool:
        """Whether this person may do everything."""
        return self.is_superuser or "admin" in self.roles

    def get_full_name(self) -> str:
        """Return the name people know this person by."""
        return str(self)

    def get_short_name(self) -> str:
        """Return the first word of the name."""
        return str(self).split(" ")[0]


class Deactivation(models.Model):
    """A span in which a user was switched off: turns are vacant, overrides naming them are skipped (R9, R11, R17)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="deactivations")
    start = models.DateTimeField()
    end = models.DateTimeField(null=True, blank=True)  # reactivated; null: still switched off

    class Meta:
        ordering = ["start"]
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=Q(end=None), name="one_open_deactivation"),
        ]


class Team(Record):
    """People who answer for something together."""

    name = models.CharField(max_length=100, unique=True)
    private = models.BooleanField(default=False)  # only members and admins see what belongs to it
    members = models.ManyToManyField(User, through="Membership", related_name="teams", blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def managers(self) -> list[User]:
        """Those who own the team's schedules and policies."""
        return [membership.user for membership in self.memberships.all() if membership.manager]


class Membership(models.Model):
    """A person in a team; its managers own the team's schedules and policies."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    manager = models.BooleanField(default=False)

    class Meta:
        ordering = ["user__username"]
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="once_in_a_team")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class ContactMethod(Record):
    """One way to reach a person. Pages go only to verified, working ones (N2)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="contact_methods")
    kind = models.CharField(max_length=40, choices=kind_choices)
    address = models.CharField(max_length=255)
    secret = EncryptedJSONField(default=dict, blank=True)  # the kind's secret_fields
    connector = models.ForeignKey(  # the provider it goes through; null: the installation's own
        Connector, null=True, blank=True, on_delete=models.PROTECT, related_name="contact_methods"
    )
    label = models.CharField(max_length=60, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    vouched_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    disabled_at = models.DateTimeField(null=True, blank=True)  # it bounced for good
    disabled_reason = models.CharField(max_length=200, blank=True)
    code_hash = models.CharField(max_length=64, blank=True)  # of the code last sent
    code_sent_at = models.DateTimeField(null=True, blank=True)
    code_tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["user", "id"]
        constraints = [models.UniqueConstraint(fields=["user", "kind", "address"], name="contact_method_once")]

    def __str__(self) -> str:
        return self.label or f"{self.kind} {self.address}"

    @property
    def verified(self) -> bool:
        """Whether it was proved, or vouched for by an admin."""
        return self.verified_at is not None

    @property
    def usable(self) -> bool:
        """Whether a page may go to it."""
        return self.verified_at is not None and self.disabled_at is None


class NotificationRule(Record):
    """After `delay_minutes` from the step, by this contact method, for incidents of this urgency (N1)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notification_rules")
    urgency = models.CharField(max_length=4, choices=Urgency.choices)
    delay_minutes = models.PositiveSmallIntegerField(default=0)
    contact_method = models.ForeignKey(ContactMethod, on_delete=models.CASCADE, related_name="rules")

    class Meta:
        ordering = ["user", "urgency", "delay_minutes", "id"]

    def __str__(self) -> str:
        return f"{self.urgency}: after {self.delay_minutes} min by {self.contact_method}"

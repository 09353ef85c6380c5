"""Who may come in, and to whom a connector belongs."""

from django.db import models

from config.records import Record
from destinations.models import Connector
from oncall.models.people import Team, User

SCOPES = (
    "read",
    "write",
    "incidents:read",
    "incidents:assign",
    "incidents:acknowledge",
    "incidents:close",
    "incidents:delete",
    "admin",
)
COVERS = {  # what a scope holds besides itself; admin holds all
    "read": {"incidents:read"},
    "write": {"incidents:assign", "incidents:acknowledge", "incidents:close"},
}


class Token(Record):
    """An API token: shown once, kept as a hash. A personal one acts as its user; a service token acts as itself."""

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="tokens"
    )  # who made it, and whose rights bound it
    name = models.CharField(max_length=100)
    service = models.BooleanField(default=False)  # a machine: what it does is nobody's, and changes no assignee
    prefix = models.CharField(max_length=12)
    token_hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def allows(self, scope: str) -> bool:
        """Whether one of its scopes covers this one."""
        return any(held in (scope, "admin") or scope in COVERS.get(held, ()) for held in self.scopes)


class ConnectorTeam(models.Model):
    """The team a connector belongs to; a connector without one is everybody's."""

    connector = models.OneToOneField(Connector, on_delete=models.CASCADE, related_name="+", primary_key=True)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="connectors")

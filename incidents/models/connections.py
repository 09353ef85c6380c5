"""What binds a connector to the alert sources it is told of."""

from django.db import models

from config.records import Record
from config.secrets import EncryptedJSONField
from destinations.models import Connector
from incidents.models.severity import Severity
from incidents.models.sources import AlertSource


class Connection(Record):
    """A connector on one alert source, or on all: which events, which incidents, said in which words."""

    class Mode(models.TextChoices):
        """Who starts it."""

        AUTOMATIC = "automatic", "automatic"
        MANUAL = "manual", "a button on the incident"

    name = models.CharField(max_length=100, blank=True)  # the button's words when manual
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="connections")
    alert_source = models.ForeignKey(  # null: all
        AlertSource, null=True, blank=True, on_delete=models.CASCADE, related_name="connections"
    )
    enabled = models.BooleanField(default=True)
    mode = models.CharField(max_length=9, choices=Mode.choices, default=Mode.AUTOMATIC)
    events = models.JSONField(default=list)  # event words; []: no restriction
    classes = models.JSONField(default=list, blank=True)  # "auth.*" matches by prefix
    labels = models.JSONField(default=dict, blank=True)
    severities = models.JSONField(default=list, blank=True)
    min_severity = models.CharField(max_length=8, choices=Severity.choices, blank=True)
    min_risk_score = models.FloatField(null=True, blank=True)
    severity_mapping = models.JSONField(default=dict, blank=True)  # our four words -> the target's
    routing_rules = EncryptedJSONField(  # [{"events": [classes], "routing_key": ...}], first match; keys are secrets
        default=list, blank=True
    )
    runbook_links = models.JSONField(default=dict, blank=True)  # class -> address
    include_metadata = models.BooleanField(default=True)
    settings = EncryptedJSONField(default=dict, blank=True)  # per kind; routing keys are secrets

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name or f"{self.connector} on {self.alert_source or 'all sources'}"

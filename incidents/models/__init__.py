"""The nouns of what is wrong, one file for each family."""

from incidents.models.connections import Connection
from incidents.models.escalations import Execution, Page, Run
from incidents.models.incidents import Assignment, Incident, Severity, Status, TimelineEntry
from incidents.models.sources import AlertSource, RawEvent

__all__ = [
    "AlertSource",
    "Assignment",
    "Connection",
    "Execution",
    "Incident",
    "Page",
    "RawEvent",
    "Run",
    "Severity",
    "Status",
    "TimelineEntry",
]

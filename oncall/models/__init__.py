"""The nouns of who must know, one file for each family."""

from oncall.models.access import ConnectorTeam, Token
from oncall.models.people import ContactMethod, Deactivation, Membership, NotificationRule, Team, Urgency, User
from oncall.models.policies import EscalationPolicy, Step, StepTarget
from oncall.models.schedules import Layer, Override, Participant, Schedule

__all__ = [
    "ConnectorTeam",
    "ContactMethod",
    "Deactivation",
    "EscalationPolicy",
    "Layer",
    "Membership",
    "NotificationRule",
    "Override",
    "Participant",
    "Schedule",
    "Step",
    "StepTarget",
    "Team",
    "Token",
    "Urgency",
    "User",
]

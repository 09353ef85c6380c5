"""What can be done to incidents: one function for each verb, and the only writer of `Incident.status`.

Every verb takes a list (one is a list of one), locks the rows in order of id, moves those that may move by one guarded
UPDATE, writes their timeline entries in the same transaction and answers one `Change` for each, in the order given.
Refusals are values in a `Change`, so that a bulk call can tell them one by one; `single` turns one into an exception.
"""

from incidents.lifecycle.answering import acknowledge, close, resolve, time_out, unacknowledge
from incidents.lifecycle.assigning import Assignee, assign, unassign
from incidents.lifecycle.batch import Change, IllegalTransition, single
from incidents.lifecycle.delaying import escalate, snooze, unsnooze, wake_up
from incidents.lifecycle.editing import delete, edit, note
from incidents.lifecycle.opening import Appending, append, trigger

__all__ = [
    "Appending",
    "Assignee",
    "Change",
    "IllegalTransition",
    "acknowledge",
    "append",
    "assign",
    "close",
    "delete",
    "edit",
    "escalate",
    "note",
    "resolve",
    "single",
    "snooze",
    "time_out",
    "trigger",
    "unacknowledge",
    "unassign",
    "unsnooze",
    "wake_up",
]

"""Where this floor listens to the floors below: filled once, when the app starts."""

from destinations import delivery
from incidents import departures, outcomes
from oncall import people


def connect() -> None:
    """Be asked before a page is sent, be told what became of it, and take back what a person who left had."""
    delivery.still_wanted.append(outcomes.still_wanted)
    delivery.settled.append(outcomes.settled)
    people.deactivated.append(departures.take_back)

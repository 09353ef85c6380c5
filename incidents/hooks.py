"""Where this floor listens to the floors below: filled once, when the app starts."""

from destinations import delivery
from incidents import outcomes


def connect() -> None:
    """Be asked before a page is sent, and be told what became of it."""
    delivery.still_wanted.append(outcomes.still_wanted)
    delivery.settled.append(outcomes.settled)

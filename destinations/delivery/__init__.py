"""The outbox: what is to be told, to whom, and what came of it. Nothing else writes `Delivery.state`.

A message is a row, written in the transaction that caused it (`enqueue`). Sending happens outside any transaction:
a row is claimed with a lease, handed over, and its result recorded. Whoever dies in between leaves a lease that runs
out; then the row is sent again under the same delivery id. That is at least once, in order within a lane.
"""

from destinations.delivery.hooks import settled, still_wanted
from destinations.delivery.leases import free_dead_leases
from destinations.delivery.outbox import Order, bring_forward, cancel, enqueue, oldest_due, replay
from destinations.delivery.sending import Sender, run_due
from destinations.delivery.switches import switch_off, switch_on
from destinations.delivery.trial import sample_message, send_test

__all__ = [
    "Order",
    "Sender",
    "bring_forward",
    "cancel",
    "enqueue",
    "free_dead_leases",
    "oldest_due",
    "replay",
    "run_due",
    "sample_message",
    "send_test",
    "settled",
    "still_wanted",
    "switch_off",
    "switch_on",
]

"""Pure: when is a message tried again, and when is a connector switched off? Time and counts are arguments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

_SECONDS = (1, 3, 5, 10, 10, *(0, 1, 3, 5, 30), *(60, 60, 180, 300, 600, 1800))
CONNECTOR_WAITS = tuple(timedelta(seconds=wait) for wait in _SECONDS)  # F12, whatever the answer was
PAGE_WAITS = (timedelta(seconds=15),) * 3  # F10; then the person's next rule

LONGEST_FOR_CONNECTORS = timedelta(days=1)  # a Retry-After beyond it is not believed
LONGEST_FOR_PAGES = timedelta(seconds=60)  # another way to the person is better than a longer wait

WINDOW = timedelta(hours=12)  # in which attempts count for the switch-off
TENTHS_FAILED = 6  # 60 %


def wait_after(
    failures: int, *, page: bool, rejected: bool = False, retry_after: timedelta | None = None
) -> timedelta | None:
    """Return how long to wait after this many failed attempts (1 after the first), or None: give up.

    A page that was rejected is given up at once: the person's next rule is a better try. A connector never is.
    """
    waits: Sequence[timedelta] = PAGE_WAITS if page else CONNECTOR_WAITS
    if failures > len(waits) or (page and rejected):
        return None
    asked = min(retry_after or timedelta(0), LONGEST_FOR_PAGES if page else LONGEST_FOR_CONNECTORS)
    return max(waits[max(failures, 1) - 1], asked)


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a connector's attempts of the last `WINDOW` say; unknown outcomes are failures."""

    attempts: int
    failed: int
    deliveries: int  # how many different ones were attempted
    failing_for: timedelta  # from its first failure after the last success to the latest one


@dataclass(frozen=True, kw_only=True)
class Floors:
    """Below these nothing is switched off: few attempts, or a short outage, prove nothing."""

    attempts: int = 10
    deliveries: int = 3
    failing_for: timedelta = timedelta(hours=1)


def must_switch_off(health: Health, floors: Floors) -> bool:
    """Whether 60 % of the attempts failed, and every floor is reached."""
    return (
        health.failed > 0
        and health.failed * 10 >= health.attempts * TENTHS_FAILED
        and health.attempts >= floors.attempts
        and health.deliveries >= floors.deliveries
        and health.failing_for >= floors.failing_for
    )

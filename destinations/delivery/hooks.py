"""How a higher floor has its say: two lists of callables that its AppConfig.ready fills."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from django.db import DatabaseError, transaction

from destinations.models import Delivery

logger = logging.getLogger(__name__)

# Asked just before sending, with the rows about to leave: returns why some must not, by primary key.
still_wanted: list[Callable[[Sequence[Delivery], datetime], Mapping[int, str]]] = []
# Told of each row that was settled (sent, failed, unknown, cancelled), in the transaction that settles it; may enqueue.
settled: list[Callable[[Delivery, datetime], None]] = []


def unwanted(rows: Sequence[Delivery], now: datetime) -> dict[int, str]:
    """Return why rows must not be sent any more, by primary key.

    A question that breaks holds nothing back: a page too many is a nuisance, a page too few an outage.
    """
    reasons: dict[int, str] = {}
    for ask in still_wanted if rows else ():
        try:
            with transaction.atomic():
                reasons.update(ask(rows, now))
        except DatabaseError:
            raise
        except Exception:
            logger.exception("still_wanted failed, so these are sent: %s", [row.pk for row in rows])
    return reasons


def tell_settled(rows: Sequence[Delivery], now: datetime) -> None:
    """Tell the higher floors; one that breaks must not have the message sent for ever, so it is only logged."""
    if not settled or not rows:
        return
    try:
        with transaction.atomic():
            for row in rows:
                for tell in settled:
                    tell(row, now)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("settled failed deliveries=%s", [row.pk for row in rows])
        if len(rows) > 1:  # all of it was undone: tell them one by one, so that only the one that breaks goes untold
            for row in rows:
                tell_settled([row], now)

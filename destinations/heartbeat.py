"""The dead man's switch: while the engine is well, another system is called each minute, and misses it otherwise."""

import logging
from datetime import datetime, timedelta

from django.conf import settings

from config import health
from destinations import http
from destinations.base import Outcome

logger = logging.getLogger(__name__)

TIMEOUT = timedelta(seconds=10)


def run_due(now: datetime, limit: int) -> int:
    """Call TOCSIN_HEARTBEAT_URL once if nothing is wrong; return 1 if it was called.

    An engine that lags does not call: the silence is what the other side is there to notice.
    """
    if not settings.HEARTBEAT_URL:
        return 0
    reasons = health.state(now).reasons()
    if reasons:
        logger.error("heartbeat withheld: %s", " ".join(reasons))
        return 0
    result = http.call("GET", settings.HEARTBEAT_URL, timeout=TIMEOUT, now=now).result
    if result.outcome is not Outcome.SENT:
        logger.warning("heartbeat not taken by TOCSIN_HEARTBEAT_URL: %s", result.detail)
    return 1

"""Pure: how many events a source may still send. A token bucket: a short storm passes, a lasting one does not."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass
class Bucket:
    """Holds at most a minute's worth; refills evenly. Each web process keeps its own."""

    left: float
    at: datetime

    def take(self, count: int, limit: int, now: datetime) -> timedelta | None:
        """Take `count` of `limit` a minute and return None, or return how long to wait and take nothing.

        A batch larger than the limit itself passes when the bucket is full: it could never pass otherwise.
        """
        elapsed = max((now - self.at).total_seconds(), 0)
        self.left, self.at = min(float(limit), self.left + elapsed * limit / 60), now
        needed = min(count, limit)
        if needed <= self.left:
            self.left -= count
            return None
        return timedelta(seconds=(needed - self.left) * 60 / limit)

"""The tick on real databases: one row, and the database's clock beside the process's."""

from datetime import timedelta

from django.utils import timezone

from config import health
from config.models import Tick


def test_the_tick_is_one_row_with_the_difference_of_the_clocks(each_database: str) -> None:
    ahead = timezone.now() + timedelta(seconds=90)
    health.beat(timezone.now(), 1)
    assert abs(Tick.objects.get().clock_difference_seconds) < 2
    health.beat(ahead, 1)
    tick = Tick.objects.get()
    assert tick.at == ahead
    if each_database.startswith("postgres"):
        assert 85 < tick.clock_difference_seconds < 91
        assert "clock" in health.state(ahead).reasons()[0]

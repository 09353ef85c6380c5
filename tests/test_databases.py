"""The real databases that tests stand on: fresh, committed, seen by every thread."""

from threading import Thread

import pytest
from django.db import connection
from django.utils import timezone

from config.models import Tick


def _add(number: int) -> None:
    Tick.objects.create(pk=number, at=timezone.now(), process="a thread")
    connection.close()


@pytest.mark.parametrize("turn", [1, 2])
def test_each_database_is_empty_and_shared_by_threads(each_database: str, turn: int) -> None:
    assert connection.vendor == ("sqlite" if each_database.startswith("sqlite") else "postgresql")
    assert not Tick.objects.exists()
    threads = [Thread(target=_add, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Tick.objects.count() == 8


@pytest.mark.django_db
def test_a_marked_test_runs_on_a_sqlite_file() -> None:
    assert connection.vendor == "sqlite"
    assert not Tick.objects.exists()

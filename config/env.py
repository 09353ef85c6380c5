"""Typed readers of the environment. A wrong value stops the start with a sentence that says what to type.

Every name may also be given as NAME_FILE, the path of a file that holds the value (Docker and Kubernetes secrets).
"""

import ipaddress
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def text(name: str, default: str = "") -> str:
    """Return NAME, or what the file NAME_FILE holds, or the default. Raises if the file cannot be read."""
    path = os.environ.get(f"{name}_FILE")
    if path and name not in os.environ:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise ImproperlyConfigured(f"{name}_FILE={path}: cannot be read ({exc.strerror}). Mend the path.") from exc
    return os.environ.get(name, default).strip()


def flag(name: str, default: bool) -> bool:
    """Read a yes/no variable. Raises ImproperlyConfigured on anything but true or false."""
    raw = (text(name) or str(default)).lower()
    if raw not in {"true", "false"}:
        raise ImproperlyConfigured(f"{name}={raw!r}: use true or false")
    return raw == "true"


def integer(name: str, default: int, *, least: int = 0) -> int:
    """Read a whole number of at least `least`."""
    raw = text(name) or str(default)
    if not raw.isdigit() or int(raw) < least:
        raise ImproperlyConfigured(f"{name}={raw!r}: use a whole number of at least {least}")
    return int(raw)


def words(name: str, default: str = "") -> list[str]:
    """Read a comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> bool | list[Network]:
    """Read `true`, `false` or a comma-separated list of networks in CIDR form."""
    raw = text(name, "false")
    if raw.lower() in {"true", "false", ""}:
        return raw.lower() == "true"
    try:
        return [ipaddress.ip_network(word.strip(), strict=False) for word in raw.split(",")]
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name}={raw!r}: use true, false or networks such as 10.0.0.0/8,fd00::/8") from exc


def folder(name: str, default: Path) -> Path:
    """Return a folder that exists and can be written to, making it if need be."""
    path = Path(text(name) or default).expanduser().resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # the database in it is nobody else's
    except OSError as exc:
        raise ImproperlyConfigured(f"{name}={path}: cannot be made ({exc.strerror}). Name a folder you own.") from exc
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"{name}={path}: cannot be written to. Change its owner or name another folder.")
    return path


def kept_secret(name: str, path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(50)) -> str:
    """Return NAME, or the secret kept in `path`, made there (mode 0600) the first time. Two starters agree on one."""
    given = text(name)
    if given:
        return given
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _settled(path)
    except OSError as exc:
        raise ImproperlyConfigured(
            f"{path}: cannot be written ({exc.strerror}). Set {name} or mend the folder."
        ) from exc
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(made := make())
    return made


def _settled(path: Path) -> str:
    for _ in range(200):  # another process may be between making the file and writing it
        try:
            if kept := path.read_text(encoding="utf-8").strip():
                return kept
        except OSError as exc:
            raise ImproperlyConfigured(f"{path}: cannot be read ({exc.strerror}). Mend its owner or mode.") from exc
    raise ImproperlyConfigured(f"{path}: is empty. Delete it and start again, or restore it from your backup.")

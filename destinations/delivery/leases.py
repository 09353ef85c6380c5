"""Who is sending a row: a lease names the process, so that those of dead processes can be freed at once."""

import os
import secrets
import socket
from datetime import datetime
from functools import cache
from pathlib import Path

from django.db import connection

from destinations.models import Delivery


def new_holder() -> str:
    """Return a name for one claim: place, process, when that began, and a word that is never used again."""
    return f"{_place()}:{os.getpid()}:{_began(os.getpid())}#{secrets.token_hex(4)}"


def free_dead_leases(now: datetime) -> int:
    """End the leases of processes that have died here, so that what they were sending is sent at once; return how many.

    Called when an engine starts. On SQLite nobody elsewhere can be at work, so leases taken elsewhere are dead too.
    """
    leased = Delivery.objects.filter(state=Delivery.State.SENDING, lease_until__gt=now)
    dead = [holder for holder in set(leased.values_list("lease_by", flat=True)) if _dead(holder)]
    return leased.filter(lease_by__in=dead).update(lease_until=now)


def _dead(holder: str) -> bool:
    process, _, _ = holder.partition("#")
    place, _, rest = process.partition(":")
    pid, _, began = rest.partition(":")
    if place != _place():
        return connection.vendor == "sqlite"
    return not pid.isdigit() or _began(int(pid)) != began


@cache
def _place() -> str:
    """Name what process ids are counted in: the host, its present boot and, in a container, its own process table."""
    boot = _read(Path("/proc/sys/kernel/random/boot_id"))[:8]
    try:
        table = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        table = ""
    return f"{socket.gethostname()[:40]}/{boot}/{table}"


def _began(pid: int) -> str:
    """Return when a process began, in clock ticks since the boot (proc(5), stat, field 22); "" if there is none."""
    stat = _read(Path(f"/proc/{pid}/stat"))
    if stat:
        return stat.rpartition(")")[2].split()[19]
    try:
        os.kill(pid, 0)
    except PermissionError:
        return "?"
    except OSError:
        return ""
    return "?"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""

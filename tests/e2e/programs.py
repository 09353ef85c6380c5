"""Debian's Prometheus and Alertmanager, on loopback, in a folder of the test's own."""

import json
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
INSTALLED = PROMETHEUS is not None and ALERTMANAGER is not None


T = TypeVar("T")


def until(found: Callable[[], T], seconds: float, what: str) -> T:
    """Return what `found` returns once it is true. Raises AssertionError when the seconds are over."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}; last seen: {value!r}"
        time.sleep(0.2)
    return value


@contextmanager
def program(command: list[str], ready_url: str, folder: Path) -> Iterator[None]:
    """Run a program until the block ends; begin once it answers at `ready_url`."""
    name = Path(command[0]).name
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        until(lambda: _answers(ready_url), 30, f"{name} answers:\n{log.read_text()[-2000:]}")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


@contextmanager
def alertmanager(folder: Path, port: int, config: Mapping[str, object]) -> Iterator[None]:
    """Run Alertmanager; JSON is YAML, so the configuration is written as such."""
    file = folder / "alertmanager.yml"
    file.write_text(json.dumps(config), encoding="utf-8")
    command = [
        str(ALERTMANAGER),
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with program(command, f"http://127.0.0.1:{port}/-/ready", folder):
        yield


@contextmanager
def prometheus(folder: Path, port: int, alertmanager_port: int, rules: list[dict[str, object]]) -> Iterator[None]:
    """Run Prometheus with these alerting rules, looked at each second."""
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "test", "rules": rules}]}), encoding="utf-8")
    config = {
        "global": {"evaluation_interval": "1s", "external_labels": {"region": "eu-2"}},
        "rule_files": [str(folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]},
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config), encoding="utf-8")
    command = [
        str(PROMETHEUS),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
        "--web.enable-lifecycle",
    ]
    with program(command, f"http://127.0.0.1:{port}/-/ready", folder):
        yield


def change_rules(folder: Path, port: int, rules: list[dict[str, object]]) -> None:
    """Give a running Prometheus other rules."""
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "test", "rules": rules}]}), encoding="utf-8")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/-/reload", method="POST")
    with urllib.request.urlopen(request, timeout=10):
        return

"""Reads the golden payload folders."""

import json
from pathlib import Path
from typing import Any

from incidents.sources import base
from incidents.sources.base import Event, Settings

FOLDER = Path(__file__).parents[2] / "golden" / "inbound"
KINDS = {"events": "events", "alertmanager": "alertmanager", "pagerduty-events-v2": "pagerduty"}  # folder: kind

PLAIN = Settings()

base.load_kinds()


def cases() -> list[tuple[str, dict[str, Any]]]:
    """Every case of every folder, as (folder, case)."""
    return [(folder, case) for folder in KINDS for case in table(folder, "expected.json")["cases"]]


def table(folder: str, name: str) -> Any:
    return json.loads((FOLDER / folder / name).read_text(encoding="utf-8"))


def body(folder: str, name: str) -> bytes:
    return (FOLDER / folder / name).read_bytes()


def events(folder: str, name: str, settings: Settings = PLAIN) -> list[Event]:
    """What the parser makes of a body in which nothing is refused."""
    read = base.kind(KINDS[folder]).parse(body(folder, name), {}, settings)
    assert all(isinstance(one, Event) for one in read), read
    return [one for one in read if isinstance(one, Event)]

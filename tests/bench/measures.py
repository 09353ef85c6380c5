"""The three measures: events a second, latency to the first byte out, and pages while a storm stands in a queue."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from tests.bench.load import Load, drive, paced, percentile, request
from tests.bench.sinks import Sink
from tests.installation import Installation, Source

EVENTS_PATH = "/api/v1/events"
OPENED = ["opened"]


@dataclass(frozen=True)
class Figure:
    """One line of the result."""

    name: str
    value: str
    target: str = ""
    met: bool | None = None  # None: there is no target


def single_events(made: Installation, source: Source, seconds: float, *, keys: int) -> Figure:
    """Single events at concurrency 64; of so many keys, or each of its own for 0."""
    load = drive(made.port, _bodies(source, keys, batch=0), 64, seconds)
    rate = load.rate()
    name = f"single events/s, concurrency 64, {_of_keys(keys)}"
    return Figure(name, f"{rate:,.0f}/s, {_waits(load)}{_failures(load)}", "1,500/s", rate >= 1500)


def batches(made: Installation, source: Source, seconds: float, *, keys: int) -> Figure:
    """Lists of 100 events, eight requests at a time."""
    load = drive(made.port, _bodies(source, keys, batch=100), 8, seconds)
    rate = load.rate() * 100
    name = f"events/s in batches of 100, concurrency 8, {_of_keys(keys)}"
    return Figure(name, f"{rate:,.0f}/s, {_waits(load)}{_failures(load)}", "10,000/s", rate >= 10_000)


def _bodies(source: Source, keys: int, batch: int) -> Iterator[bytes]:
    for number in count():
        if batch:
            events = [_event(number * batch + index, keys) for index in range(batch)]
            yield request(EVENTS_PATH, source.key, f"[{','.join(events)}]".encode())
        else:
            yield request(EVENTS_PATH, source.key, _event(number, keys).encode())


_PATTERN = json.dumps(
    {
        "dedup_key": "NUMBER/disk",
        "title": "Disk 96% full on db-NUMBER",
        "severity": "info",  # recorded, pages nobody: the ingest alone is measured
        "class": "disk.full",
        "source": "db-NUMBER",
        "labels": {"team": "core", "region": "eu"},
        "details": {"free_gb": 2, "mount": "/srv"},
    }
)
_run = int(time.time())


def _event(number: int, keys: int) -> str:
    return _PATTERN.replace("NUMBER", str(number % keys) if keys else f"{_run}-{number}")


def _of_keys(keys: int) -> str:
    return f"repeats of {keys} open incidents" if keys else "each a new incident"


def _waits(load: Load) -> str:
    return f"answered in p50 {percentile(load.waits, 50) * 1000:.1f} ms, p99 {percentile(load.waits, 99) * 1000:.1f} ms"


def _failures(load: Load) -> str:
    others = {status: number for status, number in load.statuses.items() if status != 202}
    return f"; other answers: {others}" if others else ""


def first_byte_out(made: Installation, source: Source, sinks: dict[str, Sink], seconds: float) -> list[Figure]:
    """From the 202 (it follows the commit) and from the sending of an event to the first byte at each sink, at 20/s."""
    sent, answered = _send_at_20(made, source, "page", int(seconds * 20))
    return [
        figure for name, sink in sinks.items() for figure in _latencies(f"20 events/s to {name}", sink, sent, answered)
    ]


def pages_in_a_storm(
    made: Installation, storm: Source, pages: Source, slow: Sink, phone: Sink, rows: int, seconds: float
) -> list[Figure]:
    """Put `rows` deliveries for one slow connector into the outbox, then page at 20/s."""
    for start in range(0, rows, 100):
        events = [
            {"title": f"Storm {number}", "dedup_key": f"storm-{number}", "severity": "info"}
            for number in range(start, start + 100)
        ]
        made.send(storm, events)
    sent, answered = _send_at_20(made, pages, "storm", int(seconds * 20))
    figures = _latencies(f"pages at 20/s beside {rows:,} rows for one slow connector", phone, sent, answered)
    return [*figures, Figure("rows that the slow connector took meanwhile", f"{slow.requests:,} of {rows:,}")]


def _send_at_20(
    made: Installation, source: Source, word: str, number: int
) -> tuple[dict[str, float], dict[str, float]]:
    sent: dict[str, float] = {}
    answered: dict[str, float] = {}

    def send(index: int) -> None:
        token = f"bench-{word}-{index}"
        sent[token] = time.perf_counter()
        made.send(source, {"title": f"{token} fails", "dedup_key": token, "severity": "critical"})
        answered[token] = time.perf_counter()

    paced(number, 20, send)
    return sent, answered


def _latencies(name: str, sink: Sink, sent: dict[str, float], answered: dict[str, float]) -> list[Figure]:
    missing = sink.wait_for(sent, 30)
    heard = {token: sink.heard[token] for token in sent if token not in missing}
    lost = f"; {len(missing)} of {len(sent)} did not come within 30 s" if missing else ""
    if not heard:
        return [Figure(name, "nothing came", "p50 30 ms, p99 150 ms", met=False)]
    after_answer = [max(0.0, at - answered[token]) for token, at in heard.items()]
    whole = [at - sent[token] for token, at in heard.items()]
    p50, p99 = percentile(after_answer, 50) * 1000, percentile(after_answer, 99) * 1000
    return [
        Figure(
            f"{name}: commit to first byte out",
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms{lost}",
            "p50 30 ms, p99 150 ms",
            p50 < 30 and p99 < 150 and not missing,
        ),
        Figure(
            f"{name}: event sent to first byte out",
            f"p50 {percentile(whole, 50) * 1000:.1f} ms, p99 {percentile(whole, 99) * 1000:.1f} ms",
        ),
    ]

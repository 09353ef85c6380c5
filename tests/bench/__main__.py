"""`python -m tests.bench [--seconds N] [--markdown FILE] [ingest] [postgres] [latency] [storm]`: all if none is named.

Servers, data and sinks are of this run's own, on this machine; nothing else should run on it meanwhile.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests import servers
from tests.bench import measures
from tests.bench.measures import Figure
from tests.bench.sinks import listening
from tests.installation import Installation, running


@contextmanager
def installation(name: str, **env: str) -> Iterator[Installation]:
    """A fresh installation on the disk that TMPDIR names: full durability costs what that disk asks."""
    with tempfile.TemporaryDirectory(prefix=f"tocsin-bench-{name}-") as folder:
        own = {"TOCSIN_DATA_DIR": f"{folder}/data", "PORT": str(servers.free_port()), "TOCSIN_LOG_LEVEL": "WARNING"}
        with running({**own, **env}, Path(folder) / "log") as made:
            yield made


def ingest(made: Installation, where: str, seconds: float) -> list[Figure]:
    source = made.add_source("Bench", rate_limit=0)
    figures = [
        measures.single_events(made, source, seconds, keys=0),
        measures.single_events(made, source, seconds, keys=1000),
        measures.batches(made, source, seconds, keys=0),
        measures.batches(made, source, seconds, keys=1000),
    ]
    return [Figure(f"{where}: {one.name}", one.value, one.target, one.met) for one in figures]


def on_sqlite(seconds: float) -> list[Figure]:
    with installation("sqlite", DATABASE_URL="") as made:
        return ingest(made, "SQLite", seconds)


def on_postgres(seconds: float) -> list[Figure]:
    os.environ["TOCSIN_TEST_DURABLE"] = "true"  # PostgreSQL as it comes: synced to disk at every commit
    with servers.fresh_postgres() as url, installation("postgres", DATABASE_URL=url) as made:
        return ingest(made, "PostgreSQL", seconds)


def latency(seconds: float) -> list[Figure]:
    with listening() as phone, listening() as hook, installation("latency", DATABASE_URL="") as made:
        made.add_person("bench", "ntfy", f"{phone.url}/bench")
        made.add_policy("Bench", "bench")
        source = made.add_source("Bench", rate_limit=0, escalation_policy="Bench")
        made.add_webhook("Bench", f"{hook.url}/hook", source, measures.OPENED)
        return measures.first_byte_out(made, source, {"a phone (ntfy)": phone, "a webhook": hook}, seconds)


def storm(seconds: float) -> list[Figure]:
    with listening() as phone, listening(delay_seconds=1.0) as slow, installation("storm", DATABASE_URL="") as made:
        made.add_person("bench", "ntfy", f"{phone.url}/bench")
        made.add_policy("Bench", "bench")
        stormy = made.add_source("Storm", rate_limit=0)
        calm = made.add_source("Pages", rate_limit=0, escalation_policy="Bench")
        made.add_webhook("Slow", f"{slow.url}/hook", stormy, measures.OPENED)
        return measures.pages_in_a_storm(made, stormy, calm, slow, phone, 5000, seconds)


MEASURES: dict[str, Callable[[float], list[Figure]]] = {
    "ingest": on_sqlite,
    "postgres": on_postgres,
    "latency": latency,
    "storm": storm,
}


def table(figures: list[Figure]) -> str:
    verdict = {None: "", True: "yes", False: "**no**"}
    rows = [f"| {one.name} | {one.value} | {one.target} | {verdict[one.met]} |" for one in figures]
    return "\n".join(["| measure | result | target | met |", "|---|---|---|---|", *rows]) + "\n"


def machine() -> str:
    """Return what the figures were measured on, as a line of Markdown."""
    names = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in names if line.startswith("model name")), platform.machine())
    at = datetime.now(UTC)
    command = " ".join(["python -m tests.bench", *sys.argv[1:]])
    return f"{at:%Y-%m-%d}, {os.cpu_count()} cores ({model}), Python {platform.python_version()}; `{command}`\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="measure", help=", ".join(MEASURES))
    parser.add_argument("--seconds", type=float, default=15.0, help="of each run")
    parser.add_argument("--markdown", type=Path, help="a file to write the table to")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - MEASURES.keys()
    if unknown:
        parser.error(f"there is no measure {', '.join(unknown)}; choose from {', '.join(MEASURES)}")
    figures: list[Figure] = []
    for name in chosen.names or MEASURES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        figures += MEASURES[name](chosen.seconds)
    text = f"{machine()}\n{table(figures)}"
    print(text)
    if chosen.markdown:
        chosen.markdown.write_text(text, encoding="utf-8")
    return 1 if any(one.met is False for one in figures) else 0


if __name__ == "__main__":
    sys.exit(main())

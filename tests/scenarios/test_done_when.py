"""The main job with real processes, driven by HTTP alone: `manage.py up` on SQLite, and Celery on PostgreSQL and Redis.

Both run side by side, because the delays between pages are real minutes; both must leave the same record.
"""

import gzip
import http.client
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.config.trees import Tree
from tests.installation import PASSWORD, TOKEN, Installation, Source, running
from tests.sinks import HttpSink, SmtpSink

QUICK = 10.0  # seconds; a second on a machine that has nothing else to do
NUMBERS = re.compile(r"\d+\.\d s")
KEY = "0123456789abcdef0123456789abcdef"
EVENT = {"title": "Disk full on db-1", "dedup_key": "db-1/disk", "severity": "critical", "source": "db-1"}


@pytest.mark.postgres
def test_both_ways_of_running_it_do_the_whole_job_and_leave_the_same_record(
    sqlite_env: dict[str, str], postgres_env: dict[str, str], tmp_path: Path
) -> None:
    with embedded(sqlite_env, tmp_path) as one, celery(postgres_env, tmp_path) as other, ThreadPoolExecutor() as pool:
        by_engine, by_celery = pool.map(lambda place: place.whole_job(), (one, other))
    assert by_engine == by_celery
    assert by_engine == [
        "Acknowledged by Bob. Escalation rests.",
        "Opened by Shop.",
        "Ops told “accepted”: sent in a moment.",
        "Ops told “opened”: sent in a moment.",
        "Ops told “resolved”: sent in a moment.",
        "PagerDuty told “accepted”: sent in a moment.",
        "PagerDuty told “opened”: sent in a moment.",
        "PagerDuty told “resolved”: sent in a moment.",
        "Resolved by Shop.",
        "Step 1: Alice → Alice.",
        "Step 2: Bob → Bob.",
        "email to Alice: sent in a moment.",
        "email to Bob: sent in a moment.",
        "ntfy to Alice: sent in a moment.",
        "ntfy to Alice: sent in a moment.",  # who has it now
    ]


class Place:
    """An installation, and the servers around it."""

    def __init__(self, installation: Installation, mail: SmtpSink, web: HttpSink) -> None:
        self.installation, self.mail, self.web = installation, mail, web

    def whole_job(self) -> list[str]:
        """An event comes in, people are told, one answers, the source ends it. Return the timeline in sorted words."""
        source = self._furnish()
        sent_at = time.monotonic()
        incident = f"/api/v1/incidents/{self._send_packed_and_in_chunks(source)}/"
        self._tells_the_first_at_once(sent_at)
        self._tells_the_second_way_and_the_next_person_after_a_minute(sent_at)
        self._is_acknowledged_by_the_link_in_the_mail(incident)
        assert (
            self.installation.send(source, {"action": "resolve", "dedup_key": "db-1/disk"})[0]["outcome"] == "resolved"
        )
        assert self._heard("/hook", 3) == ["incident.opened", "incident.accepted", "incident.resolved"]
        assert self._heard("/v2/enqueue", 3) == ["trigger", "acknowledge", "resolve"]
        shown = self.installation.get(incident)
        assert (shown["status"], shown["firing"], shown["told"], shown["assignees"]) == (
            "RESOLVED",
            False,
            True,
            ["bob"],
        )
        assert len(self.mail.letters) == 2
        return self._story(incident)

    def _furnish(self) -> Source:
        there, rules = self.installation, "/api/v1/notification-rules/"
        there.add_person("alice", "email", "alice@example.org")
        there.add_person("bob", "email", "bob@example.org")
        phone = {"user": "alice", "kind": "ntfy", "address": f"{self.web.url}/phone-of-alice"}
        method = there.post("/api/v1/contact-methods/", phone)["id"]
        there.post(f"/api/v1/contact-methods/{method}/verify/", {"vouch": True})
        for rule in there.get(f"{rules}?user=alice&urgency=high")["results"]:
            if rule["contact_method"] == method:
                there.call("DELETE", f"{rules}{rule['id']}/")
        there.post(rules, {"user": "alice", "urgency": "high", "delay_minutes": 1, "contact_method": method})
        steps = [{"targets": [{"user": who}], "delay_minutes": wait} for who, wait in (("alice", 1), ("bob", 10))]
        there.post("/api/v1/escalation-policies/", {"name": "Core", "steps": steps})
        source = there.add_source("Shop", escalation_policy="Core")
        there.add_webhook("Ops", f"{self.web.url}/hook", source, ["opened", "accepted", "resolved"])
        config = {"integration_key": KEY, "api_url": self.web.url}
        there.post("/api/v1/connectors/", {"name": "PagerDuty", "kind": "pagerduty", "config": config})
        there.post("/api/v1/connections/", {"connector": "PagerDuty", "events": ["opened", "accepted", "resolved"]})
        return source

    def _send_packed_and_in_chunks(self, source: Source) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.installation.port, timeout=20)
        packed = gzip.compress(json.dumps(EVENT).encode())
        headers = {"Authorization": f"Bearer {source.key}", "Content-Encoding": "gzip"}
        connection.request("POST", "/api/v1/events", iter([packed[:20], packed[20:]]), headers, encode_chunked=True)
        answer = connection.getresponse()
        assert answer.status == 202
        return str(json.load(answer)["results"][0]["incident"])

    def _tells_the_first_at_once(self, sent_at: float) -> None:
        assert self.mail.wait_for(1)[0].recipients == ["alice@example.org"]
        assert self._heard("/hook", 1) == ["incident.opened"]
        assert self._heard("/v2/enqueue", 1) == ["trigger"]
        assert time.monotonic() - sent_at < QUICK
        assert self._heard("/", 0) == []

    def _tells_the_second_way_and_the_next_person_after_a_minute(self, sent_at: float) -> None:
        assert self.mail.wait_for(2, seconds=60 + QUICK)[1].recipients == ["bob@example.org"]
        assert self._heard("/", 1) == ["phone-of-alice"]
        assert 59 < time.monotonic() - sent_at < 60 + 2 * QUICK

    def _is_acknowledged_by_the_link_in_the_mail(self, incident: str) -> None:
        link = re.findall(r"http://\S+/reply/\S+", self.mail.letters[1].text)[0]
        with urllib.request.urlopen(link, timeout=20) as page:  # mail scanners open links: nothing changes
            assert b"Acknowledge" in page.read()
        assert self.installation.get(incident)["status"] == "PENDING"
        with urllib.request.urlopen(link, data=urllib.parse.urlencode({}).encode(), timeout=20) as page:
            assert page.status == 200
        shown = self.installation.get(incident)
        assert (shown["status"], shown["acknowledged_by"]) == ("ACCEPTED", "bob")
        assert shown["next_step"] == "Escalation rests: somebody has it."

    def _heard(self, path: str, count: int) -> list[str]:
        """Return the words of what reached a path, once there are so many."""
        deadline = time.monotonic() + QUICK
        while len(found := [one.json for one in list(self.web.requests) if one.path == path]) < count:
            assert time.monotonic() < deadline, (path, found, self.installation.tail())
            time.sleep(0.05)
        word = {"/hook": "type", "/v2/enqueue": "event_action", "/": "topic"}[path]
        return [one[word] for one in found]

    def _story(self, incident: str) -> list[str]:
        deadline = time.monotonic() + QUICK
        while len(entries := self.installation.get(f"{incident}timeline/")["results"]) < 15:  # the last answer is noted
            assert time.monotonic() < deadline, entries
            time.sleep(0.1)
        assert [one["number"] for one in entries] == list(range(1, 16))
        return sorted(NUMBERS.sub("a moment", one["text"]) for one in entries)


@contextmanager
def embedded(env: dict[str, str], folder: Path) -> Iterator[Place]:
    """`manage.py up` with nothing else."""
    with _around() as (mail, web), running({**env, "EMAIL_URL": mail.url}, folder / "up.log") as installation:
        yield Place(installation, mail, web)


@contextmanager
def celery(env: dict[str, str], folder: Path) -> Iterator[Place]:
    """Web server, a worker with two processes, and beat, on PostgreSQL and Redis."""
    preset = {"TOCSIN_ADMIN_TOKEN": TOKEN, "TOCSIN_ADMIN_PASSWORD": PASSWORD}
    app = ("-m", "celery", "-A", "config.celery")
    with _around() as (mail, web), ExitStack() as trees:
        full = {**env, **preset, "EMAIL_URL": mail.url}
        with Tree(full, "manage.py", "prepare") as tree:
            assert tree.process.wait(60) == 0, tree.text
        trees.enter_context(Tree(full, *app, "worker", "--concurrency", "2"))
        trees.enter_context(Tree(full, *app, "beat", "--pidfile", str(folder / "beat.pid")))
        server = trees.enter_context(Tree(full, "manage.py", "web"))
        server.ready()
        log = folder / "web.log"
        log.write_text("see the trees")
        yield Place(Installation(int(full["PORT"]), log, server.process), mail, web)  # type: ignore[arg-type]


@contextmanager
def _around() -> Iterator[tuple[SmtpSink, HttpSink]]:
    mail, web = SmtpSink(), HttpSink()
    try:
        yield mail, web
    finally:
        mail.stop()
        web.stop()

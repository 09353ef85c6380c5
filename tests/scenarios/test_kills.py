"""Killed with SIGKILL between any two steps: every page leaves, nothing is lost, nothing is done twice.

A message may leave twice only where its outcome was unknown: its sender was killed between the send and the record.
"""

import http.client
import json
import os
import random
import re
import signal
import sqlite3
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Max
from django.utils import timezone
from pytest_django import Settings

from config import schedule
from destinations.models import Connector, Delivery
from incidents import connecting
from incidents.models import AlertSource, Connection, Incident, Page, Run
from incidents.sentences import sentence
from tests import factories
from tests.config.trees import Tree
from tests.factories import T0
from tests.scenarios.mortal import Life, Mortal
from tests.sinks import HttpSink, SmtpSink

KILLS = 45
NIGHT = timedelta(minutes=20)
TOOK = re.compile(r" in \d+\.\d s| after \d tries|, \d+ s late")


class City:
    """Three people, a policy of two steps, a webhook, an alert source; and what must be true of its incidents."""

    def __init__(self, mail: SmtpSink, web: HttpSink, *delays: int, climb: list[tuple[int | None, str]]) -> None:
        """`delays`, in minutes: until the phone's turn, of both steps. `climb`: the steps to be taken, and why."""
        self.mail, self.web, self.climb = mail, web, climb
        alice, bob = factories.make_user("alice"), factories.make_user("bob")
        factories.make_admin()
        phone = factories.make_method(alice, "ntfy", f"{web.url}/phone-of-alice")
        factories.make_rule(alice, phone, minutes=delays[0])
        policy = factories.make_policy((alice, delays[1]), (bob, delays[2]), repeat=0)
        self.source: AlertSource = factories.make_source("Shop", policy=policy)
        hook = Connector.objects.create(name="Hook", kind="webhook", config={"url": f"{web.url}/hook"})
        connecting.save(Connection(), connector=hook, events=["opened", "resolved"])
        self.opened = 0

    def open(self, number: int, now: datetime) -> list[Incident]:
        """Let so many things go wrong."""
        titles = [f"Disk {self.opened + place}" for place in range(number)]
        self.opened += number
        results = factories.send(self.source, *[factories.event(t, dedup_key=t) for t in titles], now=now)
        return [result.incident for result in results if result.incident is not None]

    def resolve(self, incidents: list[Incident], now: datetime) -> None:
        """Let the source say that they are over."""
        factories.send(self.source, *[factories.resolve_event(one.dedup_key) for one in incidents], now=now)

    def prove(self) -> None:
        """Check every incident, page and delivery there is."""
        stories = {one.title: self.story(one) for one in Incident.objects.all()}
        assert len(stories) == self.opened
        first = stories["Disk 0"]
        assert {title: story for title, story in stories.items() if story != first} == {}
        for incident in Incident.objects.all():
            numbers = list(incident.timeline.order_by("number").values_list("number", flat=True))
            assert numbers == list(range(1, incident.entries + 1))
        for run in Run.objects.all():
            taken = list(run.executions.order_by("sequence").values_list("sequence", "position", "reason"))
            assert taken == [(place, *step) for place, step in enumerate(self.climb, start=1)]
        assert Run.objects.count() == self.opened
        assert Counter(Page.objects.values_list("state", flat=True)) == {"sent": (len(self.climb) + 1) * self.opened}
        self._prove_deliveries()

    def _prove_deliveries(self) -> None:
        arrived = self.arrived()
        for one in Delivery.objects.prefetch_related("attempts"):
            lost = sum(attempt.error_code == "lost" for attempt in one.attempts.all())
            copies = arrived[one.uuid.hex if one.kind != "ntfy" else f"#{one.message['number']}"]
            assert one.state == "sent", (one, one.detail)
            assert 1 <= copies <= 1 + lost, (one, copies, lost)

    def arrived(self) -> Counter[str]:
        """Return how often each delivery reached its server; ntfy's by the incident's number, one each."""
        whole = [one for one in self.web.requests if len(one.body) == int(one.headers["content-length"])]
        mails = [str(one.parsed["Message-ID"]).strip("<").partition("@")[0] for one in self.mail.letters]
        hooks = [one.headers["webhook-id"].removeprefix("msg_") for one in whole if one.path == "/hook"]
        pushes = [one.json["title"].partition(" ")[0] for one in whole if one.path == "/"]
        return Counter([*[one.replace("-", "") for one in mails], *hooks, *pushes])

    @staticmethod
    def story(incident: Incident) -> list[str]:
        """Return the timeline in words; of what happens at one instant, the order of answers is anyone's."""
        return sorted(TOOK.sub("", sentence(entry)) for entry in incident.timeline.all())


def unsettled(now: datetime) -> bool:
    """Whether anything is due, or on its way."""
    due = Run.objects.filter(due_at__lte=now)
    return due.exists() or Delivery.objects.filter(state__in=Delivery.OPEN).exists()


def tries() -> int:
    """Return how often that was tried which was tried most and has not left."""
    return Delivery.objects.filter(state__in=Delivery.OPEN).aggregate(most=Max("tries"))["most"] or 0


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_night_killed_between_any_two_steps_ends_as_if_it_had_not_been(
    database: str, request: pytest.FixtureRequest, smtp_sink: SmtpSink, http_sink: HttpSink
) -> None:
    url = request.getfixturevalue(f"{database}_database")
    city = City(smtp_sink, http_sink, 3, 5, 10, climb=[(0, "due"), (1, "due"), (None, "catch_all")])
    seed = random.randrange(10_000)
    print(f"seed {seed}")  # pytest shows it if something fails
    draw, kills, now = random.Random(seed), 0, T0
    with Mortal({**os.environ, "DATABASE_URL": url, "EMAIL_URL": smtp_sink.url}) as mortal:

        def live(fuse: int) -> Life:
            nonlocal kills
            life = mortal.night(clock, now + NIGHT, fuse=fuse, restart=database == "sqlite")
            kills += life.killed
            return life

        incidents, clock = city.open(2, now), now
        whole = live(0).steps
        while kills < KILLS:
            city.resolve(incidents, now + NIGHT)
            now += timedelta(hours=1)
            incidents, clock = city.open(draw.randint(1, 2), now), now
            for most in (whole, whole // 2, whole // 2, 0):  # a page is tried four times before it is given up
                life = live(draw.randint(1, most) if most else 0)
                clock = life.now
                if not life.killed:
                    break
        city.resolve(incidents, now + NIGHT)
        clock = now + NIGHT
        while unsettled(clock):
            live(0)
            clock += timedelta(seconds=40)
    city.prove()


def test_the_engine_itself_killed_again_and_again(
    sqlite_database: str, smtp_sink: SmtpSink, http_sink: HttpSink
) -> None:
    schedule.seed()
    city = City(smtp_sink, http_sink, 0, 0, 600, climb=[(0, "due"), (1, "due")])
    with Mortal({**os.environ, "DATABASE_URL": sqlite_database, "EMAIL_URL": smtp_sink.url}) as mortal:
        kill_again_and_again(city, mortal.engine, 10)
    city.prove()


@pytest.mark.postgres
def test_a_celery_worker_killed_again_and_again(
    postgres_database: str, redis_url: str, smtp_sink: SmtpSink, http_sink: HttpSink, settings: Settings, tmp_path: Path
) -> None:
    schedule.seed()
    settings.CELERY_BROKER_URL = redis_url
    city = City(smtp_sink, http_sink, 0, 0, 600, climb=[(0, "due"), (1, "due")])
    env = {**os.environ, "DATABASE_URL": postgres_database, "CELERY_BROKER_URL": redis_url, "EMAIL_URL": smtp_sink.url}
    beat = ("-m", "celery", "-A", "config.celery", "beat", "--pidfile", str(tmp_path / "beat.pid"))
    with Tree(env, *beat), Mortal(env) as mortal:
        kill_again_and_again(city, mortal.worker, 8)
    city.prove()


def kill_again_and_again(city: City, live: Callable[..., Life], wanted: int) -> None:
    """Let incidents come in while whoever carries them on dies at any step; at last let it live."""
    seed = random.randrange(10_000)
    print(f"seed {seed}")
    draw, kills = random.Random(seed), 0
    while kills < wanted:
        if not unsettled(timezone.now()):
            city.open(2, timezone.now())
        spared = tries() >= 3  # a page is tried four times before it is given up
        kills += live(2, fuse=0 if spared else draw.randint(1, 40)).killed
    while unsettled(timezone.now()):
        live(2)


def test_whatever_was_answered_202_is_there_however_often_the_web_process_is_killed(sqlite_env: dict[str, str]) -> None:
    token = "a preset token of the first admin"
    with Tree({**sqlite_env, "TOCSIN_ADMIN_TOKEN": token}, "manage.py", "up") as tree:
        tree.ready()
        made = call(tree.port, "/api/v1/alert-sources/", {"name": "Shop", "rate_limit": 0}, token)
        key, answered, stop = made["key"], Counter[str](), threading.Event()
        senders = [
            threading.Thread(target=send_on, args=(tree.port, key, answered, stop, number)) for number in range(4)
        ]
        for sender in senders:
            sender.start()
        for kill in range(4):
            tree.until(lambda: answered.total() > 30 * (kill + 1))  # noqa: B023
            worker = tree.pid_of("granian")
            assert worker
            os.kill(worker, signal.SIGKILL)
            tree.until(lambda: tree.pid_of("granian") not in {worker, None})  # noqa: B023
        stop.set()
        for sender in senders:
            sender.join()
    with sqlite3.connect(Path(sqlite_env["TOCSIN_DATA_DIR"]) / "tocsin.sqlite3") as database:
        stored = Counter(key for (key,) in database.execute("SELECT dedup_key FROM incidents_incident"))
        raw = {
            key for (key,) in database.execute("SELECT dedup_key FROM incidents_rawevent WHERE outcome != 'refused'")
        }
    assert set(answered) <= set(stored)
    assert raw == set(stored)
    assert set(stored.values()) == {1}


def send_on(port: str, key: str, answered: Counter[str], stop: threading.Event, number: int) -> None:
    """Send events, three at a time, until told to stop; note the dedup keys of those that were answered 202."""
    for turn in count():
        keys = [f"{number}/{turn}/{place}" for place in range(3)]
        try:
            call(port, "/api/v1/events", [{"title": one, "dedup_key": one, "severity": "info"} for one in keys], key)
        except (OSError, http.client.HTTPException):  # killed meanwhile, or not yet there again
            stop.wait(0.02)
        else:
            answered.update(keys)
        if stop.is_set():
            return


def call(port: str, path: str, body: object, token: str) -> Any:
    """POST and return the JSON of a good answer. Raises OSError or HTTPException for any other, and for none."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)

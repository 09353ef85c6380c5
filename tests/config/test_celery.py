"""The table of jobs, the tables of beat, and real workers on a real broker."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from celery import current_app
from django.utils import timezone
from django.utils.module_loading import import_string
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django import Settings

from config import health, schedule
from config.celery import JOBS, Job, app, run
from config.engine import wake
from config.models import Tick
from tests.config.trees import Tree

CELERY = ("-m", "celery", "-A", "config.celery")


def test_every_job_is_a_real_function_and_a_task_of_its_name() -> None:
    assert len({job.name for job in JOBS}) == len({job.path for job in JOBS}) == len(JOBS)
    for job in JOBS:
        assert callable(import_string(job.path)), job.path
        assert job.path in app.tasks
        for part in filter(None, (job.resident, job.first)):
            assert callable(import_string(part)), part


def test_whatever_sends_a_task_uses_our_broker() -> None:
    assert current_app.main == "tocsin"
    assert not app.conf.task_always_eager
    assert app.conf.task_time_limit < app.conf.broker_transport_options["visibility_timeout"] <= 120


@pytest.mark.django_db
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.path)
def test_every_job_runs_on_an_empty_installation(job: Job) -> None:
    assert run(job.path) == 0


@pytest.mark.django_db
def test_the_tables_are_filled_once_and_keep_what_an_admin_changed() -> None:
    assert schedule.seed() == len(JOBS)
    slower = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.filter(name="Watch").update(interval=slower, enabled=False)
    assert schedule.seed() == 0
    changed = PeriodicTask.objects.get(name="Watch")
    assert (changed.interval, changed.enabled) == (slower, False)
    assert set(PeriodicTask.objects.values_list("task", flat=True)) == {job.path for job in JOBS}


@pytest.mark.postgres
def test_worker_and_beat_run_the_jobs_and_a_wake_needs_no_beat(
    postgres_env: dict[str, str], postgres_database: str, redis_url: str, settings: Settings, tmp_path: Path
) -> None:
    settings.CELERY_BROKER_URL = redis_url
    env = {**postgres_env, "DATABASE_URL": postgres_database}
    schedule.seed()
    with Tree(env, *CELERY, "worker", "--concurrency", "1", "--without-mingle", "--without-gossip") as worker:
        with Tree(env, *CELERY, "beat", "--pidfile", str(tmp_path / "beat.pid")) as beat:
            beat.until(Tick.objects.exists)
            assert health.state(timezone.now()).reasons() == []
            assert beat.end() < 25
        worker.until(lambda: _age() > timedelta(seconds=2))
        wake("config.health.beat")
        worker.until(lambda: _age() < timedelta(seconds=1.5))
        assert worker.end() < 25
        assert "Traceback" not in worker.text


def _age() -> timedelta:
    ticked: datetime = Tick.objects.get().at
    return timezone.now() - ticked

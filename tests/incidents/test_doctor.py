"""`manage.py doctor`: each finding names what to do."""

import json
import socket
from io import StringIO

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from django.core.management import call_command
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings

from config import health, schedule
from incidents import doctor
from incidents.doctor import Finding, Grade
from tests import servers
from tests.factories import make_admin, make_policy, make_source

pytestmark = pytest.mark.django_db


def finding(check: str) -> Finding:
    return next(one for one in doctor.examine(timezone.now()) if one.check == check)


def test_every_finding_that_is_not_good_has_a_remedy() -> None:
    found = doctor.examine(timezone.now())
    assert {one.check for one in found} == {
        "database", "migrations", "engine", "jobs", "keys", "mail", "public URL", "admins", "policies"
    }  # fmt: skip
    assert all(bool(one.remedy) == (one.grade is not Grade.GOOD) for one in found)


def test_a_healthy_installation_is_all_good(settings: Settings) -> None:
    mail = Controller(Sink(), hostname="127.0.0.1", port=servers.free_port())
    mail.start()
    settings.EMAIL_URL = f"smtp://127.0.0.1:{mail.port}"
    settings.PUBLIC_URL = "https://tocsin.example.com"
    schedule.seed()
    health.beat(timezone.now(), 1)
    make_source(policy=make_policy(([make_admin()], 5)))
    try:
        found = doctor.examine(timezone.now())
        assert [one for one in found if one.grade is not Grade.GOOD] == []
        out = StringIO()
        call_command("doctor", "--json", stdout=out)
    finally:
        mail.stop()
    assert {one["check"] for one in json.loads(out.getvalue())} >= {"clock", "engine", "mail"}


def test_a_bad_finding_is_the_exit_code() -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("doctor", stdout=out)
    assert stopped.value.code == 1
    assert "BAD      engine" in out.getvalue()


def test_a_mail_server_that_is_not_there_is_bad(settings: Settings) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        settings.EMAIL_URL = f"smtp://user:very-secret@127.0.0.1:{silent.getsockname()[1]}"
        found = finding("mail")
    assert found.grade is Grade.BAD
    assert "very-secret" not in found.detail
    settings.EMAIL_URL = ""
    assert finding("mail").grade is Grade.WARNING


def test_a_job_that_was_switched_off_is_named() -> None:
    schedule.seed()
    assert finding("jobs").grade is Grade.GOOD
    PeriodicTask.objects.filter(name="Escalation").update(enabled=False)
    assert "Escalation" in finding("jobs").detail


def test_an_admin_whom_nobody_can_reach_is_bad() -> None:
    assert "no active administrator" in finding("admins").detail
    person = make_admin()
    assert finding("admins").grade is Grade.GOOD
    person.contact_methods.update(verified_at=None)
    assert finding("admins").grade is Grade.BAD


@pytest.mark.parametrize(
    ("url", "grade"),
    [
        ("https://tocsin.example.com", Grade.GOOD),
        ("http://tocsin.example.com", Grade.WARNING),
        ("http://127.0.0.1:8000", Grade.WARNING),
        ("tocsin.example.com", Grade.BAD),
    ],
)
def test_the_public_url_must_be_one_that_phones_reach(url: str, grade: Grade, settings: Settings) -> None:
    settings.PUBLIC_URL = url
    assert finding("public URL").grade is grade

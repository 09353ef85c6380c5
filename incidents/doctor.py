"""What has to be right for a page to arrive: one check a function, each with its remedy. Nothing is changed."""

import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django_celery_beat.models import PeriodicTask

from config import celery, health, secrets
from destinations import http
from incidents.models import AlertSource
from oncall.models import ContactMethod, EscalationPolicy
from oncall.targets import admins

MAIL_SECONDS = 5
SHORTEST_KEY = 32


class Grade(StrEnum):
    """How bad a finding is."""

    GOOD = "good"
    WARNING = "warning"  # it works, but not for everyone or not for long
    BAD = "bad"  # a page may not arrive


@dataclass(frozen=True)
class Finding:
    """What one check found. `remedy` says what to do, and is empty when all is well."""

    check: str
    grade: Grade
    detail: str
    remedy: str = ""


def examine(now: datetime) -> list[Finding]:
    """Run every check; when the database does not answer, those that need none."""
    database = _database()
    if database.grade is Grade.BAD:
        return [database, _keys(), _mail(), _public_url()]
    migrations = _migrations()
    if migrations.grade is Grade.BAD:
        return [database, migrations, _keys(), _mail(), _public_url()]
    checks: list[Callable[[], Finding]] = [_keys, _jobs, _mail, _public_url, _admins, _policies]
    return [database, migrations, *_engine(now), *(check() for check in checks)]


def _good(check: str, detail: str) -> Finding:
    return Finding(check, Grade.GOOD, detail)


def _database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as exc:
        reason = " ".join(str(exc).split())
        return Finding("database", Grade.BAD, f"does not answer: {reason}", "Start it, or mend DATABASE_URL.")
    return _good("database", f"{connection.vendor} answers")


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Finding("migrations", Grade.BAD, f"{len(missing)} not run", "Run manage.py prepare.")
    return _good("migrations", "all run")


def _engine(now: datetime) -> list[Finding]:
    state = health.state(now)
    reasons = state.reasons()
    if reasons:
        return [Finding("engine", Grade.BAD, reason, "Read its log; restart it.") for reason in reasons]
    age = state.tick_age.total_seconds() if state.tick_age else 0.0
    difference = state.clock_difference.total_seconds()
    return [
        _good("engine", f"ticked {age:.0f} s ago, nothing due is left lying"),
        _good("clock", f"{abs(difference):.1f} s from the database's"),
    ]


def _jobs() -> Finding:
    running = set(PeriodicTask.objects.filter(enabled=True).values_list("task", flat=True))
    missing = [job.name for job in celery.JOBS if job.path not in running]
    if missing:
        remedy = "Run manage.py prepare; switch on under Periodic tasks what was switched off."
        return Finding("jobs", Grade.BAD, f"not running: {', '.join(missing)}", remedy)
    return _good("jobs", f"{len(celery.JOBS)} are on")


def _keys() -> Finding:
    try:
        secrets.encrypt("")
    except ImproperlyConfigured as exc:
        return Finding("keys", Grade.BAD, str(exc), "Mend TOCSIN_FIELD_KEYS.")
    if len(settings.SECRET_KEY) < SHORTEST_KEY:
        return Finding(
            "keys", Grade.BAD, "TOCSIN_SECRET_KEY is short", f"Use {SHORTEST_KEY} random characters or more."
        )
    return _good("keys", "secret key and field keys are set")


def _mail() -> Finding:
    if not settings.EMAIL_URL:
        remedy = "Set EMAIL_URL=smtp+tls://user:password@host:587 and restart."
        return Finding("mail", Grade.WARNING, "EMAIL_URL is not set: mail reaches nobody", remedy)
    try:
        _greet_mail_server()
    except (OSError, smtplib.SMTPException, ValueError) as exc:
        host = urlsplit(settings.EMAIL_URL).hostname or "no host"
        detail = f"{host} does not take us: {type(exc).__name__}"
        return Finding("mail", Grade.BAD, detail, "Check host, port, user and password of EMAIL_URL.")
    return _good("mail", f"{urlsplit(settings.EMAIL_URL).hostname} takes us")


def _greet_mail_server() -> None:
    url = urlsplit(settings.EMAIL_URL)
    host = url.hostname or ""
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, url.port or 465, timeout=MAIL_SECONDS, context=http.trust())
    else:
        server = smtplib.SMTP(host, url.port or (587 if url.scheme == "smtp+tls" else 25), timeout=MAIL_SECONDS)
    with server:
        server.ehlo_or_helo_if_needed()
        if url.scheme == "smtp+tls":
            server.starttls(context=http.trust())
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))


def _public_url() -> Finding:
    url = urlsplit(settings.PUBLIC_URL)
    if url.scheme not in {"http", "https"} or not url.hostname:
        return Finding("public URL", Grade.BAD, f"{settings.PUBLIC_URL} is no address", "Mend TOCSIN_PUBLIC_URL.")
    if url.hostname in {"127.0.0.1", "localhost", "::1"}:
        remedy = "Set TOCSIN_PUBLIC_URL to the address that people's phones reach, such as https://tocsin.example.com"
        return Finding("public URL", Grade.WARNING, f"{settings.PUBLIC_URL}: links work on this machine only", remedy)
    if url.scheme == "http":
        remedy = "Put a proxy with a certificate in front and set TOCSIN_PUBLIC_URL=https://..."
        return Finding("public URL", Grade.WARNING, f"{settings.PUBLIC_URL} is not encrypted", remedy)
    return _good("public URL", settings.PUBLIC_URL)


def _admins() -> Finding:
    people = admins()
    if not people:
        remedy = "Make one: manage.py createsuperuser"
        return Finding("admins", Grade.BAD, "there is no active administrator: the catch-all reaches nobody", remedy)
    usable = ContactMethod.objects.filter(user__in=people, verified_at__isnull=False, disabled_at=None)
    if not usable.exists():
        remedy = "Sign in, open My contact methods, add one and confirm the code."
        return Finding("admins", Grade.BAD, "no administrator has a verified contact method", remedy)
    return _good("admins", f"{len(people)}, reachable")


def _policies() -> Finding:
    if not EscalationPolicy.objects.exists():
        remedy = "Make an escalation policy and give it to your alert sources."
        return Finding("policies", Grade.WARNING, "there is none: every incident goes to the catch-all", remedy)
    without = AlertSource.objects.filter(escalation_policy=None, built_in=False, enabled=True)
    names = ", ".join(without.values_list("name", flat=True)[:5])
    if names:
        return Finding(
            "policies", Grade.WARNING, f"alert sources without one: {names}", "Give each an escalation policy."
        )
    return _good("policies", "every alert source has one")

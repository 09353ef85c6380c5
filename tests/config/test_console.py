"""The console's frame: the sidebar, signing in, refusals, words for times."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from config.console import SIDEBAR
from config.templatetags.console import initials, rough, severity, short, told_apart
from tests.incidents.admin.visiting import browser

OPEN = {"console-choose-password", "console-password-chosen"}  # a signed link of an invitation is the key
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def routes(node: URLResolver | None = None) -> list[str]:
    found: list[str] = []
    for one in (node or get_resolver()).url_patterns:
        if isinstance(one, URLPattern):
            found += [one.name] if one.name and (one.name.startswith("console-") or one.name == "home") else []
        elif isinstance(one, URLResolver):
            found += routes(one)
    return found


def address(name: str) -> str:
    """Return an address of a route, with some number or id where it asks for one."""
    pattern: tuple[str, list[str]] = get_resolver().reverse_dict.getlist(name)[0][0][0]
    words = {
        word: 1 if word == "number" else "x" if word in {"name", "kind"} else "5f0c6a0e-0d4f-4b5c-8f0a-2f6f8f1c9d10"
        for word in pattern[1]
    }
    return "/" + pattern[0] % words


def test_every_line_of_the_sidebar_leads_somewhere() -> None:
    for _, items in SIDEBAR:
        for item in items:
            assert reverse(item.route), item.title


@pytest.mark.django_db
def test_the_sidebar_shows_what_one_may_open() -> None:
    shown = {}
    for role in ("admin", "manager", "responder", "stakeholder", "none"):
        client, _ = browser(*([] if role == "none" else [role]), username=role)
        groups = client.get("/").context["sidebar_navigation"]
        shown[role] = [str(item["title"]) for group in groups for item in group["items"]]
    assert "Jobs" in shown["admin"]
    assert "Jobs" not in shown["manager"]
    assert "Raw events" in shown["responder"]
    assert "Raw events" not in shown["stakeholder"]
    assert "Incidents" in shown["stakeholder"]
    assert "Incidents" not in shown["none"]
    assert shown["none"][0] == "Home"


@pytest.mark.django_db
def test_one_line_of_the_sidebar_is_where_one_is() -> None:
    client, _ = browser("admin")
    for path, title in (("/", "Home"), ("/incidents/", "Incidents"), ("/raw-events/", "Raw events")):
        groups = client.get(path).context["sidebar_navigation"]
        assert [str(item["title"]) for group in groups for item in group["items"] if item["active"]] == [title]


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(routes()) - OPEN))
def test_no_page_and_no_button_works_without_signing_in(name: str) -> None:
    for method in ("get", "post"):
        answer = getattr(Client(), method)(address(name))
        assert answer.status_code == 302, (method, name)
        assert answer["Location"].startswith("/login/?next="), (method, name)


@pytest.mark.django_db
def test_signing_in_leads_back_to_where_one_was() -> None:
    _, user = browser("responder")
    user.set_password("correct horse battery")
    user.is_staff = False
    user.save()
    client = Client()
    page = client.get("/login/?next=/incidents/7/")
    assert 'name="next" value="/incidents/7/"' in page.content.decode()
    said = {"username": user.username, "password": "correct horse battery", "next": "/incidents/7/"}
    assert client.post("/login/", said)["Location"] == "/incidents/7/"
    elsewhere = client.post("/login/", {**said, "next": "https://evil.example/"})
    assert elsewhere["Location"] == "/"


@pytest.mark.django_db
def test_a_wrong_password_says_so_and_five_shut_the_door_for_a_while() -> None:
    _, user = browser("responder")
    client = Client()
    for _ in range(4):
        answer = client.post("/login/", {"username": user.username, "password": "wrong"})
        assert "correct username and password" in answer.content.decode()
    answer = client.post("/login/", {"username": user.username, "password": "wrong"})
    assert (answer.status_code, "15 minutes" in answer.content.decode()) == (429, True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"), [("/admin/", 302), ("/admin", 302), ("/nothing/here", 404), ("/login/", 200)]
)
def test_other_addresses(path: str, status: int) -> None:
    answer = Client().get(path)
    assert answer.status_code == status
    if status == 302:
        assert answer["Location"] == "/"
    if status == 404:
        assert "Nothing here has this address" in answer.content.decode()


@pytest.mark.django_db
def test_a_page_is_never_kept_by_a_browser() -> None:
    client, _ = browser("admin")
    assert "no-store" in client.get("/")["Cache-Control"]
    assert client.get("/live/")["Cache-Control"] == "private, no-cache"


@pytest.mark.django_db
def test_no_page_has_a_script_of_its_own_or_anything_from_elsewhere() -> None:
    client, _ = browser("admin")
    for path in ("/", "/incidents/", "/incidents/new/", "/raw-events/", "/django_celery_beat/periodictask/"):
        page = client.get(path).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page), path
        assert not re.search(r'(src|href)="(https?:)?//', page), path
        assert client.get(path)["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["manager", "responder", "stakeholder"])
def test_jobs_are_for_administrators_and_cannot_be_added(role: str) -> None:
    jobs = "/django_celery_beat/periodictask/"
    client, _ = browser(role)
    assert client.get(jobs).status_code == 403
    admin, _ = browser("admin", username="root")
    assert (admin.get(jobs).status_code, admin.get(f"{jobs}add/").status_code) == (200, 403)


@pytest.mark.django_db
def test_a_password_change_is_open_to_everybody_who_is_signed_in() -> None:
    client, _ = browser()
    assert client.get("/password_change/").status_code == 200


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 d"),
    ],
)
def test_a_length_of_time_at_a_glance(span: timedelta, words: str) -> None:
    assert rough(span) == words
    expected = "now" if span < timedelta(seconds=1) else f"{words} ago"
    assert told_apart(NOON - span, NOON) == expected
    if span >= timedelta(seconds=1):
        assert told_apart(NOON + span, NOON) == f"in {words}"


def test_the_day_stands_beside_the_time_where_it_is_another() -> None:
    with timezone.override("Europe/Riga"):
        assert short(NOON, NOON) == "14:00"
        assert short(NOON + timedelta(hours=11), NOON) == "Sun 01:00"  # still Saturday in UTC
        assert short(NOON - timedelta(days=30), NOON) == "22 Oct 15:00"  # summer time


def test_words_and_shapes() -> None:
    assert [initials(one) for one in ("Alice Ahn", "bob", "", "Ada de la Cruz")] == ["AA", "B", "", "AC"]
    shapes = {re.sub("[a-z]*</span>$", "", str(severity(one))) for one in ("critical", "error", "warning", "info")}
    assert len({re.search("<(path|circle)[^>]*>", one)[0] for one in shapes}) == 4  # type: ignore[index]


def test_what_the_pages_load_is_there() -> None:
    for name in ("console/console.css", "console/console.js", "console/tocsin.svg", "console/plain.css"):
        assert finders.find(name), name

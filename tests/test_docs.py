"""What the documentation says is there: links, addresses, commands, settings, files, words, figures."""

import re
import tomllib
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from destinations import retry
from destinations.base import Outcome
from destinations.models import Delivery
from incidents.models import RawEvent, Status, TimelineEntry
from incidents.routing import EVENT_WORDS
from oncall.models.access import SCOPES
from tests import reference
from tests.test_house import READ

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
ROUTE = re.compile(r"^(?:GET, POST |GET |POST |PATCH |PUT |DELETE )?(/[\w{<][^\s]*|/)$")
OURS_IN_COMMANDS = re.compile(r"https?://(?:127\.0\.0\.1:\d+|tocsin\.example\.com)(/[^\s'\"`<>]*(?:<[^>]+>)?)")
MANAGE = re.compile(r"manage\.py ([a-z_]+)([^\n`#]*)")
SETTING = re.compile(r"\b(TOCSIN_[A-Z_]+|DATABASE_URL|EMAIL_URL|CELERY_BROKER_URL)\b")
FILE = re.compile(r"^(?:config|destinations|oncall|incidents|tests|docs|\.ci)/[\w./-]*$")
UUID = "00000000-0000-4000-8000-000000000000"
IMAGINED = {"destinations/kinds/gotify.py", "tests/destinations/kinds/test_gotify.py"}
TESTS_OWN = {"TOCSIN_TEST_DATABASE_URL", "TOCSIN_TEST_REDIS_URL"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def spans(text: str) -> list[str]:
    """Return what stands between backticks, outside of code blocks."""
    return SPAN.findall(FENCE.sub("", text))


def blocks(text: str) -> str:
    return "\n".join(found.group() for found in FENCE.finditer(text))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that headings have, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found)


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not link.startswith(("http://", "https://", "mailto:")):
            path, _, anchor = link.partition("#")
            yield link, (page.parent / path).resolve() if path else page, anchor


@pytest.mark.parametrize("doc", PAGES, ids=name)
def test_links_lead_somewhere(doc: Path) -> None:
    for link, target, anchor in links(doc):
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_found_from_the_readme() -> None:
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in found and page.suffix == ".md":
            found.add(page)
            waiting += [target for _, target, _ in links(page)]
    assert set(PAGES) - found == set()


@pytest.mark.parametrize("doc", PAGES, ids=name)
def test_addresses_are_routed(doc: Path) -> None:
    text = doc.read_text(encoding="utf-8")
    named = [found[1] for span in spans(text) if (found := ROUTE.match(span))]
    named += OURS_IN_COMMANDS.findall(text)
    for address in named:
        if address.endswith(("/...", "...")) or address in PREFIXES:
            continue
        assert routed(address), address


PREFIXES = {"/api/", "/api/v1", "/integrations/", "/v2/", "/reply/"}  # beginnings of addresses, told as such


def routed(address: str) -> bool:
    path = address.partition("?")[0]
    path = path.replace("<kind>", "events").replace("<key>", "k").replace("<the key>", "k").replace("<your key>", "k")
    for wildcard in (UUID, "1"):
        try:
            resolve(re.sub(r"\{\w+\}|<\w+>", wildcard, path))
        except Resolver404:
            continue
        return True
    return False


@pytest.mark.parametrize("doc", PAGES, ids=name)
def test_commands_and_their_options_exist(doc: Path) -> None:
    text = doc.read_text(encoding="utf-8")
    for command, rest in MANAGE.findall(text):
        if command == "help":
            continue
        assert command in get_commands(), command
        parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
        known = parser.format_help() + "".join(
            sub.format_help() for action in parser._actions for sub in _parsers(action.choices)
        )
        for option in re.findall(r"(?<!\S)--[a-z-]+", rest):
            assert option in known, f"{command} {option}"


def _parsers(choices: object) -> list[ArgumentParser]:
    found = choices.values() if isinstance(choices, dict) else ()
    return [one for one in found if isinstance(one, ArgumentParser)]


@pytest.mark.parametrize("doc", PAGES, ids=name)
def test_settings_that_are_named_are_read(doc: Path) -> None:
    read = set(READ.findall((ROOT / "config/settings.py").read_text(encoding="utf-8"))) | TESTS_OWN
    named = set(SETTING.findall(doc.read_text(encoding="utf-8")))
    assert named - read == set()


@pytest.mark.parametrize("doc", PAGES, ids=name)
def test_files_that_are_named_exist(doc: Path) -> None:
    for span in spans(doc.read_text(encoding="utf-8")):
        if FILE.match(span) and span not in IMAGINED:
            assert (ROOT / span).exists(), span


@pytest.mark.parametrize("doc", PAGES, ids=name)
def test_targets_of_make_that_are_named_exist(doc: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = doc.read_text(encoding="utf-8")
    named = [
        found
        for span in (*spans(text), *blocks(text).splitlines())
        for found in re.findall(r"\bmake ([a-z0-9]+)", span)
    ]
    assert set(named) - targets == set()


@pytest.mark.parametrize("doc", sorted(reference.MADE))
def test_what_is_made_from_code_is_up_to_date(doc: str) -> None:
    text = (reference.REFERENCE / doc).read_text(encoding="utf-8")
    assert text == reference.put(text, reference.MADE[doc]()), "Run: .venv/bin/python -m tests.reference"


def test_every_runtime_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[<>=~!]", one)[0] for one in project["dependencies"]}
    page = (ROOT / "docs/decisions/008-dependencies.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == wanted


def test_every_rule_that_is_cited_is_told_and_stands_where_it_says() -> None:
    page = (ROOT / "docs/reference/rules.md").read_text(encoding="utf-8")
    rows = {found[1]: found[0] for found in re.finditer(r"^\| ([A-Z]\d+) \|.*\|$", page, re.MULTILINE)}
    cited = {
        rule
        for package in reference.APPS
        for file in (ROOT / package).rglob("*.py")
        for rule in re.findall(
            r"\b([RENAIF]\d{1,2})\b", re.sub(r"#\s*noqa[^\n]*", "", file.read_text(encoding="utf-8"))
        )
    }
    assert cited - set(rows) == set()
    for rule, row in rows.items():
        _, carried_out, proved = (SPAN.findall(cell) for cell in row.strip("| ").split(" | ")[1:])
        assert carried_out, rule
        assert proved, rule
        assert all(file.startswith("tests/") for file in proved), rule


def test_the_words_of_events_and_outcomes_are_all_told() -> None:
    told = set(spans((ROOT / "docs/reference/events.md").read_text(encoding="utf-8")))
    assert set(EVENT_WORDS) <= told
    assert set(TimelineEntry.Kind.values) <= told
    assert set(Status.values) <= told
    assert set(Delivery.State.values) <= told
    assert {outcome.value for outcome in Outcome} <= told
    assert set(RawEvent.Outcome.values) <= set(
        spans((ROOT / "docs/reference/event-api.md").read_text(encoding="utf-8"))
    )
    assert set(SCOPES) <= set(spans((ROOT / "docs/reference/rest.md").read_text(encoding="utf-8")))


def test_the_retry_calendar_is_the_one_that_is_followed() -> None:
    page = (ROOT / "docs/reference/deliveries.md").read_text(encoding="utf-8")
    told = []
    for figures, unit in re.findall(r"^\| (?:first|then) \| ([\d, ]+) (s|min) \|$", page, re.MULTILINE):
        seconds = 1 if unit == "s" else 60
        told += [timedelta(seconds=int(figure) * seconds) for figure in figures.split(", ")]
    assert tuple(told) == retry.CONNECTOR_WAITS
    minutes = sum(told, timedelta()) // timedelta(minutes=1)
    assert f"{len(told) + 1} tries over {minutes} minutes" in page
    assert len(retry.PAGE_WAITS) + 1 == 4
    assert "tried 4 times, 15 s apart" in page


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs/images").iterdir())
    assert pictures
    assert all(picture.stat().st_size < 300_000 for picture in pictures)

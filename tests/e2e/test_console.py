"""The console in a real browser, wide and on a phone: from sign-in to a resolved incident, while the engine works.

Everything is real: `manage.py up`, a mail server, Debian's Chromium. Any error of a script and any request to elsewhere
fails the test in which it happens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import servers
from tests.installation import PASSWORD, Installation, Source, running
from tests.sinks import SmtpSink

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
WIDE, PHONE = (1440, 900), (390, 844)
SIZES = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
PAGES = [
    "/",
    "/incidents/",
    "/incidents/?tab=resolved",
    "/incidents/?q=zebra+foo:bar",
    "/incidents/new/",
    "/incidents/{number}/",
    "/raw-events/",
    "/schedules/",
    "/policies/",
    "/people/",
    "/teams/",
    "/sources/",
    "/destinations/",
    "/connections/",
    "/deliveries/",
    "/tokens/",
    "/me/",
    "/django_celery_beat/periodictask/",
    "/incidents/999999/",
]

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def smtp() -> Iterator[SmtpSink]:
    sink = SmtpSink()
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def tocsin(smtp: SmtpSink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("console")
    env = {"TOCSIN_DATA_DIR": str(folder / "data"), "PORT": str(servers.free_port()), "EMAIL_URL": smtp.url}
    with running({**env, "DATABASE_URL": "", "CELERY_BROKER_URL": ""}, folder / "tocsin.log") as made:
        made.add_person("alice", "email", "alice@example.org")
        made.add_policy("Core", "alice")
        yield made


@pytest.fixture(scope="module")
def shop(tocsin: Installation) -> Source:
    return tocsin.add_source("Shop", escalation_policy="Core")


Open = Callable[..., Page]


@pytest.fixture
def window(chromium: Browser, tocsin: Installation) -> Iterator[Open]:
    """Open a window of a size (and "light" or "dark") in which the admin is signed in."""
    with _windows(chromium, tocsin) as open_one:
        yield open_one


@contextmanager
def _windows(chromium: Browser, tocsin: Installation) -> Iterator[Open]:
    wrong: list[str] = []
    contexts = []

    def open_one(size: tuple[int, int], scheme: str = "light") -> Page:
        context = chromium.new_context(
            base_url=tocsin.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,  # type: ignore[arg-type]
            reduced_motion="reduce",
            is_mobile=size == PHONE,
            has_touch=size == PHONE,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
        page.on("console", lambda said: wrong.append(f"{page.url}: {said.text}") if _is_fault(said) else None)
        page.on("request", lambda asked: None if _is_ours(asked.url, tocsin) else wrong.append(f"asked {asked.url}"))
        page.goto("/login/")
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert wrong == []


def _is_fault(said: object) -> bool:
    text = getattr(said, "text", "")
    expected = ("status of 404", "ERR_INTERNET_DISCONNECTED", "htmx:sendError", "htmx:afterRequest")
    return getattr(said, "type", "") == "error" and not any(words in text for words in expected)


def _is_ours(url: str, tocsin: Installation) -> bool:
    return url.startswith((f"{tocsin.url}/", "data:", "blob:"))


def _opened(tocsin: Installation, shop: Source, title: str) -> int:
    return int(tocsin.send(shop, {"title": title, "severity": "critical", "labels": {"team": "core"}})[0]["number"])


def _stays_inside(page: Page) -> None:
    width, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= inner, f"{page.url} scrolls sideways: {width} > {inner}"


@SIZES
def test_from_sign_in_to_a_resolved_incident(
    window: Open, tocsin: Installation, shop: Source, smtp: SmtpSink, size: tuple[int, int]
) -> None:
    page = window(size)
    title = f"Disk 96 % full on db-{size[0]}"
    number = _opened(tocsin, shop, title)
    page.get_by_role("link", name=title).click()  # it shows on the first page by itself
    expect(page.locator(".pill").first).to_have_text("PENDING")
    told = page.locator(".told-person")
    expect(told).to_contain_text("Alice", timeout=10_000)
    expect(told).to_contain_text("sent", timeout=10_000)  # the page asks, nobody reloads
    expect(page.locator(".next")).to_contain_text("unless somebody answers")
    _stays_inside(page)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".pill").first).to_have_text("ACCEPTED")
    expect(page.locator("#incident-timeline")).to_contain_text("Acknowledged by Administrator")
    page.get_by_role("textbox", name="Note").fill("Cleaning up <b>old</b> logs.")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator("#incident-timeline")).to_contain_text("Cleaning up <b>old</b> logs.")
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".pill").first).to_have_text("RESOLVED")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    _stays_inside(page)
    assert tocsin.get("/api/v1/incidents/?status=RESOLVED&page_size=1")["results"][0]["number"] == number


def test_on_a_phone_state_title_age_and_the_verbs_fit_the_first_screen(
    window: Open, tocsin: Installation, shop: Source
) -> None:
    number = _opened(tocsin, shop, "A title that is long enough to need a second line on a small screen, as titles do")
    page = window(PHONE)
    page.goto(f"/incidents/{number}/")
    for what in (".pill", ".severity", ".state-line time", ".incident-title", "#verb-acknowledge", "#verb-escalate"):
        box = page.locator(what).first.bounding_box()
        assert box is not None, what
        assert box["y"] >= 0, what
        assert box["y"] + box["height"] <= PHONE[1], what
    page.mouse.wheel(0, 4000)  # the verbs stay in reach of the thumb
    box = page.locator("#verb-acknowledge").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= PHONE[1]
    assert box["height"] >= 48


@pytest.mark.parametrize("scheme", ["light", "dark"])
@SIZES
def test_every_page_stays_inside_and_can_be_read(
    window: Open, tocsin: Installation, shop: Source, size: tuple[int, int], scheme: str
) -> None:
    number = _opened(tocsin, shop, f"{'unbreakable' * 15} {size[0]} {scheme}")
    page = window(size, scheme)
    faint: dict[str, list[str]] = {}
    for path in PAGES:
        page.goto(path.format(number=number))
        page.wait_for_function("!document.documentElement.hasAttribute('x-cloak')")
        _stays_inside(page)
        if found := page.evaluate(CONTRAST):
            faint[path] = found
        if size == PHONE:
            low = page.evaluate(
                "[...document.querySelectorAll('.page .button, .page .verb')].filter(one => one.checkVisibility()"
                " && one.getBoundingClientRect().height < 47.5).map(one => one.textContent.trim())"
            )
            assert low == [], f"{path}: too low for a thumb: {low}"
    assert faint == {}


def test_the_keys(window: Open, tocsin: Installation, shop: Source) -> None:
    number = _opened(tocsin, shop, "Keys")
    page = window(WIDE)
    page.goto("/incidents/")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("Keys status:open")
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/?tab=open&q=Keys**")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{number}/")
    page.keyboard.press("?")
    expect(page.locator("dialog.keys")).to_be_visible()
    page.keyboard.press("r")  # a key pressed under the help presses no button
    page.keyboard.press("Escape")
    expect(page.locator(".pill").first).to_have_text("PENDING")
    page.keyboard.press("a")
    expect(page.locator(".pill").first).to_have_text("ACCEPTED")
    page.get_by_role("textbox", name="Note").click()
    page.keyboard.type("are we sure")  # letters in a field are letters
    expect(page.locator(".pill").first).to_have_text("ACCEPTED")
    page.locator("h2.incident-title").click()
    page.keyboard.press("r")
    expect(page.locator(".pill").first).to_have_text("RESOLVED")


def test_many_at_once(window: Open, tocsin: Installation, shop: Source) -> None:
    numbers = [_opened(tocsin, shop, f"Many {place}") for place in range(3)]
    page = window(WIDE)
    page.goto("/incidents/?q=Many")
    for number in numbers:
        page.get_by_label(f"Choose #{number}").check()
    page.locator("#bulk").get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("3 acknowledged.")).to_be_visible()
    for number in numbers:
        page.get_by_label(f"Choose #{number}").check()
    page.locator("#bulk").get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("3 resolved.")).to_be_visible()


def test_what_is_chosen_or_opened_survives_the_polling(window: Open, tocsin: Installation, shop: Source) -> None:
    number = _opened(tocsin, shop, "Chosen")
    page = window(WIDE)
    page.goto("/incidents/?q=Chosen")
    page.get_by_label(f"Choose #{number}").check()
    _opened(tocsin, shop, "Chosen too")
    page.wait_for_timeout(6_500)  # longer than the period
    expect(page.get_by_label(f"Choose #{number}")).to_be_checked()
    page.goto(f"/incidents/{number}/")
    page.get_by_role("textbox", name="Note").fill("half a sentence")
    tocsin.send(shop, {"title": "Chosen", "severity": "critical", "dedup_key": "another"})
    tocsin.post(f"/api/v1/incidents/{_uuid(tocsin, number)}/notes/", {"text": "from elsewhere"})
    expect(page.locator("#incident-timeline")).to_contain_text("from elsewhere", timeout=10_000)
    expect(page.get_by_role("textbox", name="Note")).to_have_value("half a sentence")


def _uuid(tocsin: Installation, number: int) -> str:
    rows = tocsin.get("/api/v1/incidents/?page_size=200")["results"]
    return str(next(row["id"] for row in rows if row["number"] == number))


def test_a_lost_connection_is_said_and_forgotten(window: Open, tocsin: Installation, shop: Source) -> None:
    number = _opened(tocsin, shop, "Lost")
    page = window(PHONE)
    page.goto(f"/incidents/{number}/")
    page.context.set_offline(True)
    expect(page.locator("#offline")).to_contain_text("what you see may be old", timeout=10_000)
    page.context.set_offline(False)
    expect(page.locator("#offline")).to_have_count(0, timeout=10_000)


def test_a_time_shows_exactly_when_it_is_tapped(window: Open, tocsin: Installation, shop: Source) -> None:
    number = _opened(tocsin, shop, "Tap")
    page = window(PHONE)
    page.goto(f"/incidents/{number}/")
    age = page.locator(".state-line time")
    age.tap()
    expect(age).to_contain_text("UTC")


def test_without_a_script_the_page_still_works(chromium: Browser, tocsin: Installation, shop: Source) -> None:
    number = _opened(tocsin, shop, "Plain")
    context = chromium.new_context(base_url=tocsin.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/incidents/{number}/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".pill").first).to_have_text("ACCEPTED")
    context.close()

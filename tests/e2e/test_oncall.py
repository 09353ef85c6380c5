"""In a browser as wide as a desk or a phone, and without script: a schedule, an override, a policy, a code by mail."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from tests import servers
from tests.installation import PASSWORD, Installation, running
from tests.sinks import SmtpSink

pytestmark = pytest.mark.e2e


REFUSED = "status of 400"  # Chromium logs each form that comes back with what is wrong


@dataclass(frozen=True)
class Screen:
    name: str
    width: int
    height: int
    script: bool = True


SCREENS = (Screen("desk", 1440, 900), Screen("phone", 390, 844), Screen("plain", 390, 844, script=False))


@pytest.fixture(scope="module")
def mail() -> Iterator[SmtpSink]:
    sink = SmtpSink()
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, mail: SmtpSink) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("oncall")
    env = {"TOCSIN_DATA_DIR": str(folder / "data"), "PORT": str(servers.free_port()), "EMAIL_URL": mail.url}
    with running({**env, "DATABASE_URL": "", "CELERY_BROKER_URL": ""}, folder / "tocsin.log") as made:
        made.add_person("alice", "email", "alice@example.org")
        made.add_person("bob", "email", "bob@example.org")
        yield made


@pytest.fixture(params=SCREENS, ids=lambda screen: screen.name)
def screen(request: pytest.FixtureRequest) -> Screen:
    found: Screen = request.param
    return found


@pytest.fixture
def page(screen: Screen, chromium: Browser, installation: Installation) -> Iterator[Page]:
    """A page signed in as the administrator; what goes wrong in it, or scrolls sideways, fails the test."""
    context = chromium.new_context(
        viewport={"width": screen.width, "height": screen.height},
        base_url=installation.url,
        java_script_enabled=screen.script,
        has_touch=screen.width < 500,
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda line: wrong.append(line.text) if line.type == "error" and REFUSED not in line.text else None
    )
    page.on("dialog", lambda dialog: dialog.accept())
    if screen.script:
        page.on("load", lambda loaded: _no_sideways(loaded, wrong))
    page.goto("/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).not_to_have_url(re.compile("/login/"))
    yield page
    if screen.script:
        _no_sideways(page, wrong)
    context.close()
    assert not wrong


def _no_sideways(page: Page, wrong: list[str]) -> None:
    over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if over > 0:
        wrong.append(f"{page.url} scrolls sideways by {over} px")


def make_schedule(page: Page, name: str) -> None:
    """Make a schedule of two people by clicking: they take turns each day at nine, and Bob has all nights."""
    page.goto("/schedules/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_label("Unit").select_option("day")
    page.get_by_label("Turn 1 of layer 1").select_option(label="Alice")
    page.get_by_role("button", name="Add a person").click()
    page.get_by_label("Turn 2 of layer 1").select_option(label="Bob")
    page.get_by_role("button", name="Move turn 2 up").click()
    expect(page.get_by_label("Turn 1 of layer 1")).to_have_value("bob")
    page.get_by_role("button", name="Add a layer").click()
    page.get_by_label("Turn 1 of layer 2").select_option(label="Bob")
    layer = page.locator("#layer-1")
    layer.get_by_role("button", name="Hours of every day").click()
    layer.get_by_label("From", exact=True).fill("22:00")
    layer.get_by_label("To", exact=True).fill("06:00")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("The next 30 days would be")).to_be_visible()
    page.get_by_role("button", name="Save").last.click()
    expect(page).to_have_url(re.compile(r"/schedules/[0-9a-f-]{36}/$"))


def test_a_schedule_by_clicking_and_an_override(page: Page, screen: Screen) -> None:
    name = f"Nights {screen.name}"
    make_schedule(page, name)
    final = page.locator(".rota-final")
    expect(final.locator("button.bar")).not_to_have_count(0)
    expect(page.locator(".rota-line.rota-layer")).to_have_count(2)
    expect(page.get_by_text("gap in these two weeks")).to_have_count(0)

    # A tap tells who, and leads to the form that covers that time.
    later = final.locator("button.bar").nth(6)
    later.click()
    card = page.locator(".bar-card:popover-open")
    expect(card.get_by_text("My time")).to_be_visible()
    expect(card.get_by_text("Europe/Berlin")).to_be_visible()  # the administrator reads in UTC
    card.get_by_role("link", name="Cover this").click()
    form = page.locator("#cover form")
    start = form.get_by_label("From").input_value()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:00", start)
    form.get_by_label("On call").select_option(label="Nobody")
    form.get_by_role("button", name="Add override").click()
    overrides = page.locator("#overrides")
    expect(overrides.locator(".override")).to_have_count(1)
    expect(page.get_by_text("1 gap in these two weeks")).to_be_visible()
    expect(final.locator(".bar-gap")).to_have_count(1)
    overrides.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 gap in these two weeks")).to_have_count(0)

    # One that is on now ends now.
    now = timezone.now()
    page.locator("#cover summary").click()
    form.get_by_label("On call").select_option(label="Administrator")
    form.get_by_label("From").fill(f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}")
    form.get_by_label("Until").fill(f"{now + timedelta(hours=9):%Y-%m-%dT%H:%M}")
    form.get_by_role("button", name="Add override").click()
    expect(page.locator(".watch-now b")).to_have_text("Administrator")
    expect(final.locator(".bar-mine")).to_have_count(1)
    overrides.get_by_role("button", name="End now").click()
    expect(page.locator(".watch-now b")).not_to_have_text("Administrator")

    # An edit that moves somebody is shown before it is stored.
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Remove turn 1").first.click()
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("Other shifts than before:")).to_be_visible()
    expect(page.locator(".rota-plain")).to_have_count(2)
    page.get_by_role("button", name="Back to editing").click()
    page.get_by_role("button", name="Save").last.click()
    page.get_by_role("button", name="Save").last.click()
    expect(page).to_have_url(re.compile(r"/schedules/[0-9a-f-]{36}/$"))
    page.get_by_text("The same as a list").click()
    expect(page.get_by_role("rowheader", name="Alice").first).to_be_visible()


def test_a_policy_by_clicking(page: Page, screen: Screen, installation: Installation) -> None:
    installation.post(
        "/api/v1/schedules/",
        {
            "name": f"Core {screen.name}",
            "time_zone": "UTC",
            "layers": [{"users": ["alice"], "rotation": {"unit": "week"}, "anchor": "2026-01-05T09:00"}],
        },
    )
    page.goto("/escalation-policies/new/")
    page.get_by_label("Name", exact=True).fill(f"Ladder {screen.name}")
    page.get_by_label("Whom step 1 tells").select_option(label=f"Core {screen.name}")
    page.get_by_role("button", name="Add a step").click()
    second = page.locator("#step-1")
    second.get_by_label("Whom step 2 tells").select_option(label="Bob")
    second.get_by_role("button", name="Tell somebody else, too").click()
    second.get_by_label("Whom step 2 tells").nth(1).select_option(label="Administrator")
    second.get_by_label("Then wait for an answer").fill("12")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text(f"At once: whoever is on call in Core {screen.name} (now Alice)")).to_be_visible()
    expect(page.get_by_text("After 5 min: Bob and Administrator")).to_be_visible()
    expect(page.get_by_text("After 12 min more it begins again, until somebody answers.")).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Move step 2 up").click()
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("At once: Bob and Administrator")).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name=f"Delete Ladder {screen.name}").click()
    expect(page.get_by_text(f"Ladder {screen.name} is deleted.")).to_be_visible()


def test_a_contact_method_is_verified_by_the_code_that_arrives(page: Page, screen: Screen, mail: SmtpSink) -> None:
    address, before = f"admin-{screen.name}@example.org", len(mail.letters)
    page.goto("/me/")
    page.locator("#reach").get_by_role("link", name="Email").click()
    page.get_by_label("Email address").fill(address)
    page.get_by_label("Label").fill(f"Mail {screen.name}")
    page.get_by_role("button", name="Add and send the code").click()
    expect(page.get_by_label("Code")).to_be_visible()
    letter = mail.wait_for(before + 1)[before]
    assert letter.recipients == [address]
    code = re.search(r"\b\d{6}\b", str(letter.parsed["Subject"]))
    assert code
    page.get_by_label("Code").fill("000000" if code[0] != "000000" else "111111")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("This is not the code that was sent.")).to_be_visible()
    page.get_by_label("Code").fill(code[0])
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text(f"Mail {screen.name} is verified")).to_be_visible()
    expect(page.locator("#rules")).to_contain_text("At once by Email")

    # A test goes out for real; a rule is added, and the method goes with its rules.
    row = page.locator(".override", has_text=address)
    row.get_by_role("link", name="Test or remove").click()
    page.get_by_role("button", name="Send test").click()
    expect(page.get_by_text("Taken by the other side")).to_be_visible()
    assert "[Test message]" in str(mail.wait_for(before + 2)[before + 1].parsed["Subject"])
    page.goto("/me/rules/")
    page.get_by_role("button", name="Add a rule").first.click()
    rows = page.locator("fieldset").first.locator(".rule-row")
    expect(rows).to_have_count(2)
    if screen.script:
        assert page.evaluate("document.documentElement.scrollWidth") <= screen.width
    rows.last.get_by_label("Minutes").fill("15")
    rows.last.get_by_label("Contact method").select_option(label=f"Email: Mail {screen.name}")
    page.get_by_role("button", name="Save").last.click()
    expect(page.locator("#rules")).to_contain_text("After 15 min by Email")
    page.locator(".override", has_text=address).get_by_role("link", name="Test or remove").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text(f"Mail {screen.name} is removed.")).to_be_visible()
    expect(page.locator("#rules")).not_to_contain_text("After 15 min by Email")

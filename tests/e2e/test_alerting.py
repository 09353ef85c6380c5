"""In a browser, from nothing to a replayed delivery, at the width of a desk and of a phone.

A webhook is tried out unsaved, made and connected; a source is made and its own line sent; the incident, the delivery
and its replay are seen.
"""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import servers
from tests.e2e.programs import until
from tests.installation import PASSWORD, Installation, running
from tests.sinks import HttpSink, Reply

pytestmark = pytest.mark.e2e
SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("alerting")
    env = {"TOCSIN_DATA_DIR": str(folder / "data"), "PORT": str(servers.free_port())}
    with running({**env, "DATABASE_URL": "", "CELERY_BROKER_URL": ""}, folder / "tocsin.log") as made:
        yield made


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, chromium: Browser, installation: Installation) -> Iterator[Page]:
    """A page signed in as the administrator; what goes wrong in it, or scrolls sideways, fails the test."""
    context = chromium.new_context(viewport=SIZES[request.param], base_url=installation.url)  # type: ignore[arg-type]
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.on("dialog", lambda dialog: dialog.accept())
    page.on("load", lambda loaded: _no_sideways(loaded, wrong))
    page.goto("/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).not_to_have_url("/login/")
    page.name = request.param  # type: ignore[attr-defined]
    yield page
    context.close()
    assert not wrong


def _no_sideways(page: Page, wrong: list[str]) -> None:
    over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if over > 0:
        wrong.append(f"{page.url} scrolls sideways by {over} px")


def _lines(page: Page) -> str:
    """The first curl command on the page of a source, as it would be copied."""
    return page.locator("#paste-1").inner_text().split("# and when")[0].strip()


def test_from_an_unsaved_webhook_to_a_replayed_delivery(page: Page, http_sink: HttpSink) -> None:
    size = page.name  # type: ignore[attr-defined]
    hook, shop = f"Ops webhook {size}", f"Shop {size}"

    # The destination: tried out while it is stored nowhere.
    page.goto("/alert-destinations/")
    page.get_by_role("link", name="+ New alert destination").click()
    page.get_by_role("link", name="Webhook Signed JSON to any address").click()
    page.get_by_label("Name", exact=True).fill(hook)
    page.get_by_label("URL").fill(f"{http_sink.url}/hook")
    http_sink.script(Reply(status=503, body="still asleep"), Reply(status=200, body="good morning"))
    page.get_by_role("button", name="Send test").click()
    expect(page.locator("#answer")).to_contain_text("It did not arrive. Answered 503 after")
    expect(page.locator("#answer")).to_contain_text("still asleep")
    page.get_by_role("button", name="Send test").click()
    expect(page.locator("#answer")).to_contain_text("It arrived. Answered 200 after")
    expect(page.locator("#answer")).to_contain_text("good morning")
    assert [request.json["test"] for request in http_sink.requests] == [True, True]
    expect(page.get_by_label("Name", exact=True)).to_have_value(hook)  # what was typed still stands
    page.get_by_text("none for now").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing yet: it is never told of anything.")).to_be_visible()

    # The source, which picks it.
    page.goto("/alert-sources/new/")
    page.get_by_label("Name", exact=True).fill(shop)
    page.get_by_label(hook).check()
    page.get_by_role("button", name="Make the source").click()
    key = page.locator("#key").inner_text()
    assert len(key) == 32
    expect(page.get_by_text("Waiting for the first event")).to_be_visible()

    # Its own line, as it stands there.
    command = _lines(page)
    assert key in command
    answer = subprocess.run(
        ["/bin/sh", "-c", command.replace("curl ", "curl -sS --max-time 10 ", 1)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert '"opened"' in answer.stdout, shlex.quote(command)

    # The page turns green by itself, and the webhook has heard.
    expect(page.locator("#lately")).to_contain_text("opened an incident", timeout=15_000)
    expect(page.locator("#lately")).to_contain_text("sends events")
    until(lambda: len(http_sink.requests) >= 3, 15, "the webhook hears that it was opened")
    told = http_sink.requests[2].json
    assert (told["type"], told["test"], told["data"]["incident"]["alert_source"]) == ("incident.opened", False, shop)

    # The key is not shown again.
    page.goto("/alert-sources/")
    page.get_by_role("link", name=shop).click()
    assert key not in page.content()
    expect(page.get_by_text("Authorization: Bearer <your key>").first).to_be_visible()

    # The incident, then the delivery, and once more.
    page.locator("#lately").get_by_role("link", name="#").first.click()
    expect(page.get_by_text("Disk 96% full on db-1").first).to_be_visible()
    page.goto("/deliveries/?state=sent")
    page.get_by_role("link", name=f"{hook}: opened").click()
    expect(page.locator("#progress")).to_contain_text("sent")
    before = len(http_sink.requests)
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_text(f"Sending it again to {hook}.")).to_be_visible()
    until(lambda: len(http_sink.requests) > before, 15, "the webhook hears it again")
    first, again = http_sink.requests[2], http_sink.requests[before]
    assert again.headers["webhook-id"] == first.headers["webhook-id"]  # the receiver can tell that it is the same
    expect(page.locator("#progress .attempts li")).to_have_count(2, timeout=15_000)


def test_a_connection_is_made_of_rows_and_read_as_a_sentence(page: Page, installation: Installation) -> None:
    size = page.name  # type: ignore[attr-defined]
    name = f"PagerDuty {size}"
    config = {"integration_key": "0123456789abcdef0123456789abcdef"}
    installation.post("/api/v1/connectors/", {"name": name, "kind": "pagerduty", "config": config})
    page.goto("/connections/new/")
    page.get_by_role("link", name=name).click()
    page.get_by_text("warning", exact=True).first.uncheck()
    page.get_by_text("info", exact=True).first.uncheck()
    rules = page.locator("fieldset", has_text="Routes by class")
    rules.get_by_label("Classes").first.fill("auth.*")
    rules.get_by_label("Routing key").first.fill("the-key-of-auth")
    rules.get_by_role("button", name="Add a route").click()
    rules.get_by_label("Classes").nth(1).fill("disk")
    rules.get_by_label("Routing key").nth(1).fill("the-key-of-disk")
    rules.get_by_role("button", name="Move this row up").nth(1).click()
    page.get_by_role("button", name="Save").click()
    sentence = f"{name} hears opened, accepted and resolved of all sources, only critical and error."
    page.get_by_role("link", name=sentence).click()
    classes = page.locator("fieldset", has_text="Routes by class").get_by_label("Classes")
    expect(classes.nth(0)).to_have_value("disk")
    expect(classes.nth(1)).to_have_value("auth.*")
    assert "the-key-of" not in page.content()

"""A schedule is made and changed by a form of rows; an edit that moves somebody is shown before it is stored."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.models import AuditEntry
from oncall import scheduling
from oncall.admin import schedule_form
from oncall.admin.rows import nested
from oncall.models import Layer, Schedule, Team, User
from tests.callers import person
from tests.incidents.admin.browsing import browser, said, text

pytestmark = pytest.mark.django_db
NEW = "/schedules/new/"


@pytest.fixture
def root() -> User:
    return person("root", "admin", name="Rita Root", time_zone="Europe/Riga")


@pytest.fixture
def client(root: User) -> Client:
    person("ann", "responder", name="Ann Ash")
    person("bob", "responder", name="Bob Berg")
    return browser(root)


def fields(*people: str, **more: str) -> dict[str, str]:
    """What the form sends of one layer."""
    turns = {f"layers.0.users.{place}": user for place, user in enumerate(people)}
    return {
        "name": "Core primary",
        "team": "",
        "time_zone": "Europe/Berlin",
        "layers.0.name": "",
        "layers.0.rotation.unit": "week",
        "layers.0.rotation.length": "1",
        "layers.0.anchor.date": "2026-11-02",
        "layers.0.anchor.time": "09:00",
        **turns,
        **more,
    }


def sent(response: Any) -> dict[str, str]:
    """The fields of a form as a browser would send them again."""
    state = response.context["state"] if "state" in (response.context or {}) else {}

    def flat(value: Any, path: str) -> dict[str, str]:
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
        if pairs is None:
            return {path: str(value)}
        return {name: text for key, part in pairs for name, text in flat(part, f"{path}.{key}".strip(".")).items()}

    return flat(state, "")


def test_a_schedule_without_a_gap_is_stored_at_once(client: Client) -> None:
    answer = client.post(NEW, fields("ann", "bob"))
    made = Schedule.objects.get()
    assert answer.headers["Location"] == reverse("console-schedule", args=[made.uuid])
    written = scheduling.as_document(made, timezone.now())
    assert written["layers"][0]["users"] == ["ann", "bob"]
    assert (written["time_zone"], written["layers"][0]["anchor"]) == ("Europe/Berlin", "2026-11-02T09:00")
    assert AuditEntry.objects.get().action == "created"


def test_one_with_a_gap_is_shown_first(client: Client) -> None:
    given = fields("ann", "")
    answer = client.post(NEW, given)
    said(answer, "Nobody would be on call", "Back to editing")
    assert not Schedule.objects.exists()
    back = client.post(NEW, {**given, "row": "back"})
    assert sent(back)["layers.0.users.0"] == "ann"
    assert not Schedule.objects.exists()
    client.post(NEW, {**given, "confirmed": "yes"})
    assert Schedule.objects.exists()


def test_windows_and_layers_are_rows(client: Client) -> None:
    state = fields("ann")
    for order in (
        "add layers",
        "add layers.0.users",
        "add layers.0.restrictions daily",
        "add layers.0.restrictions weekly",
        "up layers.1",
    ):
        answer = client.post(NEW, {**state, "row": order})
        assert answer.status_code == 200
        state = sent(answer)
    assert not Schedule.objects.exists()
    assert state["layers.1.users.0"] == "ann"  # the new layer went up
    assert state["layers.1.users.1"] == ""
    assert state["layers.1.restrictions.0.type"] == "daily"
    assert (state["layers.1.restrictions.1.from_day"], state["layers.1.restrictions.1.to_day"]) == ("MON", "FRI")
    state |= {"layers.0.users.0": "bob", "layers.1.restrictions.0.from": "20:00", "layers.1.restrictions.0.to": "08:00"}
    client.post(NEW, {**state, "confirmed": "yes"})
    layers = list(Layer.objects.order_by("position"))
    assert [layer.participants.first().user.username for layer in layers] == ["bob", "ann"]  # type: ignore[union-attr]
    assert layers[1].restrictions == [
        {"type": "daily", "from": "20:00", "to": "08:00"},
        {"type": "weekly", "from": "09:00", "to": "17:00", "from_day": "MON", "to_day": "FRI"},
    ]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "Give it a name of at most 100 characters."),
        ({"name": "x" * 101}, "Give it a name of at most 100 characters."),
        ({"time_zone": "Mars/Olympus"}, "Choose a time zone of the list"),
        ({"layers.0.rotation.length": "0"}, "A turn lasts a whole number from 1 to 9000."),
        ({"layers.0.rotation.length": "a week"}, "A turn lasts a whole number from 1 to 9000."),
        ({"layers.0.anchor.date": ""}, "Choose the day and time at which the first person's turn begins."),
        ({"layers.0.anchor.time": "25:00"}, "Choose the day and time at which the first person's turn begins."),
        ({"layers.0.users.0": "ghost"}, "There is no user 'ghost'."),
        (
            {
                "layers.0.restrictions.0.type": "daily",
                "layers.0.restrictions.0.from": "",
                "layers.0.restrictions.0.to": "8",
            },
            "Choose a time of day.",
        ),
        ({"team": "Nowhere"}, "There is no team 'Nowhere'."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(client: Client, wrong: dict[str, str], told: str) -> None:
    answer = client.post(NEW, {**fields("ann"), **wrong})
    assert answer.status_code == 400
    said(answer, told)
    for name, value in wrong.items():
        assert sent(answer)[name] == value
    assert not Schedule.objects.exists()


def test_a_layer_without_people_says_so(client: Client) -> None:
    said(client.post(NEW, fields()), "Layer 1, people : Add at least one person, and at most 50.")


@pytest.fixture
def schedule(client: Client, root: User) -> Schedule:
    client.post(NEW, fields("ann", "bob"))
    return Schedule.objects.get()


def edit(schedule: Schedule) -> str:
    return reverse("console-schedule-edit", args=[schedule.uuid])


def test_an_edit_that_moves_nobody_is_stored_at_once(client: Client, schedule: Schedule) -> None:
    state = sent(client.get(edit(schedule)))
    assert client.post(edit(schedule), {**state, "name": "Core"}).status_code == 302
    schedule.refresh_from_db()
    assert schedule.name == "Core"
    assert Layer.objects.count() == 1
    assert AuditEntry.objects.filter(action="changed").get().changes == {"name": ["Core primary", "Core"]}


def test_an_edit_that_moves_somebody_shows_before_and_after(client: Client, schedule: Schedule) -> None:
    state = {**sent(client.get(edit(schedule))), "layers.0.users.2": "root"}
    answer = client.post(edit(schedule), state)
    said(answer, "Other shifts than before:", "Rita Root", "Now", "Afterwards")
    assert answer.content.decode().count('class="rota rota-plain"') == 2
    assert Layer.objects.count() == 1
    client.post(edit(schedule), {**state, "confirmed": "yes"})
    assert Layer.objects.filter(effective_until=None).get().participants.count() == 3


def test_a_preview_stores_nothing(client: Client, schedule: Schedule) -> None:
    state = {**sent(client.get(edit(schedule))), "layers.0.users.2": "root", "row": "preview"}
    said(client.post(edit(schedule), state), "The next 30 days would be", "Rita Root")
    assert Layer.objects.get().participants.count() == 2


def test_what_somebody_else_changed_meanwhile_is_not_lost(client: Client, schedule: Schedule, root: User) -> None:
    state = sent(client.get(edit(schedule)))
    scheduling.save(schedule, {"name": "Renamed"}, by=root, now=timezone.now())
    answer = client.post(edit(schedule), {**state, "name": "Mine"})
    assert answer.status_code == 409
    said(
        answer,
        "since you opened this form",
    )
    schedule.refresh_from_db()
    assert schedule.name == "Renamed"
    client.post(edit(schedule), sent(answer))
    schedule.refresh_from_db()
    assert schedule.name == "Mine"


def test_the_manager_of_a_team_makes_only_what_belongs_to_the_team(client: Client) -> None:
    core = Team.objects.create(name="Core")
    ann = User.objects.get(username="ann")
    core.memberships.create(user=ann, manager=True)
    hers = browser(User.objects.get(pk=ann.pk))
    assert hers.post(NEW, fields("ann")).status_code == 403
    assert hers.post(NEW, {**fields("ann"), "team": "Core"}).status_code == 302
    made = Schedule.objects.get()
    assert made.team == core
    state = sent(hers.get(edit(made)))
    assert hers.post(edit(made), {**state, "team": ""}).status_code == 403  # it would not be hers any more


def test_the_form_shows_what_a_document_says_and_reads_it_back(client: Client, root: User) -> None:
    later = timezone.now() + timedelta(days=40)
    given = {
        "name": "All",
        "team": None,
        "time_zone": "Asia/Tokyo",
        "layers": [
            {
                "users": ["ann", None],
                "rotation": {"unit": "month", "length": 2},
                "anchor": "2026-01-31T00:30",
                "time_zone": "UTC",
            },
            {
                "name": "Later",
                "users": ["bob"],
                "rotation": {"unit": "hour", "length": 12},
                "anchor": "2026-01-01T00:00",
                "effective_from": later.strftime("%Y-%m-%dT%H:%M:00.000Z"),
                "restrictions": [
                    {"type": "weekly", "from": "17:00", "to": "09:00", "from_day": "FRI", "to_day": "MON"}
                ],
            },
        ],
    }
    schedule = scheduling.save(None, given, by=root, now=timezone.now())
    state = nested(sent(client.get(edit(schedule))))
    written = scheduling.as_document(schedule, timezone.now())
    read = schedule_form.document(state)
    for layer in read["layers"]:
        if not layer["restrictions"]:
            del layer["restrictions"]
    assert read == {name: written[name] for name in ("name", "team", "time_zone", "layers")}


LAYER = ("", ".users", ".users.0", ".rotation", ".rotation.unit", ".anchor", ".restrictions", ".restrictions.0")
NAMES = st.sampled_from(
    ["name", "time_zone", "layers", "row", "confirmed", "seen", "layers.0.effective_from", "layers.0.time_zone"]
    + [f"layers.0{part}" for part in LAYER]
)
VALUES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["add layers", "remove layers.0", "preview", "back", "2026-01-01T00:00:00Z", "\x00", "9" * 30]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wrong=st.dictionaries(NAMES, VALUES, max_size=4))
def test_no_careless_input_breaks_the_form(client: Client, wrong: dict[str, str]) -> None:
    answer = client.post(NEW, {**fields("ann"), **wrong})
    assert answer.status_code in {200, 302, 400}
    assert "Traceback" not in text(answer)

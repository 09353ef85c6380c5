"""`manage.py oncall` and `manage.py oncall preview FILE`."""

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from oncall.document import write_instant
from oncall.models import Schedule
from tests.factories import T0, make_schedule, make_user

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "oncall.json").read_text())
pytestmark = pytest.mark.django_db
AT = write_instant(T0)


def _run(*words: str) -> list[str]:
    out = io.StringIO()
    call_command("oncall", *words, stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.json"
    path.write_text(json.dumps(GOLDEN["schedules"]["overrides"]))
    return path


def test_who_is_on_call_at_a_time() -> None:
    make_schedule("Core", make_user("ann"), make_user("bob"), zone="Europe/Riga")
    make_schedule("Empty")
    lines = [line.split("  ") for line in _run("--at", AT)]
    table = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert table == [
        ["SCHEDULE", "ON CALL", "UNTIL", "BY"],
        ["Core", "Ann", "2026-11-26 00:00 +0200", "layer 1"],
        ["Empty", "nobody", "for a year or more", "no layer"],
    ]
    assert len(_run("Core")) == 2


def test_as_json() -> None:
    make_schedule("Core", make_user("ann"), unit="day")
    found = json.loads("\n".join(_run("--at", AT, "--json", "Core")))
    assert found == [{"schedule": "Core", "user": "ann", "until": None, "source": "layer 1"}]


def test_preview_at_a_time(file: Path) -> None:
    assert _run("preview", str(file), "--at", "2024-01-03T12:00:00Z")[1].split() == [
        "2024-01-03T12:00:00.000Z", "2024-01-03T16:00:00.000Z", "dave", "o2",
    ]  # fmt: skip


def test_preview_of_a_range(file: Path) -> None:
    lines = _run("preview", str(file), "--from", "2024-01-05T00:00:00Z", "--until", "2024-01-06T00:00:00Z")
    assert [line.split()[2:] for line in lines[1:]] == [["nobody", "o3"], ["alice", "layer", "1"]]


def test_preview_as_json_is_what_rest_answers(file: Path) -> None:
    found = json.loads("\n".join(_run("preview", str(file), "--at", "2024-01-05T03:00:00Z", "--json")))
    assert found["results"][0]["source"] == "o3"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Nowhere"], "There are: Core"),
        (["a", "b"], "Name one schedule"),
        (["--at", "yesterday"], "RFC 3339"),
        (["--from", AT], "preview FILE"),
        (["preview", "/nowhere/at-all.json"], "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], said: str) -> None:
    make_schedule("Core")
    with pytest.raises(CommandError, match=said):
        _run(*words)


def test_what_is_wrong_in_a_file_is_said(file: Path) -> None:
    with pytest.raises(CommandError, match="--from and --until together"):
        _run("preview", str(file), "--from", AT)
    with pytest.raises(CommandError, match="until: It must be later"):
        _run("preview", str(file), "--from", AT, "--until", write_instant(T0 - timedelta(days=1)))
    file.write_text(json.dumps({"time_zone": "Riga", "layers": [{"users": []}]}))
    with pytest.raises(CommandError, match=r"(?s)schedule\.time_zone: .*schedule\.layers\.0\.users: "):
        _run("preview", str(file), "--at", AT)
    file.write_text("{")
    with pytest.raises(CommandError, match="is not JSON"):
        _run("preview", str(file), "--at", AT)


def test_no_schedule_yet() -> None:
    assert not Schedule.objects.exists()
    with pytest.raises(CommandError, match="no schedule yet"):
        _run()

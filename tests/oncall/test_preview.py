"""What a document would mean, without storing it."""

from typing import Any

import pytest

from oncall.faults import Faulty
from oncall.preview import answer

SCHEDULE: dict[str, Any] = {
    "title": "Two",
    "time_zone": "UTC",
    "layers": [
        {"name": "Days", "users": ["al", None], "rotation": {"unit": "day", "length": 1}, "anchor": "2024-01-01T00:00"}
    ],
    "overrides": [{"start": "2024-01-02T06:00:00Z", "end": "2024-01-02T12:00:00Z", "user": "bo"}],
}
RANGE = {"from": "2024-01-01T12:00:00Z", "until": "2024-01-03T00:00:00Z"}


def test_instants_come_back_as_they_were_asked() -> None:
    found = answer({"schedule": SCHEDULE, "at": ["2024-01-01T02:00:00+02:00", "2024-01-02T00:00:00Z"]})
    assert found == {
        "results": [
            {"at": "2024-01-01T02:00:00+02:00", "user": "al", "until": "2024-01-02T00:00:00.000Z", "source": "Days"},
            {"at": "2024-01-02T00:00:00Z", "user": None, "until": "2024-01-02T06:00:00.000Z", "source": None},
        ]
    }


def test_a_range_is_tiled_with_gaps_as_entries() -> None:
    found = answer({"schedule": SCHEDULE, **RANGE})["shifts"]
    assert [(one["start"][8:16], one["end"][8:16], one["user"], one["source"]) for one in found] == [
        ("01T12:00", "02T00:00", "al", "Days"),
        ("02T00:00", "02T06:00", None, None),
        ("02T06:00", "02T12:00", "bo", "override 1"),
        ("02T12:00", "03T00:00", None, None),
    ]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"schedule": SCHEDULE}, "from"),
        ({"schedule": SCHEDULE, "at": []}, "at"),
        ({"schedule": SCHEDULE, "at": "2024-01-01T00:00:00Z"}, "at"),
        ({"schedule": SCHEDULE, "at": ["2024-01-01T00:00:00Z", "now"]}, "at.1"),
        ({"schedule": SCHEDULE, "at": ["2024-01-01T00:00:00Z"] * 1001}, "at"),
        ({"schedule": SCHEDULE, "at": ["2024-01-01T00:00:00Z"], **RANGE}, "from"),
        ({"schedule": SCHEDULE, "from": RANGE["from"]}, "until"),
        ({"schedule": SCHEDULE, "from": RANGE["until"], "until": RANGE["from"]}, "until"),
        ({"schedule": SCHEDULE, "from": RANGE["from"], "until": "2026-01-01T00:00:00Z"}, "until"),
        ({"schedule": {**SCHEDULE, "time_zone": "x"}, **RANGE}, "schedule.time_zone"),
        ({"schedule": None, **RANGE}, "schedule"),
        ({"plan": SCHEDULE, **RANGE}, "plan"),
        ([], ""),
    ],
)
def test_what_is_wrong_is_named_by_its_path(asked: Any, field: str) -> None:
    with pytest.raises(Faulty) as caught:
        answer(asked)
    assert field in {fault.field for fault in caught.value.faults}

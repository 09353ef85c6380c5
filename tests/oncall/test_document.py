"""The document of a schedule: read, written, and refused with everything that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall import document
from oncall.definition import Definition
from oncall.faults import Faulty
from tests.oncall.strategies import definitions

SCHEDULES = json.loads((Path(__file__).parent.parent / "golden" / "oncall.json").read_text())["schedules"]
LAYER: dict[str, Any] = {"users": ["alice"], "rotation": {"unit": "week", "length": 1}, "anchor": "2024-01-01T09:00"}
OVERRIDE: dict[str, Any] = {"start": "2024-01-01T00:00:00Z", "end": "2024-01-02T00:00:00Z", "user": "bob"}


def _faults(change: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Faulty) as caught:
        document.read({"time_zone": "UTC", "layers": [LAYER], **change})
    return {fault.field: fault.detail for fault in caught.value.faults}


def _layer(**change: Any) -> dict[str, Any]:
    return {"layers": [{**LAYER, **change}]}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_written_document_reads_as_the_same_definition(name: str) -> None:
    read = document.read({**SCHEDULES[name], "inactive": []}, also=("title",))
    written = document.write(read)
    assert document.read(json.loads(json.dumps(written))) == read
    kept = {key: part for key, part in SCHEDULES[name]["layers"][0].items() if not key.startswith("effective_")}
    assert {key: part for key, part in written["layers"][0].items() if not key.startswith("effective_")} == kept


@given(definitions())
@settings(max_examples=100, deadline=None)
def test_any_definition_survives_being_written(schedule: Definition) -> None:
    inactive = Definition(schedule.layers, schedule.overrides)
    assert document.read(json.loads(json.dumps(document.write(inactive)))) == inactive


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time_zone": None}, "time_zone"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": ["UTC"]}, "time_zone"),
        ({"layers": {}}, "layers"),
        ({"layers": [LAYER] * 21}, "layers"),
        ({"layers": [None]}, "layers.0"),
        ({"zone": "UTC"}, "zone"),
        (_layer(users=[]), "layers.0.users"),
        (_layer(users=["alice"] * 51), "layers.0.users"),
        (_layer(users=["alice", 7]), "layers.0.users.1"),
        (_layer(users=["al\0ice"]), "layers.0.users.0"),
        (_layer(rotation={"unit": "year", "length": 1}), "layers.0.rotation.unit"),
        (_layer(rotation={"unit": ["day"], "length": 1}), "layers.0.rotation.unit"),
        (_layer(rotation={}), "layers.0.rotation.unit"),
        (_layer(rotation={"unit": "day", "length": 0}), "layers.0.rotation.length"),
        (_layer(rotation={"unit": "day", "length": 9001}), "layers.0.rotation.length"),
        (_layer(rotation={"unit": "day", "length": True}), "layers.0.rotation.length"),
        (_layer(rotation={"unit": "day", "length": 1.5}), "layers.0.rotation.length"),
        (_layer(anchor=None), "layers.0.anchor"),
        (_layer(anchor="2024-02-30T09:00"), "layers.0.anchor"),
        (_layer(anchor="2024-02-28T09:00:30"), "layers.0.anchor"),  # whole minutes
        (_layer(anchor="2024-02-28T09:00Z"), "layers.0.anchor"),  # a wall time
        (_layer(anchor="0001-01-01T00:00"), "layers.0.anchor"),
        (_layer(effective_from="2024-01-01T09:00"), "layers.0.effective_from"),
        (_layer(effective_from="9999-12-31T23:59:59-12:00"), "layers.0.effective_from"),
        (
            _layer(effective_from="2024-01-02T00:00:00Z", effective_until="2024-01-02T00:00:00Z"),
            "layers.0.effective_until",
        ),
        (_layer(time_zone="Mars/Olympus"), "layers.0.time_zone"),
        (_layer(name="x" * 101), "layers.0.name"),
        (_layer(restrictions=[{"type": "daily", "from": "9:00", "to": "17:00"}]), "layers.0.restrictions.0.from"),
        (_layer(restrictions=[{"type": "daily", "from": "09:00", "to": "24:00"}]), "layers.0.restrictions.0.to"),
        (_layer(restrictions=[{"type": "yearly"}]), "layers.0.restrictions.0.type"),
        (
            _layer(
                restrictions=[{"type": "weekly", "from_day": "Monday", "from": "09:00", "to_day": "FRI", "to": "17:00"}]
            ),
            "layers.0.restrictions.0.from_day",
        ),
        (_layer(restrictions=[{"type": "daily", "from": "09:00", "to": "17:00"}] * 16), "layers.0.restrictions"),
        ({"overrides": [{**OVERRIDE, "end": OVERRIDE["start"]}]}, "overrides.0.end"),
        ({"overrides": [{**OVERRIDE, "end": "2025-01-03T00:00:00Z"}]}, "overrides.0.end"),  # over a year
        ({"overrides": [{"start": OVERRIDE["start"], "end": OVERRIDE["end"]}]}, "overrides.0.user"),
        ({"overrides": [{**OVERRIDE, "replaces": ""}]}, "overrides.0.replaces"),
        ({"inactive": [{"user": None, "from": OVERRIDE["start"]}]}, "inactive.0.user"),
        ({"inactive": [{"user": "bob"}]}, "inactive.0.from"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(change: dict[str, Any], field: str) -> None:
    found = _faults(change)
    assert list(found) == [field] or found.keys() >= {field}
    assert found[field].endswith(".")


def test_everything_wrong_is_said_at_once() -> None:
    found = _faults({"time_zone": "x", **_layer(anchor="soon", users=[None, ""]), "overrides": [{}]})
    assert found.keys() == {
        "time_zone", "layers.0.anchor", "layers.0.users.1", "overrides.0.start", "overrides.0.end", "overrides.0.user",
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        _layer(users=["alice", None, "alice"]),  # a vacant turn, and a person twice
        _layer(rotation={"unit": "month", "length": 9000}),
        _layer(anchor="2024-02-28T09:00:00"),
        _layer(restrictions=None, name=None, effective_from=None),
        {"layers": []},
        {"overrides": [{**OVERRIDE, "user": None, "replaces": None, "end": "2024-12-31T00:00:00+02:00"}]},
    ],
)
def test_what_is_allowed(change: dict[str, Any]) -> None:
    document.read({"time_zone": "UTC", "layers": [LAYER], **change})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["time_zone", "layers", "overrides", "inactive"]
SHAPED = st.dictionaries(
    st.sampled_from(KEYS),
    st.lists(st.dictionaries(st.sampled_from([*LAYER, *OVERRIDE, "from", "restrictions"]), JSON)) | JSON,
)


@given(JSON | SHAPED)
@settings(max_examples=300, deadline=None)
def test_nothing_sent_breaks_the_reader(sent: Any) -> None:
    try:
        read = document.read(sent)
    except Faulty as exc:
        said = [fault.detail for fault in exc.faults]
    else:
        said = [read.time_zone]
    assert all(said)
    assert said

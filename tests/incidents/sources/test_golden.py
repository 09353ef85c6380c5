"""What real tools send gives the events that expected.json says."""

from collections import defaultdict
from typing import Any

import pytest

from tests.incidents.sources import golden


@pytest.mark.parametrize(
    ("folder", "case"), golden.cases(), ids=lambda part: part if isinstance(part, str) else part["file"]
)
def test_payload_gives_the_expected_events(folder: str, case: dict[str, Any]) -> None:
    read = golden.events(folder, case["file"])
    wanted = case["events"]
    assert len(read) == len(wanted)
    for event, expected in zip(read, wanted, strict=True):
        # that no incident is open for a key is not the parser's to know: it says resolve all the same
        assert event.action == ("resolve" if expected["action"] == "ignore" else expected["action"])
        assert expected.get("title_contains", "").lower() in event.title.lower()
        if "severity" in expected:
            assert event.severity == expected["severity"]
        assert event.raw


@pytest.mark.parametrize("folder", golden.KINDS)
def test_equal_subjects_have_equal_keys_and_different_ones_different(folder: str) -> None:
    keys: dict[str, set[str]] = defaultdict(set)
    for case in golden.table(folder, "expected.json")["cases"]:
        for event, expected in zip(golden.events(folder, case["file"]), case["events"], strict=True):
            if expected.get("dedup"):
                keys[expected["dedup"]].add(event.dedup_key)
    assert keys
    assert all(len(of_one) == 1 for of_one in keys.values()), keys
    assert len(set.union(*keys.values())) == len(keys)

import pytest

from incidents.sources.severities import SEVERITIES, meaning, of_risk


@pytest.mark.parametrize(
    ("severity", "words"),
    [
        ("critical", "critical CRIT emergency emerg Fatal disaster P1 sev0 sev-0 blocker page down availability"),
        ("error", "error err high major p2 sev1 Sev-1 severe alert unreachable urgent"),
        ("warning", "warning WARN minor medium moderate average p3 p4 sev2 sev3 degraded trouble unknown"),
        ("info", "info informational information notice low ok p5 sev4 none debug unclassified"),
        ("", "banana 1 critical!"),  # unknown: the source decides
    ],
)
def test_words(severity: str, words: str) -> None:
    assert {meaning(word, {}) for word in words.split()} == {severity}


def test_words_of_two() -> None:
    assert meaning(" No Data ", {}) == "warning"
    assert meaning("not classified", {}) == "info"


def test_the_own_map_of_a_source_wins() -> None:
    assert meaning("P1", {"p1": "warning"}) == "warning"
    assert meaning("Stufe 3", {"stufe 3": "critical"}) == "critical"
    assert meaning("p2", {"p1": "warning"}) == "error"


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        (100, "critical"),
        (90, "critical"),
        (89.9, "error"),
        (70, "error"),
        (69.9, "warning"),
        (40, "warning"),
        (39.9, "info"),
        (0, "info"),
    ],
)
def test_risk_scores(score: float, severity: str) -> None:
    assert of_risk(score) == severity


def test_worst_first() -> None:
    assert SEVERITIES == ("critical", "error", "warning", "info")

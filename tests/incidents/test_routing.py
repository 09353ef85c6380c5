"""What a connection wants to be told of, and in whose words: golden tables of the pure rules."""

import pytest

from incidents.routing import Facts, Filter, admits, our_severity, route, runbook, target_severity

FACTS = Facts(severity="error", class_name="auth.failed", labels={"team": "core", "env": "prod"}, risk_score=72)


@pytest.mark.parametrize(
    ("wanted", "event", "passes"),
    [
        (Filter(), "opened", True),  # no restriction at all
        (Filter(events=["opened"]), "opened", True),
        (Filter(events=["opened"]), "resolved", False),
        (Filter(classes=["auth.failed"]), "opened", True),
        (Filter(classes=["auth.*"]), "opened", True),  # by prefix
        (Filter(classes=["auth"]), "opened", False),  # a prefix has to say so
        (Filter(classes=["disk.*", "auth.*"]), "opened", True),  # alternatives
        (Filter(labels={"team": "core"}), "opened", True),
        (Filter(labels={"team": ["db", "core"]}), "opened", True),
        (Filter(labels={"team": "db"}), "opened", False),
        (Filter(labels={"team": "core", "env": "dev"}), "opened", False),  # all must hold
        (Filter(labels={"missing": "x"}), "opened", False),
        (Filter(severities=["error"]), "opened", True),
        (Filter(severities=["high"]), "opened", True),  # another product's word for error
        (Filter(severities=["critical"]), "opened", False),
        (Filter(min_severity="warning"), "opened", True),
        (Filter(min_severity="error"), "opened", True),
        (Filter(min_severity="critical"), "opened", False),
        (Filter(min_risk_score=72), "opened", True),
        (Filter(min_risk_score=72.5), "opened", False),
        (Filter(events=["opened"], classes=["auth.*"], min_severity="critical"), "opened", False),
    ],
)
def test_the_filter(wanted: Filter, event: str, passes: bool) -> None:
    assert admits(wanted, event, FACTS) is passes


def test_without_a_risk_score_a_minimum_of_one_is_not_met() -> None:
    assert not admits(Filter(min_risk_score=1), "opened", Facts(severity="critical"))


@pytest.mark.parametrize(
    ("class_name", "found"),
    [
        ("auth.failed", {"routing_key": "security"}),  # the first rule that matches
        ("disk.full", {"routing_key": "storage"}),
        ("other", {"routing_key": "rest"}),  # a rule without classes takes what is left
    ],
)
def test_the_first_matching_rule_routes(class_name: str, found: dict[str, str]) -> None:
    rules = [
        {"events": ["auth.failed", "auth.mfa_failed"], "routing_key": "security"},
        {"events": ["auth.*", "disk.*"], "routing_key": "storage"},
        {"events": [], "routing_key": "rest"},
    ]
    assert route(rules, class_name) == found


def test_no_rule_no_route() -> None:
    assert route([{"events": ["a"], "routing_key": "k"}], "b") == {}


def test_runbooks_by_class_then_by_pattern() -> None:
    links = {"auth.*": "https://any", "auth.failed": "https://own"}
    assert [runbook(links, name) for name in ("auth.failed", "auth.mfa", "disk")] == ["https://own", "https://any", ""]


@pytest.mark.parametrize(
    ("mapping", "severity", "said"),
    [
        ({}, "error", "error"),
        ({"critical": "critical", "high": "error", "medium": "warning", "low": "info"}, "error", "error"),
        ({"high": "P2"}, "error", "P2"),
        ({"error": "P2"}, "critical", "critical"),
        ({"medium": "P3"}, "warning", "P3"),
    ],
)
def test_the_targets_word_for_a_severity(mapping: dict[str, str], severity: str, said: str) -> None:
    assert target_severity(mapping, severity) == said


def test_other_words_for_ours() -> None:
    assert [our_severity(word) for word in ("High", " medium ", "LOW", "critical")] == [
        "error",
        "warning",
        "info",
        "critical",
    ]

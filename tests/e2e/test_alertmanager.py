"""A metric goes wrong, Prometheus sees it, Alertmanager says it by webhook and as PagerDuty, and a person is mailed.

Everything is real: Debian's programs, `manage.py up`, a mail server. The rule compares two constants: it fires until
it is changed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.e2e import programs
from tests.e2e.programs import until
from tests.installation import Installation, running
from tests.sinks import SmtpSink

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not programs.INSTALLED, reason="apt-get install prometheus prometheus-alertmanager"),
]
SUMMARY = "Disk of db-1 is 96 % full"


def rule(load: int) -> dict[str, Any]:
    return {
        "alert": "DiskFull",
        "expr": f"vector({load}) > 90",
        "labels": {"severity": "critical", "instance": "db-1"},
        "annotations": {"summary": SUMMARY, "runbook_url": "https://wiki.example.org/disk"},
    }


@pytest.fixture
def smtp() -> Iterator[SmtpSink]:
    sink = SmtpSink()
    yield sink
    sink.stop()


@pytest.fixture
def installation(smtp: SmtpSink, tmp_path: Path) -> Iterator[Installation]:
    env = {"TOCSIN_DATA_DIR": str(tmp_path / "data"), "PORT": str(servers.free_port()), "EMAIL_URL": smtp.url}
    with running({**env, "DATABASE_URL": "", "CELERY_BROKER_URL": ""}, tmp_path / "tocsin.log") as made:
        yield made


def test_prometheus_and_alertmanager_page_a_person_and_end_the_incidents(
    installation: Installation, smtp: SmtpSink, tmp_path: Path
) -> None:
    installation.add_person("alice", "email", "alice@example.org")
    installation.add_policy("Core", "alice")
    by_webhook = installation.add_source("By webhook", kind="alertmanager", escalation_policy="Core")
    by_pagerduty = installation.add_source("As PagerDuty", kind="pagerduty", escalation_policy="Core")
    config = {
        "route": {
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
            "receiver": "webhook",
            "routes": [{"receiver": "webhook", "continue": True}, {"receiver": "pagerduty"}],
        },
        "receivers": [
            {
                "name": "webhook",
                "webhook_configs": [{"url": f"{installation.url}/integrations/alertmanager/{by_webhook.key}"}],
            },
            {
                "name": "pagerduty",
                "pagerduty_configs": [
                    {"routing_key": by_pagerduty.key, "url": f"{installation.url}/v2/enqueue", "severity": "critical"}
                ],
            },
        ],
    }
    port, alertmanager_port = servers.free_port(), servers.free_port()
    with (
        programs.alertmanager(tmp_path, alertmanager_port, config),
        programs.prometheus(tmp_path, port, alertmanager_port, [rule(96)]),
    ):
        letters = smtp.wait_for(2, seconds=60)  # one of each incident
        programs.change_rules(tmp_path, port, [rule(5)])
        until(lambda: states(installation) == {"RESOLVED"}, 60, "both incidents are resolved by their source")

    assert {letter.recipients[0] for letter in letters} == {"alice@example.org"}
    webhook, pagerduty = of_source(installation, "By webhook"), of_source(installation, "As PagerDuty")
    assert webhook["title"] == SUMMARY
    assert pagerduty["title"].startswith("[FIRING:1] DiskFull")
    assert any(SUMMARY in letter.text for letter in letters)
    assert webhook["labels"] == {"alertname": "DiskFull", "instance": "db-1", "region": "eu-2", "severity": "critical"}
    assert {link["text"] for link in webhook["links"]} == {"Source", "Runbook", "Silence"}
    for incident in (webhook, pagerduty):
        assert (incident["severity"], incident["firing"], incident["told"]) == ("critical", False, True)
        kinds = [entry["type"] for entry in timeline(installation, incident)]
        assert kinds[0] == "open"
        assert "notify" in kinds
        assert "resolve" in kinds
    assert len(smtp.letters) == 2  # however often Alertmanager repeated itself, and nothing after the end


def incidents(installation: Installation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = installation.get("/api/v1/incidents/")["results"]
    return found


def states(installation: Installation) -> set[str]:
    return {incident["status"] for incident in incidents(installation)}


def of_source(installation: Installation, name: str) -> dict[str, Any]:
    [found] = [one for one in incidents(installation) if one["alert_source"] == name]
    return dict(installation.get(f"/api/v1/incidents/{found['id']}/"))


def timeline(installation: Installation, incident: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = installation.get(f"/api/v1/incidents/{incident['id']}/timeline/")["results"]
    return sorted(found, key=lambda entry: entry["number"])

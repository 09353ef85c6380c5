"""REST under fire: requests made from its own schema, good and bad, find no 500 and no undocumented answer."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from destinations import connectors
from destinations.models import Connector, Delivery
from incidents import connecting, escalation
from incidents.models import Connection, RawEvent
from incidents.writer import writer
from oncall import tokens
from oncall.models import Override, Team
from tests import factories, servers
from tests.callers import person
from tests.conftest import default_database

EXAMPLES = 3  # of each operation, beside those that cover its parameters one by one
EVENT_API = "POST /api/v1/events/"
load_all_checks()
# A body may be refused for what a schema cannot say; the others call again by themselves, outside our transaction.
LEFT_OUT = {"positive_data_acceptance", "ignored_auth", "use_after_free", "ensure_resource_availability"}
EXCLUDED = [check for check in CHECKS.get_all() if check.__name__ in LEFT_OUT]
# The Event API reads what it can: a page lost over a null helps nobody.
LENIENT = [check for check in CHECKS.get_all() if check.__name__ == "negative_data_rejection"]
SAME_BODY = [  # as another operation has it: its every field is tried there
    *[f"PATCH /api/v1/{name}/{{id}}/" for name in ("schedules", "connections", "escalation-policies", "alert-sources")],
    *[f"PATCH /api/v1/{name}/{{id}}/" for name in ("users", "connectors", "contact-methods")],
    *[f"POST /api/v1/incidents/bulk/{verb}/" for verb in ("close", "delete", "escalate", "unacknowledge", "unsnooze")],
    *("POST /api/v1/schedules/preview/", "POST /api/v1/connectors/test/"),
]
REFUSALS = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429]
CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"with-security-parameters": False},
        "operations": [{"include-name": name, "phases": {"coverage": {"enabled": False}}} for name in SAME_BODY],
        "phases": {"coverage": {"unexpected-methods": ["PUT", "TRACE"]}},
        "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
    }
)
schema = schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application(), config=CONFIG)


class Town:
    """One row of each resource, an admin who calls, and the key of the alert source."""

    def __init__(self) -> None:
        now = timezone.now()
        self.token = tokens.make(person("ann", "admin"), "test", ("read", "write", "admin"), now=now)[1]
        bob = factories.make_user("bob")
        team = Team.objects.create(name="Ops")
        schedule = factories.make_schedule("Primary", bob)
        policy = factories.make_policy((schedule, 5), name="Core")
        source, self.key = factories.make_keyed_source("Shop", policy=policy, team=team)
        hook = connectors.save(Connector(name="Hook", kind="webhook"), config={"url": "http://127.0.0.1:9/hook"})
        connection = connecting.save(Connection(), connector=hook, events=["opened"])
        later = {"start": now + timedelta(days=1), "end": now + timedelta(days=2)}
        override = Override.objects.create(schedule=schedule, user=bob, **later)
        incident = factories.make_incident(source, now=now)
        escalation.run_due(now)
        rows: dict[str, Any] = {
            "alert-sources": source,
            "connections": connection,
            "connectors": hook,
            "contact-methods": bob.contact_methods.get(),
            "deliveries": Delivery.objects.get(kind="email"),
            "escalation-policies": policy,
            "events": RawEvent.objects.get(),
            "incidents": incident,
            "notification-rules": bob.notification_rules.filter(urgency="high").get(),
            "schedules": schedule,
            "teams": team,
            "tokens": tokens.make(bob, "his", ["read"], now=now)[0],
            "users": bob,
        }
        self.ids = {name: str(row.uuid) for name, row in rows.items()}
        self.override = str(override.uuid)
        self.names = {"user": "bob", "team": "Ops", "schedule": "Primary", "escalation_policy": "Core"}
        self.names |= {"connector": "Hook", "alert_source": "Shop", "members": "bob"}
        self.names |= {"contact_method": self.ids["contact-methods"], "incident_ids": self.ids["incidents"]}

    def meant(self, case: Case[Any]) -> Case[Any]:
        """Let a good request mean rows that are there, where it would name some that are not."""
        if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
            return case
        resource = case.path.removeprefix("/api/v1/").partition("/")[0]
        for name, value in {"id": self.ids[resource], "override": self.override}.items():
            if name in case.path_parameters:
                case.path_parameters[name] = value
        if isinstance(case.body, dict):
            case.body = self._meant(case.body)
        return case

    def _meant(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._meant(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._meant(inner, name) for inner in value]
        return self.names.get(name, value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def town(django_db_blocker: DjangoDbBlocker) -> Iterator[Town]:
    both = signals.request_started, signals.request_finished
    for signal in both:
        signal.disconnect(close_old_connections)  # each request is within our transaction
    with servers.fresh_sqlite() as url, default_database(url), django_db_blocker.unblock():
        yield Town()
        writer.stop()
    for signal in both:
        signal.connect(close_old_connections)


@schema.parametrize()
@hypothesis.settings(max_examples=EXAMPLES, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])
def test_no_request_finds_a_500_or_an_undocumented_answer(case: Case[Any], town: Town) -> None:
    by_key = case.operation.label == EVENT_API  # its writer has a connection of its own: nothing can be undone
    headers = {"Authorization": f"Bearer {town.key if by_key else town.token}"}
    with nullcontext() if by_key else transaction.atomic():
        excluded = [*EXCLUDED, *LENIENT] if by_key else EXCLUDED
        town.meant(case).call_and_validate(headers=headers, excluded_checks=excluded)  # type: ignore[arg-type]
        if not by_key:
            transaction.set_rollback(True)

"""The trail: what it says, what it hides, and that nothing in it ever changes."""

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from config import audit
from config.models import AuditEntry
from config.secrets import MASK
from destinations.models import Connector
from tests.callers import person

NOW = datetime(2026, 11, 21, 3, 47, tzinfo=UTC)
ANN = audit.Actor("ann", "1234", "console")


def hook(**columns: object) -> Connector:
    return Connector(name="Hook", kind="webhook", **columns)


@pytest.mark.django_db
def test_a_line_says_who_did_what_to_what() -> None:
    connector = hook()
    connector.save()
    before = audit.snapshot(connector)
    connector.name = "Other"
    line = audit.record(ANN, "changed", connector, audit.differences(before, audit.snapshot(connector)), now=NOW)
    assert (line.at, line.actor, line.actor_id, line.via) == (NOW, "ann", "1234", "console")
    assert (line.kind, line.object_id, line.name) == ("destinations.connector", str(connector.uuid), "Other")
    assert line.changes == {"name": ["Hook", "Other"]}


def test_a_changed_secret_shows_that_it_changed_and_nothing_of_it() -> None:
    before = audit.snapshot(hook(secrets={"token": "one-secret"}))
    after = audit.snapshot(hook(secrets={"token": "two-secret"}))
    assert audit.differences(before, after) == {"secrets": [MASK, MASK]}
    assert audit.differences(before, before) == {}
    assert audit.differences({}, after)["secrets"] == [None, MASK]
    assert audit.differences(before, audit.snapshot(hook()))["secrets"] == [MASK, None]


@pytest.mark.django_db
def test_a_password_is_never_in_the_trail() -> None:
    ann = person("ann")
    assert ann.password not in str(audit.differences({}, audit.snapshot(ann)))


@pytest.mark.django_db
def test_lines_are_never_changed_or_deleted() -> None:
    connector = hook()
    connector.save()
    line = audit.record(ANN, "created", connector, now=NOW)
    for attempt in (
        line.save,
        line.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor="bob"),
    ):
        with pytest.raises(TypeError):
            attempt()
    assert AuditEntry.objects.get().actor == "ann"


def test_the_database_itself_refuses(each_database: str) -> None:
    connector = hook()
    connector.save()
    audit.record(ANN, "created", connector, now=NOW)
    statements = ["UPDATE config_auditentry SET actor = 'bob'"]
    if connection.vendor == "postgresql":
        statements.append("DELETE FROM config_auditentry")
    for statement in statements:
        with (
            pytest.raises(DatabaseError, match="only ever added to"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert AuditEntry.objects.get().actor == "ann"

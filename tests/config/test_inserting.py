"""The quick insert writes what the ORM's own would have written, on both databases."""

from datetime import timedelta
from uuid import uuid4

from config.inserting import insert
from incidents.models import Incident, RawEvent, Run, TimelineEntry
from tests import factories
from tests.factories import T0

ODD = {"ä": "ö'\"\\", "n": [1, 2.5, None, True], "deep": {"a": {"b": "%s {x}"}}}


def rows(source: object) -> list[Incident]:
    """Two incidents that use every sort of column."""
    common = {"alert_source": source, "title": "it's 100%", "severity": "error", "opened_at": T0, "details": ODD}
    full = Incident(
        **common,
        dedup_key="a",
        labels={"k": "v"},
        links=[{"href": "https://x", "text": "x"}],
        risk_score=71.5,
        occurred_at=T0 - timedelta(microseconds=1),
        urgency="high",
        told=False,
        firing=False,
        acknowledged_by=factories.make_user(),
    )
    return [full, Incident(**common, dedup_key="b")]


def values(incident: Incident) -> dict[str, object]:
    """Every column but those that say when and which."""
    left_out = {"id", "uuid", "created_at", "updated_at", "dedup_key"}
    return {
        f.attname: getattr(incident, f.attname) for f in Incident._meta.concrete_fields if f.attname not in left_out
    }


def test_it_writes_what_the_orm_writes(each_database: str) -> None:
    source = factories.make_source()
    quick = rows(source)
    slow = [Incident(**{**values(one), "uuid": uuid4(), "dedup_key": one.dedup_key + "2"}) for one in quick]
    insert(quick)
    Incident.objects.bulk_create(slow)
    for one, other in zip(quick, slow, strict=True):
        written = Incident.objects.get(uuid=one.uuid)
        assert values(written) == values(Incident.objects.get(uuid=other.uuid))
        assert written.updated_at is not None


def test_a_row_that_loses_its_key_is_left_out_and_the_others_stand(each_database: str) -> None:
    source = factories.make_source()
    insert(rows(source))
    again = rows(source)
    again[1].dedup_key = "c"
    insert(again, ignore_conflicts=True)
    assert sorted(Incident.objects.values_list("dedup_key", flat=True)) == ["a", "b", "c"]


def test_other_tables_of_the_path_of_events(each_database: str) -> None:
    incident = factories.make_incident()
    insert(
        [RawEvent(source=incident.alert_source, body="\U0001f525 '%s'", remote_address="2001:db8::1", outcome="opened")]
    )
    insert([TimelineEntry(incident=incident, number=99, at=T0, kind="note", originator="system", facts=ODD)])
    Run.objects.all().delete()
    insert([Run(incident=incident, snapshot=ODD, started_at=T0, due_at=T0)])
    assert RawEvent.objects.filter(body="\U0001f525 '%s'", remote_address="2001:db8::1").exists()
    assert TimelineEntry.objects.get(number=99).facts == ODD
    assert Run.objects.get().due_at == T0


def test_nothing_is_nothing(db: None) -> None:
    insert([])
    assert not RawEvent.objects.exists()

"""What people type to find incidents: the grammar as a table, and what each key finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.models import Assignment, Incident
from incidents.search import Query, Term, condition, parse
from oncall.models import Team, User
from tests import factories
from tests.factories import T0


@pytest.mark.parametrize(
    ("text", "words", "terms"),
    [
        ("", (), ()),
        ("disk full", ("disk", "full"), ()),
        ('"disk full"', ("disk full",), ()),  # quotes hold words together
        ('"disk full', ("disk full",), ()),  # and need not be closed
        ("status:open", (), (("status", "open"),)),
        ("STATUS:Open", (), (("status", "Open"),)),  # keys in any case
        ("severity:critical disk", ("disk",), (("severity", "critical"),)),
        ("label.team:core", (), (("label.team", "core"),)),
        ("label.k8s.io/app:x", ("label.k8s.io/app:x",), ()),  # no key of ours has a slash: words
        ('source:"My shop"', (), (("source", "My shop"),)),
        ("status:open status:resolved", (), (("status", "open"), ("status", "resolved"))),
        ("https://example.com/a", ("https://example.com/a",), ()),  # an address is no key
        ("#12", ("#12",), ()),
        ("03:47", ("03:47",), ()),  # a time is no key
        ('"status:open"', ("status:open",), ()),  # quoted: only words
        ("assignee:me key:db-1/disk", (), (("assignee", "me"), ("key", "db-1/disk"))),
    ],
)
def test_the_grammar(text: str, words: tuple[str, ...], terms: tuple[tuple[str, str], ...]) -> None:
    query = parse(text)
    assert (query.words, query.terms) == (words, tuple(Term(*one) for one in terms))
    assert query.faults == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo:bar", "foo: is not known"),
        ("status:broken", "status:broken is not known. Use open"),
        ("severity:loud", "Use critical, error, warning, info"),
        ('source:""', "source: has no value"),
        ("label.:x", "label.: is not known"),
        ("label.-1:x", "name is a number"),
        ("label.0:x", "name is a number"),
    ],
)
def test_what_is_not_understood_is_said_in_a_sentence_and_left_out(text: str, said: str) -> None:
    query = parse(f"disk {text}")
    assert (query.words, query.terms) == (("disk",), ())
    assert said in query.faults[0]


@given(st.text(max_size=80))
def test_anything_can_be_typed(text: str) -> None:
    assert isinstance(parse(text), Query)


@pytest.fixture
def ann(db: None) -> User:
    return factories.make_user("ann")


@pytest.fixture
def incidents(ann: User) -> dict[str, Incident]:
    core = Team.objects.create(name="Core")
    core.memberships.create(user=ann)
    shop, mail = factories.make_source("My shop"), factories.make_source("Mail")
    found = {
        "disk": factories.make_incident(shop, dedup_key="d", title="Disk 96% full", labels={"team": "core"}),
        "mail": factories.make_incident(mail, dedup_key="m", title="Queue is long", severity="warning"),
        "old": factories.make_incident(mail, dedup_key="o", title="Disk was slow"),
    }
    Incident.objects.filter(pk=found["old"].pk).update(status="RESOLVED", closed_at=T0)
    Incident.objects.filter(pk=found["mail"].pk).update(told=False)
    Incident.objects.filter(pk=found["disk"].pk).update(origin="db-1")
    Assignment.objects.create(incident=found["mail"], team=core, assigned_at=T0)
    factories.acknowledge(found["disk"], ann)
    return found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("disk", {"disk", "old"}),
        ("disk status:open", {"disk"}),
        ("status:accepted", {"disk"}),
        ("status:acknowledged", {"disk"}),  # the alias
        ("status:pending status:resolved", {"mail", "old"}),  # one key twice means either
        ("severity:medium", {"mail"}),  # another product's word
        ("label.team:core", {"disk"}),
        ("label.team:cor", set()),  # labels are compared whole
        ('source:"my shop"', {"disk"}),
        ("assignee:me", {"disk", "mail"}),  # mine, and my team's
        ("assignee:ann", {"disk"}),
        ("assignee:core", {"mail"}),
        ("assignee:nobody", {"old"}),
        ("told:no", {"mail"}),
        ("host:db-1", {"disk"}),
        ("key:o", {"old"}),
        ("%", {"disk"}),  # no wildcard of the database gets through
        ("_", set()),
        ("' OR 1=1 --", set()),
    ],
)
def test_what_each_key_finds(incidents: dict[str, Incident], ann: User, text: str, names: set[str]) -> None:
    found = Incident.objects.filter(condition(parse(text), ann))
    assert {name for name, one in incidents.items() if one in found} == names


def test_a_number_is_found_with_and_without_its_sign(incidents: dict[str, Incident], ann: User) -> None:
    pk = incidents["mail"].pk
    assert list(Incident.objects.filter(condition(parse(f"#{pk}"), ann))) == [incidents["mail"]]
    assert incidents["mail"] in Incident.objects.filter(condition(parse(str(pk)), ann))
    assert not Incident.objects.filter(condition(parse(f"#{'9' * 18}"), ann)).exists()


@pytest.mark.parametrize("text", ['label.a".b:x', "label.a$b:x", "label.a'b:x", "label.__x:y"])
def test_a_label_may_have_any_name(incidents: dict[str, Incident], ann: User, text: str) -> None:
    assert not Incident.objects.filter(condition(parse(text), ann), dedup_key="d").exists()

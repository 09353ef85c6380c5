"""Keyset pages: nothing twice, nothing lost, however equal the keys are and whatever is added meanwhile."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import QuerySet
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from config import pagination
from config.pagination import Key, Page
from config.problems import Invalid, Problem
from destinations.models import Connector
from oncall.models import Team
from tests.callers import bearer, person

AT = datetime(2026, 11, 21, 3, 47, tzinfo=UTC)
NAME = Key(name="name", column="name")


def walk(rows: QuerySet[Any], keys: list[Key], size: int) -> Iterator[Page]:
    page = pagination.read(rows, keys, size=size, cursor=None, filters="")
    yield page
    while page.next:
        page = pagination.read(rows, keys, size=size, cursor=page.next, filters="")
        yield page


def teams(count: int, start: int = 0) -> None:
    Team.objects.bulk_create(Team(name=f"T{place:05}") for place in range(start, start + count))
    Team.objects.update(created_at=AT)


@pytest.mark.django_db
@pytest.mark.parametrize("descending", [False, True])
def test_1100_rows_of_equal_key_are_walked_once_while_others_are_inserted(descending: bool) -> None:
    teams(1100)
    before = set(Team.objects.values_list("pk", flat=True))
    seen: list[int] = []
    keys = [Key(name="created_at", column="created_at", descending=descending)]
    for number, page in enumerate(walk(Team.objects.all(), keys, 50)):
        seen += [row.pk for row in page.rows]
        assert number < 100
        teams(3, start=5000 + number * 3)
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


@pytest.mark.django_db
def test_over_http_a_list_is_walked_by_its_links_and_back() -> None:
    client = bearer(person("ann", "admin"))
    teams(25)
    forth: list[list[str]] = []
    url: str | None = "/api/v1/teams/?ordering=-created_at&page_size=10&include_total=true"
    last = {}
    while url:
        last = client.get(url).json()
        assert last["total_size"] == 25
        forth.append([row["name"] for row in last["results"]])
        url = last["next"]
    back = [[row["name"] for row in last["results"]]]
    while last["previous"]:
        last = client.get(last["previous"]).json()
        back.append([row["name"] for row in last["results"]])
    assert [len(page) for page in forth] == [10, 10, 5]
    assert len({name for page in forth for name in page}) == 25
    assert back == forth[::-1]


@pytest.mark.django_db
def test_a_list_says_its_total_only_when_asked() -> None:
    client = bearer(person("ann", "admin"))
    assert set(client.get("/api/v1/teams/").json()) == {"next", "previous", "results"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    ["name=T00001", "ordering=-name", "search=T", "cursor=x", "private=false"],
    ids=lambda text: text.split("=")[0],
)
def test_a_cursor_is_good_for_its_own_list_alone(change: str) -> None:
    client = bearer(person("ann", "admin"))
    teams(5)
    cursor = client.get("/api/v1/teams/?page_size=2").json()["next"].partition("cursor=")[2].partition("&")[0]
    query = change if change.startswith("cursor") else f"{change}&cursor={cursor}"
    answer = client.get(f"/api/v1/teams/?page_size=2&{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
    assert client.get(f"/api/v1/teams/?page_size=3&cursor={cursor}").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["page_size=0", "page_size=1001", "page_size=x", "page_size=-1", "page_size=²",
                                   "include_total=yes", "ordering=shoe", "ordering=name,shoe"])  # fmt: skip
def test_wrong_page_parameters_are_refused(query: str) -> None:
    answer = bearer(person("ann", "admin")).get(f"/api/v1/teams/?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_an_ordering_names_only_what_is_allowed() -> None:
    assert pagination.keys_of("-a, b", {"a": "x", "b": "y"}) == [
        Key(name="a", column="x", descending=True),
        Key(name="b", column="y"),
    ]
    with pytest.raises(Invalid):
        pagination.keys_of("c", {"a": "x"})


@pytest.mark.django_db
def test_a_cursor_that_was_tampered_with_is_refused() -> None:
    teams(3)
    page = pagination.read(Team.objects.all(), [NAME], size=1, cursor=None, filters="")
    assert page.next
    with pytest.raises(Problem, match="not made here"):
        pagination.read(Team.objects.all(), [NAME], size=1, cursor=f"A{page.next}", filters="")


class Walks(TestCase):
    """Any values, nulls among them, in any direction and page size."""

    @settings(max_examples=60, deadline=None)
    @given(
        values=st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=12),
        descending=st.booleans(),
        size=st.integers(1, 5),
    )
    def test_nulls_come_last_and_every_row_comes_once(
        self, values: list[int | None], descending: bool, size: int
    ) -> None:
        Connector.objects.all().delete()
        for place, value in enumerate(values):
            at = None if value is None else AT + timedelta(microseconds=value)
            Connector.objects.create(name=f"c{place}", kind="webhook", off_at=at)
        pages = list(walk(Connector.objects.all(), [Key(name="o", column="off_at", descending=descending)], size))
        seen = [row.off_at for page in pages for row in page.rows]
        present = sorted((at for at in seen if at is not None), reverse=descending)
        assert seen == [*present, *[None] * (len(values) - len(present))]
        assert len({row.pk for page in pages for row in page.rows}) == len(values)
        last = pages[-1]
        for page in reversed(pages[:-1]):
            assert last.previous
            last = pagination.read(
                Connector.objects.all(),
                [Key(name="o", column="off_at", descending=descending)],
                size=size,
                cursor=last.previous,
                filters="",
            )
            assert last.rows == page.rows
        assert last.previous is None

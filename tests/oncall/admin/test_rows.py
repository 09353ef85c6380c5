"""Forms of rows: dotted names become lists, buttons move them, and nothing that anybody sends breaks it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.admin.rows import arrange, group, nested, rows, texts, whole


def blank(path: list[str], word: str) -> Any:
    return {"new": f"{'.'.join(path)} {word}"}


def test_numbers_make_lists_in_their_order_and_without_holes() -> None:
    fields = {
        "name": "Core",
        "layers.10.name": "c",
        "layers.2.name": "b",
        "layers.2.users.1": "x",
        "layers.2.users.0": "",
    }
    assert nested(fields) == {"name": "Core", "layers": [{"name": "b", "users": ["", "x"]}, {"name": "c"}]}


def test_a_name_that_is_both_a_field_and_a_group_keeps_what_came_first() -> None:
    assert nested({"a": "text", "a.b": "lost"}) == {"a": "text"}
    assert nested({"a.b": "kept", "a": "lost"}) == {"a": {"b": "kept"}}


@pytest.mark.parametrize(
    ("order", "after"),
    [
        ("up steps.1", ["b", "a", "c"]),
        ("down steps.0", ["b", "a", "c"]),
        ("remove steps.2", ["a", "b"]),
        ("up steps.0", ["a", "b", "c"]),  # the first stays
        ("down steps.2", ["a", "b", "c"]),
        ("remove steps.3", ["a", "b", "c"]),  # there is none
        ("burn steps.1", ["a", "b", "c"]),
        ("remove", ["a", "b", "c"]),
    ],
)
def test_a_button_moves_its_row(order: str, after: list[str]) -> None:
    assert arrange({"steps": ["a", "b", "c"]}, order, blank)["steps"] == after


def test_adding_makes_a_list_that_is_not_there_yet() -> None:
    state = {"layers": [{"name": "a"}]}
    arrange(state, "add layers.0.restrictions weekly", blank)
    assert state["layers"][0]["restrictions"] == [{"new": "layers.0.restrictions weekly"}]  # type: ignore[comparison-overlap]


WORDS = st.lists(st.sampled_from(["a", "0", "1", "7", "²", "-1", "", "99999999"]), min_size=1, max_size=8).map(".".join)


@given(
    fields=st.dictionaries(WORDS, st.text(max_size=3), max_size=8),
    order=st.sampled_from(["add", "up", "remove"]),
    at=WORDS,
)
def test_nothing_that_is_sent_breaks_it(fields: dict[str, str], order: str, at: str) -> None:
    state = arrange(nested(fields), f"{order} {at}", blank)
    for name in ("a", "0"):
        assert all(isinstance(row, dict) for row in rows(state, name))
        assert all(isinstance(text, str) for text in texts(state, name))
        assert isinstance(group(state, name), dict)


@pytest.mark.parametrize(
    ("typed", "read"),
    [("5", 5), (" 12 ", 12), ("-1", "-1"), ("five", "five"), ("", ""), ("٣", "٣"), ("9" * 40, "9" * 40)],
)
def test_only_a_whole_number_is_one(typed: str, read: object) -> None:
    assert whole(typed) == read

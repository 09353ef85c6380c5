import json

from hypothesis import given
from hypothesis import strategies as st

from incidents.sources.attachments import MAX_DETAILS, images, labels, links, put, within_limit

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    max_leaves=20,
)


def test_labels_are_flat_texts() -> None:
    taken, rest = labels({"a": "x", "b": 5, "c": True, "d": None, "e": {"f": [1]}, "g": 2.5})
    assert taken == {"a": "x", "b": "5", "c": "true", "d": "", "e": '{"f": [1]}', "g": "2.5"}
    assert rest == {}


def test_labels_beyond_the_limits_stay_whole_beside_them() -> None:
    long, many = "v" * 1025, {f"n{i}": "x" for i in range(102)}
    assert labels({"a": long, "n" * 256: "x", "": "y"}) == ({"a": long[:1024]}, {"a": long, "n" * 256: "x", "": "y"})
    taken, rest = labels(many)
    assert (len(taken), rest) == (100, {"n100": "x", "n101": "x"})


@given(st.dictionaries(st.text(), JSON, max_size=120))
def test_labels_always_keep_their_limits_and_lose_nothing(given_labels: dict[str, object]) -> None:
    taken, rest = labels(given_labels)
    assert all(isinstance(value, str) and len(value) <= 1024 for value in taken.values())
    assert len(taken) <= 100
    assert taken.keys() | rest.keys() == given_labels.keys()


def test_links() -> None:
    bad = {"href": "javascript:alert(1)", "text": "x"}
    rich = {"href": "https://a", "rel": "next"}
    taken, rest = links([{"href": "https://a", "text": "A\nB"}, "https://b", bad, {"text": "no href"}, 5, None, rich])
    assert taken == [
        {"href": "https://a", "text": "A B"},
        {"href": "https://b", "text": ""},
        {"href": "https://a", "text": ""},
    ]
    assert rest == [bad, {"text": "no href"}, 5, None, rich]  # the last: it says more than a link can


def test_images() -> None:
    taken, rest = images([{"src": "https://a/i.png", "href": "ftp://x", "alt": None}, {"href": "https://a"}])
    assert taken == [{"src": "https://a/i.png", "href": "", "alt": ""}]
    assert rest == [{"href": "https://a"}]


def test_no_more_than_fifty_links() -> None:
    taken, rest = links([f"https://x/{number}" for number in range(60)])
    assert (len(taken), len(rest)) == (50, 10)


def test_a_taken_name_gets_a_number() -> None:
    details = {"a": 1, "a (2)": 2}
    put(details, "a", 3)
    assert details == {"a": 1, "a (2)": 2, "a (3)": 3}


def test_small_details_come_first_when_there_is_too_much() -> None:
    details = {"log": "x" * 600_000, "host": "db-1", "list": ["y" * 600_000], "none": None, "": "nameless"}
    kept, short = within_limit(details)
    assert {name: kept[name] for name in ("host", "none", "")} == {"host": "db-1", "none": None, "": "nameless"}
    assert kept["log"] == "x" * len(kept["log"])
    assert len(kept["log"]) > 200_000
    assert "list" not in kept
    assert short == ["log", "list"]


@given(
    st.dictionaries(
        st.text(max_size=5), st.text(alphabet='\x01é"x', min_size=1).map(lambda text: text * 90_000), max_size=4
    )
)
def test_details_never_pass_their_limit(details: dict[str, object]) -> None:
    kept, short = within_limit(details)
    assert len(json.dumps(kept, ensure_ascii=False)) <= MAX_DETAILS + 2
    assert {name for name in details if kept.get(name) != details[name]} == set(short)

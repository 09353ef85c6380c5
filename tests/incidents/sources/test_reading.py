import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.sources.base import Unreadable
from incidents.sources.reading import MAX_DEPTH, TooLarge, json_parts, json_value, unpacked


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),  # a byte order mark alone
        (b'{"title": "caf\xe9"}', "not UTF-8: byte 0xe9 at position 14"),  # Latin-1
        (b"\xff\xfe{\x00}\x00", "not UTF-8: byte 0xff at position 0"),  # UTF-16
        (b'{"title": "a\x00b"}', "NUL byte at position 12"),
        (b'{"title": }', "line 1, column 11"),
        (b'{\n  "title": "x",\n}', "line 3, column 1"),
        (b"{} {}", "Expecting the end of the body at line 1, column 4"),
        (b"title=x", "line 1, column 1"),
        (b'{"a": NaN}', "NaN is no JSON number at line 1, column 7"),
        (b'{"a": "NaN",\n "b": -Infinity}', "-Infinity is no JSON number at line 2, column 7"),
        (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "nested more than 100 levels"),
        (b"[" * 100_000, "nested more than 100 levels"),  # where Python itself gives up
        (b'{"a":' * 100_000, "nested more than 100 levels"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(body: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says.replace("(", r"\(")):
        json_value(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),  # Windows tools put a byte order mark first
        (b'{"a": 1, "a": 2}', {"a": 2}),  # a double key: the last one holds
        (b'{"a": "one\ntwo"}', {"a": "one\ntwo"}),  # shell scripts send raw line breaks
        (b'{"id": 90071992547409931234}', {"id": 90071992547409931234}),  # exact, beyond 2**53
        (b'{"x": 1e999}', {"x": "1e999"}),  # infinite as a number: PostgreSQL keeps no such JSON
        (b'{"x": -1e999}', {"x": "-1e999"}),
        (b'{"x": 1e-999}', {"x": 0.0}),
        (b'{"a\\u0000b": "c\\u0000"}', {"a\ufffdb": "c\ufffd"}),  # PostgreSQL keeps no NUL
        (b'["\\ud800", "\\uDFFF x"]', ["\ufffd", "\ufffd x"]),  # lone halves of a pair
        (b'["\\ud83d\\ude00"]', ["\U0001f600"]),  # a whole pair is a character
        (b'"\\\\u0000"', "\\u0000"),  # a written backslash is none
    ],
)
def test_odd_json_is_read(body: bytes, value: object) -> None:
    assert json_value(body) == value


def test_a_number_of_any_length_is_exact() -> None:
    assert json_value(b'{"x": ' + b"7" * 4300 + b"}") == {"x": int("7" * 4300)}
    assert json_value(b'{"x": ' + b"7" * 50_000 + b', "y": 1}') == {"x": "7" * 50_000, "y": 1}


def test_nesting_up_to_the_limit_is_read() -> None:
    deep: object = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert json_value(json.dumps(deep).encode()) == deep
    with pytest.raises(Unreadable):
        json_value(json.dumps([deep]).encode())
    assert json_value(json.dumps([[]] * 500).encode()) == [[]] * 500  # many, but flat


def test_each_element_keeps_its_own_text_and_size() -> None:
    parts = json_parts('\n[ {"a": "é"} ,\n\t{"b": [1, 2]}]\n'.encode(), most=2, largest=99)
    assert [(part.value, part.raw, part.size) for part in parts] == [
        ({"a": "é"}, '{"a": "é"}', 11),
        ({"b": [1, 2]}, '{"b": [1, 2]}', 13),
    ]
    assert [part.raw for part in json_parts(b' {"a": 1}\n', most=2, largest=99)] == ['{"a": 1}']


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"[]", "The list is empty. Send 1 to 2 events"),
        (b"[{}, {}, {}]", "more than 2 events"),
        (b"[{}, {}, [[", "more than 2 events"),  # no more is read than is taken
        (b"[{} {}]", "Expecting ',' or ']' at line 1, column 5"),
        (b"[{},]", "line 1, column 5"),
        (b"[{}", "line 1, column 4"),
        (b"[{}]]", "Expecting the end of the body"),
        (b'"text"', "The body is a text. Send one event as an object, or a list of 1 to 2"),
        (b"5", "is a number"),
        (b"null", "is null"),
        (b"false", "is true or false"),
    ],
)
def test_a_list_that_cannot_be_taken_says_why(body: bytes, says: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        json_parts(body, most=2, largest=99)
    assert says in str(refusal.value)


@given(st.lists(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists), min_size=1, max_size=9))
def test_elements_are_those_of_the_list(values: list[object]) -> None:
    body = json.dumps(values).encode()
    assert [part.value for part in json_parts(body, most=9, largest=10**6)] == json_value(body)


def test_packed_bodies_are_unpacked_within_the_limit() -> None:
    plain = b'{"title": "x"}'
    assert unpacked(plain, {}) == plain
    assert unpacked(gzip.compress(plain), {"content-encoding": "GZIP"}) == plain
    assert unpacked(zlib.compress(plain), {"content-encoding": "deflate"}) == plain
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(b" " * 50_000_000), {"content-encoding": "gzip"})
    with pytest.raises(TooLarge):
        unpacked(b"12345", {}, limit=4)
    for body, encoding in ((plain, "gzip"), (gzip.compress(plain)[:-9], "gzip"), (plain, "br")):
        with pytest.raises(Unreadable):
            unpacked(body, {"content-encoding": encoding})

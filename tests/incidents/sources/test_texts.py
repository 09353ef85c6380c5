import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.sources.texts import dedup_key, first_line, line, web_address


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("Disk 96% full", "Disk 96% full"),
        ("  Disk\r\n96%\t full  ", "Disk 96% full"),
        ("a\x00b\x07c\x1b[31md", "abc[31md"),  # a bell and a terminal's colour
        ("invoice\u202efdp.exe", "invoicefdp.exe"),  # turns the direction of reading
        ("\u2028one\u2029two\u00a0three", "one two three"),
        ("👩\u200d🚒 é 日本", "👩\u200d🚒 é 日本"),  # the joiner within an emoji stays
        ("\n\t", ""),
    ],
)
def test_a_line_is_one_line(text: str, one: str) -> None:
    assert line(text) == one


@given(st.text())
def test_a_line_never_holds_a_break_and_stays_itself(text: str) -> None:
    one = line(text)
    assert len(one.splitlines()) <= 1
    assert line(one) == one


def test_first_line() -> None:
    assert first_line("\n\n  Disk full \nand more") == "Disk full"
    assert first_line("") == ""


def test_a_long_key_is_its_first_200_and_a_hash_of_the_whole() -> None:
    assert dedup_key("k" * 255) == "k" * 255
    long = dedup_key("k" * 256)
    assert long == "k" * 200 + "zhb-eCCKTpP3FY5iOTaA4CWyrVhPTodc6QOmVLt0z5M"  # sha256 in base64url
    assert long != dedup_key("k" * 257)


@pytest.mark.parametrize(
    "address",
    ["https://x.example.org/a?b=c#d", "HTTP://x:8080", "http://10.0.0.1/", "https://例え.jp/é", "http://[::1]/"],
)
def test_addresses_of_the_web(address: str) -> None:
    assert web_address(f" {address} ") == address


def test_a_blank_within_an_address_is_escaped() -> None:
    assert web_address("http://x/graph?g0.expr=a > b") == ""
    assert web_address("http://x/graph?q=a b") == "http://x/graph?q=a%20b"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//x.example.org",
        "ftp://x",
        "http://",
        "https:///x",
        "http://x/\r\nSet-Cookie: a",
        'http://x/"onclick="',
        "http://" + "x" * 2048,
        "",
    ],
)
def test_what_must_not_become_a_link(address: str) -> None:
    assert web_address(address) == ""

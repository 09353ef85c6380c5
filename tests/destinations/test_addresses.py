"""No form of writing an inner address gets through the door."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from destinations import http
from destinations.addresses import allowed
from destinations.base import Outcome
from tests.destinations.making import NOW, make_target
from tests.sinks import HttpSink

INNER = [
    "127.0.0.1",
    "127.8.9.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # a cloud's metadata
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b:1::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",  # Teredo
    "fe80::1",
    "fec0::1",
    "fd00::1",
    "ff02::1",
]
WRITTEN = [  # as the host of a URL, all of them loopback or "this machine"
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0",
    "[::1]",
    "[::ffff:127.0.0.1]",
]


@pytest.fixture(autouse=True)
def closed(settings: Settings) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_refused(address: str) -> None:
    assert not allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "2002:101:101::"])
def test_an_outer_address_may_be_called(address: str) -> None:
    assert allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", WRITTEN)
def test_however_it_is_written_nothing_arrives(host: str, http_sink: HttpSink) -> None:
    answer = http.call("POST", f"http://{host}:{http_sink.port}/", b"{}", timeout=make_target().timeout, now=NOW)
    assert answer.result.outcome is Outcome.REJECTED
    assert "TOCSIN_ALLOW_PRIVATE_ADDRESSES" in answer.result.detail
    assert http_sink.requests == []


def test_a_listed_network_is_allowed_and_no_other(settings: Settings, http_sink: HttpSink) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = [ipaddress.ip_network("127.0.0.0/8")]
    assert allowed(ipaddress.ip_address("::ffff:127.0.0.1"))
    assert not allowed(ipaddress.ip_address("10.0.0.1"))
    answer = http.call("POST", http_sink.url, b"{}", timeout=make_target().timeout, now=NOW)
    assert answer.result.outcome is Outcome.SENT


@given(st.ip_addresses(v=4))
def test_what_is_mapped_into_ipv6_is_judged_as_itself(inner: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{inner}")
    through_nat = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(inner))
    assert allowed(mapped) is allowed(through_nat) is allowed(inner)


@given(st.ip_addresses())
def test_nothing_is_allowed_that_the_standard_library_calls_private(address: ipaddress.IPv4Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not allowed(address)

"""Which network addresses may be called: none inside this network, unless TOCSIN_ALLOW_PRIVATE_ADDRESSES allows it.

The special ranges are those of the IANA registries (RFC 6890) that are not globally reachable, plus multicast. IPv6
addresses that carry an IPv4 address (mapped, compatible, NAT64, 6to4) are judged by what they carry.
"""

import ipaddress
import socket
import threading
from collections.abc import Sequence

from django.conf import settings

from destinations.base import Outcome, Result

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SETTING = "TOCSIN_ALLOW_PRIVATE_ADDRESSES"

_CLOSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # "this network": 0.0.0.0 reaches the machine itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, with the clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",  # NAT64 of one's own
        "100::/64",
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",  # multicast
    )
)
_CARRIERS: tuple[tuple[ipaddress.IPv6Network, int], ...] = (  # network, bits to the right of the IPv4 address inside
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
    (ipaddress.IPv6Network("::/96"), 0),
)


class NoConnection(Exception):
    """No connection may or can be made; `result` says why and what to do."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.detail)
        self.result = result


def allowed(address: Address) -> bool:
    """Whether this address may be called under the present settings."""
    given = settings.ALLOW_PRIVATE_ADDRESSES
    if given is True:
        return True
    meant = _carried(address)
    if given and any(one in network for network in given for one in {address, meant}):
        return True
    return not any(meant in network for network in _CLOSED)


def _carried(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address carries, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in {ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1")}:
            return address
        for network, shift in _CARRIERS:
            if address in network:
                return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return address


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """Return every address of a host, in the resolver's order, within so many seconds. Raises NoConnection."""
    found: list[str] = []
    failed: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            found.extend(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as exc:
            failed.append(exc)

    thread = threading.Thread(target=look_up, name="resolver", daemon=True)  # getaddrinfo knows no time-out
    thread.start()
    thread.join(seconds)
    if not found:
        why = "took too long" if thread.is_alive() else "was not found"
        raise NoConnection(
            Result(
                outcome=Outcome.RETRY,
                error_code="dns",
                detail=f"The name {host} {why}. Nothing was sent. Check the name and this machine's DNS.",
            )
        )
    return list(dict.fromkeys(found))


def checked(host: str, port: int, seconds: float) -> Sequence[str]:
    """Return the addresses of a host if every one of them may be called. Raises NoConnection."""
    found = resolve(host, port, seconds)
    if not all(allowed(ipaddress.ip_address(address.partition("%")[0])) for address in found):
        raise NoConnection(
            Result(
                outcome=Outcome.REJECTED,
                error_code="private_address",
                detail=(
                    f"{host} has a private, local or reserved address, and such are not called. "
                    f"If it is yours, list its network in {SETTING} (or set it to true) and restart."
                ),
            )
        )
    return found

"""How the demo's rows are known: UUIDs of version 8 (RFC 9562, 5.8) with one beginning, which nothing else here makes.

Each is made from a name, so that a second run finds what the first has made; no list of them has to be kept.
"""

import hashlib
from uuid import UUID

from django.db.models import Q

HEAD = b"tocsin\x8d\xe0"  # the 8 after "tocsin" is the version
VARIANT = 0x80
FIRST, LAST = UUID(bytes=HEAD + b"\x80" + b"\x00" * 7), UUID(bytes=HEAD + b"\xbf" + b"\xff" * 7)
SUBJECT = f"incident:{str(FIRST)[:18]}"  # how the subjects of deliveries about demo incidents begin
OURS = Q(uuid__range=(FIRST, LAST))


def uuid_of(name: str) -> UUID:
    """Return the UUID of what the demo calls by this name."""
    digest = hashlib.sha256(name.encode()).digest()[:8]
    return UUID(bytes=HEAD + bytes([VARIANT | digest[0] & 0x3F]) + digest[1:])

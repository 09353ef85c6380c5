"""Source keys: 128 random bits as 32 lower-case hex digits (PagerDuty clients demand that), shown once, kept hashed."""

import hashlib
import secrets
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Q

from incidents.models import AlertSource


def fingerprint(key: str) -> str:
    """Return the form in which a key is kept and looked up. Written as a UUID (Opsgenie's form) it is the same key."""
    return hashlib.sha256(normal(key).encode()).hexdigest()


def normal(key: str) -> str:
    """Return the key as 32 lower-case hex digits if it is one, else as it came."""
    try:
        return uuid.UUID(key).hex
    except ValueError:
        return key


def issue(source: AlertSource) -> str:
    """Give an unsaved or locked source a new key and return it in the clear, this once. The caller saves."""
    key = secrets.token_hex(16)
    source.key_hash, source.key_prefix = fingerprint(key), key[:8]
    return key


def rotate(source: AlertSource, *, overlap: timedelta, now: datetime) -> str:
    """Give a source a new key; the old one stays good for the overlap. The caller saves."""
    source.old_key_hash = source.key_hash or ""
    source.old_key_until = now + overlap
    return issue(source)


def sources_of(keys: Collection[str], now: datetime) -> dict[str, AlertSource]:
    """Return the alert source of each key that is known, in whichever spelling, switched off or not, in one query."""
    prints = {key: fingerprint(key) for key in keys}
    current = Q(key_hash__in=prints.values())
    former = Q(old_key_hash__in=prints.values(), old_key_until__gt=now)
    by_print: dict[str, AlertSource] = {}
    for source in AlertSource.objects.filter(current | former).select_related("escalation_policy", "team"):
        still_good = source.old_key_until is not None and source.old_key_until > now
        for kept in (source.key_hash, source.old_key_hash if still_good else ""):
            if kept:
                by_print[kept] = source
    return {key: by_print[kept] for key, kept in prints.items() if kept in by_print}

"""Texts as we keep them: one line, a key, a URL, each within its limit."""

import base64
import hashlib
import re

MAX_LINE = 255
MAX_KEY = 255
MAX_URL = 2048
KEPT_OF_KEY = 200

# Characters that turn the direction of what follows can make a title say something else than it does.
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_WEB = re.compile(r"https?://[^\s/?#\\]", re.IGNORECASE)
_NEVER_IN_URL = re.compile(r"[\x00-\x1f\x7f<>\"]")


def line(text: str) -> str:
    """Return the text as one line without control characters, however long."""
    if text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join(_UNSEEN.sub("", text).split())


def first_line(text: str) -> str:
    """Return the first line that is not blank."""
    return line(text.lstrip().partition("\n")[0])


def dedup_key(text: str) -> str:
    """Return a key of at most 255 characters. A longer one becomes its first 200 and the SHA-256 of the whole.

    The hash is written as 43 characters of base64url, because 64 hex digits would not fit.
    """
    if len(text) <= MAX_KEY:
        return text
    digest = hashlib.sha256(text.encode()).digest()
    return text[:KEPT_OF_KEY] + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def web_address(text: str) -> str:
    """Return an http or https address, or "" if it is none that may become a link."""
    text = text.strip()
    if len(text) > MAX_URL or not _WEB.match(text) or _NEVER_IN_URL.search(text):
        return ""
    return text.replace(" ", "%20")

"""Not undoing what somebody else has just done: ETag, If-Match and If-None-Match (RFC 9110, sections 8.8 and 13).

The tag names the version of a row, not the bytes of an answer, so the weak mark that a compressing proxy puts before
it is taken off before comparing.
"""

import hashlib
import json
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from config.problems import Problem


def tag_of(representation: Any) -> str:
    """Return the ETag of something that has no version of its own: a hash of what it shows."""
    shown = json.dumps(json.loads(JSONRenderer().render(representation)), sort_keys=True)
    return f'"{hashlib.sha256(shown.encode()).hexdigest()[:20]}"'


def names(header: str, tag: str) -> bool:
    """Whether an If-Match or If-None-Match header names this tag, or anything at all (*)."""
    return any(one.strip() == "*" or _bare(one) == tag for one in header.split(","))


def require_match(request: Request, tag: str, *, demanded: bool = False) -> None:
    """Let a change pass only if the caller has seen the present version.

    Raises Problem version_mismatch (412) with the present ETag, precondition_required (428) if the header is demanded
    and missing.
    """
    header = request.headers.get("If-Match")
    if header is None:
        if demanded:
            raise Problem(
                "precondition_required",
                428,
                "Send If-Match with the ETag of the version you have seen.",
                headers={"ETag": tag},
            )
        return
    if not names(header, tag):
        raise Problem(
            "version_mismatch",
            412,
            "It has changed since you read it. Read it again, then decide.",
            headers={"ETag": tag},
        )


def unchanged(request: Request, tag: str) -> bool:
    """Whether the caller already has this version (If-None-Match): answer 304."""
    header = request.headers.get("If-None-Match")
    return header is not None and names(header, tag)


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/")

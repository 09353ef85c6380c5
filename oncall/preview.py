"""What a document that is not stored would mean: the answers of the preview in REST, console and command. Pure.

Asked {"schedule": document, "at": [instants]}: {"results": [{"at", "user", "until", "source"}]}.
Asked {"schedule": document, "from": instant, "until": instant}: {"shifts": [{"start", "end", "user", "source"}]}.
"""

from datetime import datetime, timedelta
from typing import Any

from oncall import definition, document
from oncall.definition import Definition, OnCall, Shift
from oncall.document import read_instant, write_instant
from oncall.faults import Faults, Faulty

MOST_INSTANTS = 1000
LONGEST_RANGE = timedelta(days=366)
HINT = "Send a time with its offset, such as 2026-03-02T09:00:00Z."


def answer(asked: Any) -> dict[str, Any]:
    """Return the answer to a preview's body. The users are the words of the document. Raises Faulty."""
    faults = Faults()
    given = faults.mapping(asked, "", ("schedule", "at", "from", "until"))
    schedule = Definition(())
    try:
        schedule = document.read(given.get("schedule"), also=("title", "name", "team"), path="schedule")
    except Faulty as exc:
        faults.found += exc.faults
    at = _instants(faults, given) if "at" in given else []
    span = _range(faults, given) if "at" not in given else None
    faults.settle()
    if span is not None:
        return {"shifts": [write_shift(shift) for shift in definition.shifts(schedule, *span)]}
    return {"results": [{"at": word, **write_on_call(definition.on_call(schedule, instant))} for word, instant in at]}


def write_on_call(found: OnCall[str]) -> dict[str, str | None]:
    """Return {"user", "until", "source"}."""
    until = None if found.until is None else write_instant(found.until)
    return {"user": found.user, "until": until, "source": found.source}


def write_shift(shift: Shift[str]) -> dict[str, str | None]:
    """Return {"start", "end", "user", "source"}."""
    return {
        "start": write_instant(shift.start),
        "end": write_instant(shift.end),
        "user": shift.user,
        "source": shift.source,
    }


def _instants(faults: Faults, given: Any) -> list[tuple[str, datetime]]:
    """Return each asked instant as it was written, and read."""
    for key in ("from", "until"):
        if key in given:
            faults.add(key, "Send either at, or from and until.")
    found = []
    for place, word in enumerate(faults.items(given["at"], "at", MOST_INSTANTS, least=1)):
        instant = read_instant(word)
        if instant is None:
            faults.add(f"at.{place}", HINT)
        else:
            found.append((word, instant))
    return found


def _range(faults: Faults, given: Any) -> tuple[datetime, datetime] | None:
    start, end = read_instant(given.get("from")), read_instant(given.get("until"))
    for key, at in (("from", start), ("until", end)):
        if at is None:
            faults.add(key, f"{HINT} Or send a list of instants as at.", "invalid" if key in given else "required")
    if start is None or end is None:
        return None
    if not start < end <= start + LONGEST_RANGE:
        faults.add("until", f"It must be later than from, by at most {LONGEST_RANGE.days} days.")
    return start, end

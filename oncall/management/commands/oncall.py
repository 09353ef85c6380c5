"""`manage.py oncall`: who is on call, now or at a time; `manage.py oncall preview FILE`: what a document would mean."""

import argparse
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config.wire import read_instant
from oncall import preview, shifts
from oncall.document import write_instant
from oncall.faults import Faulty
from oncall.models import Schedule

Table = list[tuple[str, ...]]


class Command(BaseCommand):
    """Prints tables for people; `--json` prints what REST answers."""

    help = "Say who is on call, now or --at a time; or, with preview FILE, what a schedule's document would mean."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a schedule's name, or `preview` and a file."""
        parser.add_argument("words", nargs="*", metavar="SCHEDULE | preview FILE", help="all schedules if left out")
        parser.add_argument("--at", type=_instant, metavar="INSTANT", help="such as 2026-11-21T03:47:00Z")
        parser.add_argument("--from", dest="start", type=_instant, metavar="INSTANT", help="preview: shifts from")
        parser.add_argument("--until", dest="end", type=_instant, metavar="INSTANT", help="preview: up to")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the answer. Raises CommandError with what to do."""
        words: list[str] = options["words"]
        at: datetime | None = options["at"]
        if words[:1] == ["preview"] and len(words) == 2:
            self._preview(Path(words[1]), options)
        elif len(words) > 1:
            raise CommandError("Name one schedule (in quotes if its name has spaces), or say: preview FILE.")
        elif options["start"] or options["end"]:
            raise CommandError("--from and --until go with: preview FILE.")
        else:
            self._now(_schedules(words), at or timezone.now(), options["json"])

    def _now(self, schedules: Sequence[Schedule], at: datetime, as_json: bool) -> None:
        found = shifts.on_call_until(schedules, at)
        if as_json:
            answers = [{"schedule": one.name, **_as_words(found[one.pk])} for one in schedules]
            self.stdout.write(json.dumps(answers, indent=2))
            return
        lines: Table = [("SCHEDULE", "ON CALL", "UNTIL", "BY")]
        for one in schedules:
            answer = found[one.pk]
            until = _local(answer.until, one.time_zone)
            lines.append((one.name, str(answer.user or "nobody"), until, answer.source or "no layer"))
        self._print(lines)

    def _preview(self, path: Path, options: dict[str, Any]) -> None:
        at, start, end = options["at"], options["start"], options["end"]
        if (start is None) != (end is None) or (at and start):
            raise CommandError("Give --at, or --from and --until together.")
        document = _read(path)
        asked: dict[str, Any] = {"schedule": document, "at": [write_instant(at or timezone.now())]}
        if start:
            asked = {"schedule": document, "from": write_instant(start), "until": write_instant(end)}
        answer = _answer(path, asked)
        if options["json"]:
            self.stdout.write(json.dumps(answer, indent=2))
            return
        key, titles = ("shifts", ("start", "end")) if start else ("results", ("at", "until"))
        table: Table = [(titles[0].upper(), titles[1].upper(), "ON CALL", "BY")]
        for one in answer[key]:
            when = (one[titles[0]], one[titles[1]] or "for a year or more")
            table.append((*when, one["user"] or "nobody", one["source"] or "no layer"))
        self._print(table)

    def _print(self, lines: Table) -> None:
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        for line in lines:
            self.stdout.write("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())


def _instant(text: str) -> datetime:
    try:
        return read_instant(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _schedules(words: Sequence[str]) -> list[Schedule]:
    rows = Schedule.objects.filter(name__in=words) if words else Schedule.objects.all()
    found = list(rows)
    if found:
        return found
    names = ", ".join(Schedule.objects.values_list("name", flat=True)[:10])
    if words:
        raise CommandError(f"There is no schedule {words[0]!r}. There are: {names or 'none yet'}.")
    raise CommandError("There is no schedule yet. Make one in the console or with POST /api/v1/schedules/.")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise CommandError(f"{path}: cannot be read ({exc.strerror}).") from exc
    except ValueError as exc:
        raise CommandError(f"{path}: is not JSON: {exc}.") from exc


def _answer(path: Path, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return preview.answer(asked)
    except Faulty as exc:
        lines = [f"  {fault.field}: {fault.detail}" for fault in exc.faults]
        raise CommandError("\n".join([f"{path} cannot be answered:", *lines])) from exc


def _as_words(answer: shifts.OnCall[Any]) -> dict[str, str | None]:
    username = None if answer.user is None else answer.user.username
    return preview.write_on_call(shifts.OnCall(username, answer.until, answer.source))


def _local(at: datetime | None, zone: str) -> str:
    return "for a year or more" if at is None else at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z")

"""`manage.py doctor`: would a page arrive? Each finding with its remedy."""

import dataclasses
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from django.utils import timezone

from incidents import doctor

MARKS = {doctor.Grade.GOOD: "ok", doctor.Grade.WARNING: "warning", doctor.Grade.BAD: "BAD"}


class Command(BaseCommand):
    """Exit code 0 when a page would arrive, also with warnings; 1 when something is bad."""

    help = "Check database, engine, mail, keys, clock, address, administrators and policies; say what to mend."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take --json."""
        parser.add_argument("--json", action="store_true", help="print a JSON list instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print every finding."""
        findings = doctor.examine(timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
        else:
            for finding in findings:
                self.stdout.write(f"{MARKS[finding.grade]:<8} {finding.check:<11} {finding.detail}")
                if finding.remedy:
                    self.stdout.write(f"{'':<20} -> {finding.remedy}")
        if any(finding.grade is doctor.Grade.BAD for finding in findings):
            sys.exit(1)

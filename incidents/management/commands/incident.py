"""`manage.py incident list | show | trigger | ack | resolve | escalate`: what a person at a terminal needs."""

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config.problems import Problem
from incidents import lifecycle
from incidents.document import document, load
from incidents.lifecycle import Change
from incidents.manual import open_by_hand
from incidents.models import Incident, Severity, Status
from incidents.sentences import sentence, span
from incidents.timeline import Actor, Originator
from oncall.models import EscalationPolicy, User

VERBS: dict[str, Callable[..., list[Change]]] = {
    "ack": lifecycle.acknowledge,
    "resolve": lifecycle.resolve,
    "escalate": lifecycle.escalate,
}


class Command(BaseCommand):
    """Prints lines for people; `--json` prints what REST answers."""

    help = "List, show, open, acknowledge, resolve and escalate incidents."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take a verb and what it needs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="open incidents, newest first")
        listing.add_argument("--all", action="store_true", help="resolved ones too")
        listing.add_argument("--limit", type=int, default=50)
        show = verbs.add_parser("show", help="one incident and its timeline")
        show.add_argument("number", type=int)
        trigger = verbs.add_parser("trigger", help="open an incident by hand")
        trigger.add_argument("title")
        trigger.add_argument("--policy", required=True, help="the escalation policy's name")
        trigger.add_argument("--severity", choices=Severity.values, default=Severity.CRITICAL)
        trigger.add_argument("--dedup-key", default="")
        trigger.add_argument("--description", default="")
        for verb in VERBS:
            one = verbs.add_parser(verb)
            one.add_argument("numbers", type=int, nargs="+", metavar="NUMBER")
            one.add_argument("--as", dest="username", default="", help="the person who does it; else the command line")
        for one in (listing, show, trigger):
            one.add_argument("--json", action="store_true", help="print JSON")
            one.set_defaults(username="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError with what to do."""
        verb: str = options["verb"]
        try:
            if verb == "list":
                self._list(options)
            elif verb == "show":
                self._show(_incidents([options["number"]])[0], options["json"])
            elif verb == "trigger":
                self._trigger(options)
            else:
                self._act(verb, options)
        except Problem as refusal:
            raise CommandError(str(refusal)) from refusal

    def _list(self, options: dict[str, Any]) -> None:
        rows = Incident.objects.all() if options["all"] else Incident.objects.exclude(status=Status.RESOLVED)
        incidents, now = list(rows.order_by("-pk")[: options["limit"]]), timezone.now()
        shown = [document(one, now) for one in load(incidents)]
        if options["json"]:
            self.stdout.write(json.dumps(shown, indent=2))
            return
        for one, row in zip(incidents, shown, strict=True):
            who = ", ".join(row["assignees"]) or "nobody"
            red = "  NOBODY WAS TOLD" if one.told is False else ""
            age = span(now - one.opened_at)
            self.stdout.write(f"#{one.pk:<6} {one.status:<8} {one.severity:<8} {age:>8}  {who:<12} {one.title}{red}")
        if not incidents:
            self.stdout.write("No open incidents.")

    def _show(self, incident: Incident, as_json: bool) -> None:
        now = timezone.now()
        shown = document(load([incident])[0], now)
        if as_json:
            self.stdout.write(json.dumps(shown, indent=2))
            return
        self.stdout.write(f"#{incident.pk} {incident.title}")
        self.stdout.write(f"{incident.status}, {incident.severity}, from {shown['alert_source']}, {shown['url']}")
        for words in (incident.told_reason, shown["next_step"]):
            if words:
                self.stdout.write(words)
        for entry in incident.timeline.order_by("number"):
            self.stdout.write(f"  {entry.at:%Y-%m-%d %H:%M:%S}Z  {sentence(entry)}")

    def _trigger(self, options: dict[str, Any]) -> None:
        policy = EscalationPolicy.objects.filter(name=options["policy"]).first()
        if policy is None:
            known = ", ".join(EscalationPolicy.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(f"There is no escalation policy called {options['policy']!r}. There are: {known}.")
        incident, new = open_by_hand(
            title=options["title"],
            severity=options["severity"],
            policy=policy,
            key=options["dedup_key"] or uuid4().hex,
            description=options["description"],
            by=_actor(""),
            now=timezone.now(),
        )
        if options["json"]:
            self._show(incident, as_json=True)
        else:
            self.stdout.write(f"#{incident.pk} {'opened' if new else 'is open already'}.")

    def _act(self, verb: str, options: dict[str, Any]) -> None:
        incidents = _incidents(options["numbers"])
        changes = VERBS[verb](incidents, by=_actor(options["username"]), now=timezone.now())
        for change in changes:
            said = change.refusal or ("done" if change.changed else f"is {change.incident.status} already")
            self.stdout.write(f"#{change.incident.pk}: {said}")
        if any(change.refusal for change in changes):
            raise CommandError("Not every incident could do that.")


def _incidents(numbers: Sequence[int]) -> list[Incident]:
    found = {incident.pk: incident for incident in Incident.objects.filter(pk__in=numbers)}
    missing = [f"#{number}" for number in numbers if number not in found]
    if missing:
        raise CommandError(f"There is no incident {', '.join(missing)}. `incident list --all` shows what there is.")
    return [found[number] for number in numbers]


def _actor(username: str) -> Actor:
    if not username:
        return Actor(Originator.TOKEN, "the command line", None, "command")
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active person called {username!r}.")
    return Actor.person(user, "command")

"""The way to the first page in five minutes: what an installation still needs before an event wakes somebody."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from destinations.models import Connector
from incidents.models import AlertSource, Page, RawEvent
from oncall.models import ContactMethod, EscalationPolicy, Schedule, User


@dataclass(frozen=True)
class Task:
    """One thing to do: it ticks itself."""

    title: str
    why: str
    done: bool
    href: str
    action: str
    optional: bool = False
    line: str = ""  # to be pasted into a terminal


def checklist(user: User) -> list[Task]:
    """Return the tasks in the order in which they are best done."""
    return [_contact(user), _schedule(), _policy(), _source(), _event(), _destination()]


def event_line(key: str = "<your key>") -> str:
    """Return the command that sends a first event."""
    body = '{"title": "Disk 96% full on db-1", "severity": "critical"}'
    return (
        f"curl -X POST {settings.PUBLIC_URL}/api/v1/events \\\n"
        f"  -H 'Authorization: Bearer {key}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )


def _contact(user: User) -> Task:
    reachable = ContactMethod.objects.filter(user=user, verified_at__isnull=False, disabled_at=None).exists()
    why = "An address or a phone that has proved to be yours: pages go nowhere else."
    if not settings.EMAIL_URL:
        why += " Mail is not set up here (EMAIL_URL), so choose ntfy or another push."
    return Task("How you can be reached", why, reachable, _address("console-me"), "Add a contact method")


def _schedule() -> Task:
    why = "Says who is on call at any moment. One person for every day is a schedule too."
    done = Schedule.objects.filter(layers__isnull=False).exists()
    return Task("A schedule", why, done, _address("console-schedule-new", "console-schedules"), "Make a schedule")


def _policy() -> Task:
    why = "Who is told first, who next, and how long each has to answer."
    done = EscalationPolicy.objects.filter(steps__isnull=False).exists()
    return Task("An escalation policy", why, done, _address("console-policy-new", "console-policies"), "Make a policy")


def _source() -> Task:
    with_policy = AlertSource.objects.filter(built_in=False, enabled=True, escalation_policy__isnull=False)
    why = "Each monitoring tool has a source with a key of its own; give it the policy, then paste its line."
    href = _address("console-sources")
    return Task("An alert source", why, with_policy.exists(), href, "Open the alert sources")


def _event() -> Task:
    sent = RawEvent.objects.filter(outcome=RawEvent.Outcome.OPENED).exists()
    told = Page.objects.filter(state=Page.State.SENT).exists()
    why = "Send an event and watch it become an incident that pages you."
    if sent and not told:
        why = "An event came and opened an incident, but nobody was told yet. Finish the steps above and send another."
    return Task("A test event", why, sent and told, _address("console-sources"), "Send one", line=event_line())


def _destination() -> Task:
    why = "Chat, tickets, other paging tools: they hear of an incident as it opens, is answered and ends."
    href = _address("console-destinations")
    return Task("An alert destination", why, Connector.objects.exists(), href, "Add a destination", optional=True)


def _address(*routes: str) -> str:
    """Return the address of the first of these pages that there is."""
    for route in routes:
        try:
            return reverse(route)
        except NoReverseMatch:
            continue
    return reverse("home")

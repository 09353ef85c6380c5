"""Deliveries: what left, to whom, what was answered, and sending again."""

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone

from config import pagination
from config.access import visible
from config.console import Person, fragment, page, show
from destinations import delivery as outbox
from destinations.models import Connector, Delivery
from incidents import discretion
from incidents.admin.delivery_rows import INCIDENT, METHOD, Line, lines, message_shown
from incidents.models import Incident
from oncall.admin.pages import find, go, verb
from oncall.models import ContactMethod, User

PAGE_SIZE = 50
MOST_REPLAYED = 500  # at once
NEWEST_FIRST = [pagination.Key(name="", column="pk", descending=True, nullable=False)]
STATES = (
    ("", "any state"),
    ("waiting", "waiting or being sent"),
    ("sent", "sent"),
    ("bad", "failed or no answer"),
    ("cancelled", "not sent"),
)
IN_STATE = {
    "waiting": Delivery.OPEN,
    "sent": (Delivery.State.SENT,),
    "bad": (Delivery.State.FAILED, Delivery.State.UNKNOWN),
    "cancelled": (Delivery.State.CANCELLED,),
}


class FilterForm(forms.Form):
    """What is looked for."""

    state = forms.ChoiceField(choices=STATES, required=False, label="State")
    destination = forms.ModelChoiceField(
        Connector.objects.none(),
        to_field_name="uuid",
        required=False,
        empty_label="any destination",
        label="Destination",
    )
    person = forms.ModelChoiceField(
        User.objects.none(), to_field_name="username", required=False, empty_label="anybody", label="Person"
    )
    incident = forms.CharField(required=False, max_length=20, label="Incident number")

    def __init__(self, data: object, *, user: User) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.user = user
        self.fields["destination"].queryset = visible(user, Connector.objects.order_by("name"))  # type: ignore[attr-defined]
        self.fields["person"].queryset = User.objects.order_by("username")  # type: ignore[attr-defined]
        self.fields["incident"].widget.attrs.update({"inputmode": "numeric", "placeholder": "1234"})

    def clean_incident(self) -> Incident | None:
        """Return the incident with this number."""
        text: str = self.cleaned_data["incident"].strip().removeprefix("#")
        if not text:
            return None
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
        found = visible(self.user, Incident.objects.filter(pk=number)).first()
        if found is None:
            raise forms.ValidationError(f"There is no incident {text[:20]}.", code="unknown")
        return found

    def narrow(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Return the rows that were asked for; with a wrong filter none."""
        if not self.is_valid():
            return rows.none()
        said = self.cleaned_data
        if said["state"]:
            rows = rows.filter(state__in=IN_STATE[said["state"]])
        if said["destination"]:
            rows = rows.filter(connector=said["destination"])
        if said["incident"]:
            rows = rows.filter(subject=f"{INCIDENT}{said['incident'].uuid}")
        if said["person"]:
            held = ContactMethod.objects.filter(user=said["person"]).values_list("uuid", flat=True)
            rows = rows.filter(recipient__in=[f"{METHOD}{uuid}" for uuid in held])
        return rows

    @property
    def asked(self) -> dict[str, str]:
        """What of it is set, for links to further pages."""
        return {name: str(self.data.get(name)) for name in self.fields if self.data.get(name)}


@page("destinations.view_delivery")
def deliveries(request: Person) -> HttpResponse:
    """List the deliveries, newest first."""
    form = FilterForm(request.GET, user=request.user)
    found = pagination.read(
        form.narrow(_rows(request)),
        NEWEST_FIRST,
        size=PAGE_SIZE,
        cursor=request.GET.get("cursor"),
        filters=urlencode(form.asked),
    )
    context = {
        "form": form,
        "page": found,
        "query": urlencode(form.asked),
        "lines": lines(request.user, found.rows),
        "may_replay": request.user.has_perm("destinations.change_delivery", Delivery),
        "asked": bool(form.asked),
    }
    return show(request, "incidents/deliveries.html", context, title="Deliveries")


@page("destinations.view_delivery")
def delivery(request: Person, uuid: UUID) -> HttpResponse:
    """Show one delivery with every attempt."""
    row = _found(request, uuid)
    line = lines(request.user, [row])[0]
    context = {
        **_progress(line),
        "told": _told(line),
        "may_replay": request.user.has_perm("destinations.change_delivery", row),
    }
    return show(request, "incidents/delivery.html", context, title=line.headline)


@page("destinations.view_delivery")
def live(request: Person, uuid: UUID) -> HttpResponse:
    """Answer with where a delivery stands and its attempts, or 304 while nothing happens."""
    row = _found(request, uuid)
    line = lines(request.user, [row])[0]
    stamp = (row.state, row.tries, row.due_at, row.updated_at, line.held)
    return fragment(request, "incidents/delivery_live.html", lambda: _progress(line), stamp=stamp)


@verb("destinations.change_delivery")
def replay(request: Person, now: datetime, uuid: UUID) -> HttpResponse:
    """Send one again, under the same id."""
    row = find(request, _rows(request), uuid, "destinations.change_delivery")
    if outbox.replay([row.uuid], now=now):
        line = lines(request.user, [row])[0]
        waits = " It leaves when the destination is switched on again." if line.held else ""
        messages.success(request, f"Sending it again to {line.to}.{waits}")
    else:
        messages.info(request, "It has not come to an end yet: it is still tried by itself.")
    return go("console-delivery", row.uuid)


@verb("destinations.change_delivery")
def replay_chosen(request: Person, now: datetime) -> HttpResponse:
    """Send those that were ticked again, and say what became of the others."""
    chosen = {text for text in request.POST.getlist("delivery")[:MOST_REPLAYED] if _is_uuid(text)}
    rows = [row for row in _rows(request).filter(uuid__in=chosen) if _may_replay(request, row)]
    again = outbox.replay([row.uuid for row in rows], now=now)
    held = sum(line.held for line in lines(request.user, rows) if line.settled)
    messages.add_message(request, messages.SUCCESS if again else messages.INFO, _replayed(len(chosen), again, held))
    return go("console-deliveries")


def _replayed(chosen: int, again: int, held: int) -> str:
    if not chosen:
        return "Nothing was ticked. Tick the deliveries that are to be sent again."
    left = chosen - again
    said = [f"{again} of {chosen} {'is' if again == 1 else 'are'} sent again."] if again else ["None is sent again."]
    if held:
        said.append(f"{held} of them wait until their destination is switched on.")
    if left:
        said.append(f"{left} still waited or were not yours to send again, and were left alone.")
    return " ".join(said)


def _rows(request: Person) -> QuerySet[Delivery]:
    rows = discretion.known(request.user, Delivery.objects.select_related("connector"))
    return rows.defer("message", "target", "reference")


def _found(request: Person, uuid: UUID) -> Delivery:
    rows = discretion.known(request.user, Delivery.objects.select_related("connector"))
    return find(request, rows, uuid, "destinations.view_delivery")


def _told(line: Line) -> dict[str, str] | None:
    """Return what it says; None if that is nothing to look at: a code, or news of an incident that is gone."""
    row = line.delivery
    if row.event in discretion.SECRET_EVENTS or (line.incident is None and row.subject.startswith(INCIDENT)):
        return None
    return message_shown(row.message)


def _may_replay(request: Person, row: Delivery) -> bool:
    return bool(request.user.has_perm("destinations.change_delivery", row))


def _progress(line: Line) -> dict[str, object]:
    return {
        "line": line,
        "delivery": line.delivery,
        "next": line.next(timezone.now()),
        "attempts": list(line.delivery.attempts.order_by("-pk")),
    }


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True

"""What became of what was sent: the hooks by which the floor below asks before it sends, and tells how it went."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import F

from config.engine import wake
from destinations import delivery
from destinations.models import Delivery
from incidents import fallback, runs, timeline
from incidents.models import Connection, Execution, Incident, Page, Run, Status
from incidents.timeline import Kind

INFORMATION_IS_OLD = timedelta(minutes=15)  # F6
NO_WAY = "no way left"  # begins the reason of a page whose way to the person is gone
STATES = {
    Delivery.State.SENT: Page.State.SENT,
    Delivery.State.UNKNOWN: Page.State.UNKNOWN,
    Delivery.State.FAILED: Page.State.FAILED,
    Delivery.State.CANCELLED: Page.State.CANCELLED,
}


def still_wanted(deliveries: Sequence[Delivery], now: datetime) -> Mapping[int, str]:
    """Say which pages need not be sent any more, and why, by a fresh look just before sending (F7)."""
    pages = {
        page.delivery_key: page
        for page in Page.objects.filter(delivery_key__in=[d.key for d in deliveries]).select_related(
            "incident", "execution", "user", "contact_method", "rule"
        )
    }
    newer = _newer_due(list(pages.values()), now)
    reasons = _opened_too_late(deliveries)
    for one in deliveries:
        if page := pages.get(one.key):
            reason = _unwanted(page, now) or newer.get(page.pk, "")
            if reason:
                reasons[one.pk] = reason
    return reasons


def _opened_too_late(deliveries: Sequence[Delivery]) -> dict[int, str]:
    """What opens at the other side is not sent again, alone, once the end is behind it: nothing would ever close it."""
    opening = {one.lane: one.pk for one in deliveries if one.lane and one.event == "opened"}
    ends = Delivery.objects.filter(lane__in=opening, event="resolved").exclude(state__in=Delivery.OPEN)
    over = ends.values_list("lane", flat=True) if opening else ()
    why = "the incident is resolved, and nothing would close it at the other side: replay its “resolved” too"
    return {opening[lane]: why for lane in over}


def _unwanted(page: Page, now: datetime) -> str:
    incident, method = page.incident, page.contact_method
    if Execution.Reason(page.execution.reason).informs:
        late = now - page.execution.at > INFORMATION_IS_OLD
        return "it is old news" if late else "" if page.user.is_active else f"{page.user} is deactivated"
    checks = (
        (incident.status == Status.RESOLVED, "the incident is resolved"),
        (incident.status == Status.ACCEPTED, "somebody has it"),
        (incident.snoozed, "the incident is snoozed"),
        (incident.is_muted, "the incident is muted"),
        (page.state == Page.State.CANCELLED, "it is not waited for any more"),
        (not page.user.is_active, f"{NO_WAY}: {page.user} is deactivated"),
        (method is None, f"{NO_WAY}: the contact method was removed"),
        (method is not None and not method.usable, f"{NO_WAY}: the contact method is not verified or not working"),
        (method is not None and method.address != page.address, f"{NO_WAY}: the address was changed"),
        (page.rule is None and page.rule_key.startswith("rule:"), f"{NO_WAY}: the notification rule was removed"),
    )
    return next((reason for unwanted, reason in checks if unwanted), "")


def _newer_due(pages: Sequence[Page], now: datetime) -> dict[int, str]:
    """After a stop, of several due pages to one person by one method about one incident only the newest goes (F6)."""
    due = Page.objects.filter(
        incident__in={p.incident_id for p in pages}, state=Page.State.WAITING, due_at__lte=now
    ).values_list("pk", "incident_id", "user_id", "contact_method_id")
    newest: dict[tuple[int, int, int | None], int] = {}
    for pk, *who in due.order_by("pk"):
        newest[who[0], who[1], who[2]] = pk
    return {
        page.pk: "superseded by a newer page"
        for page in pages
        if newest.get((page.incident_id, page.user_id, page.contact_method_id), page.pk) > page.pk
    }


def settled(one: Delivery, now: datetime) -> None:
    """Carry the outcome of a delivery to the incident's record, inside the transaction that settled it."""
    if one.state == Delivery.State.CANCELLED:  # no lock on the incident here: whoever cancels may hold others' rows
        waiting = Page.objects.filter(delivery_key=one.key, state=Page.State.WAITING)
        cancelled = waiting.update(state=Page.State.CANCELLED, detail=one.detail, settled_at=now)
        if cancelled and one.detail.startswith(NO_WAY):
            transaction.on_commit(partial(_fall_over_later, one.key, now), robust=True)
        return
    if not one.subject.startswith("incident:"):
        return
    incident = (
        Incident.objects.select_for_update(no_key=True).filter(uuid=one.subject.removeprefix("incident:")).first()
    )
    if incident is None:
        return
    page = Page.objects.filter(delivery_key=one.key).select_related("execution", "user", "contact_method").first()
    if page is not None:
        _page_settled(page, one, incident, now)
    else:
        _connector_settled(one, incident, now)


@transaction.atomic
def _fall_over_later(key: str, now: datetime) -> None:
    """A page was cancelled because its way is gone: that tells nobody, so it is gone on from as if it had failed."""
    page = Page.objects.filter(delivery_key=key).select_related("execution", "user").first()
    incident = timeline.lock([page.incident_id]) if page is not None else []
    if page is not None and incident and not Execution.Reason(page.execution.reason).informs:
        _fall_over(page, incident[0], now)


def _page_settled(page: Page, one: Delivery, incident: Incident, now: datetime) -> None:
    page.state, page.detail, page.settled_at = STATES[Delivery.State(one.state)], one.detail, now
    page.save(update_fields=["state", "detail", "settled_at"])
    facts = {"user": str(page.user), "username": page.user.username, "kind": page.kind, **_facts(one, now)}
    timeline.add(incident, Kind.NOTIFY, facts, at=now)
    if page.state == Page.State.SENT:
        _note_told(page, incident, now)
    elif not Execution.Reason(page.execution.reason).informs:  # failed, or unknown through every retry
        _fall_over(page, incident, now)


def _facts(one: Delivery, now: datetime) -> dict[str, object]:
    last = one.attempts.order_by("-pk").first()
    return {
        "outcome": one.state,
        "detail": one.detail,
        "tries": one.tries,
        "seconds": round(last.seconds, 3) if last else None,
        "answer": last.answer[:200] if last else "",
        "delivery": str(one.uuid),
    }


def _note_told(page: Page, incident: Incident, now: datetime) -> None:
    """Somebody was told: unless only the catch-all was, after everyone in the policy could not be reached."""
    reason = Execution.Reason(page.execution.reason)
    if incident.told or reason.informs or (incident.told is False and reason in CATCH_ALL):
        return
    Incident.objects.filter(pk=incident.pk).update(told=True, told_reason="", version=F("version") + 1, updated_at=now)


CATCH_ALL = frozenset({Execution.Reason.CATCH_ALL, Execution.Reason.REMINDER})


def _fall_over(page: Page, incident: Incident, now: datetime) -> None:
    """A page failed for good: the person's next rule goes at once (N3), or the next step if it was the last hope."""
    waiting = Page.objects.filter(execution=page.execution, state=Page.State.WAITING)
    following = waiting.filter(user=page.user).order_by("due_at", "pk").first()
    if following is not None:
        delivery.bring_forward([following.delivery_key], now=now)
        return
    lost = [Page.State.FAILED, Page.State.UNKNOWN, Page.State.CANCELLED]
    hopes = Page.objects.filter(execution=page.execution).exclude(state__in=lost)
    if hopes.exists():
        return
    run = (
        Run.objects.select_for_update(no_key=True)
        .filter(pk=page.execution.run_id)
        .exclude(state=Run.State.ENDED)
        .first()
    )
    if run is None or incident.status != Status.PENDING or incident.snoozed:
        return
    if page.execution.reason in CATCH_ALL:
        run.incident = incident
        why = f"The catch-all could not be told either: {page.detail}" if incident.told is False else page.detail
        fallback.mark_untold(incident, why or "The catch-all could not be told", told=[], now=now)
    elif run.executions.order_by("-sequence").values_list("pk", flat=True).first() == page.execution_id:
        _next_step_at_once(run, page, incident, now)


def _next_step_at_once(run: Run, page: Page, incident: Incident, now: datetime) -> None:
    """Every page of the present step failed: it reached nobody, so the next step does not wait."""
    if incident.told is None:
        Incident.objects.filter(pk=incident.pk).update(
            told=False,
            told_reason=f"Every page of the step failed; the last: {page.detail}"[:500],
            version=F("version") + 1,
            updated_at=now,
        )
    if run.state == Run.State.HALTED:  # low urgency would rest here; nobody knows, so it goes on
        run.state = Run.State.CLIMBING
    run.due_at = now
    run.save(update_fields=["state", "due_at"])
    wake(runs.JOB)


def _connector_settled(one: Delivery, incident: Incident, now: datetime) -> None:
    name = one.connector.name if one.connector else one.kind
    connection = Connection.objects.filter(uuid=one.recipient.removeprefix("connection:")).first()
    facts = {
        "connector": name,
        "connection": str(connection) if connection else "",
        "event": one.message.get("event", ""),
    }
    timeline.add(incident, Kind.DELIVER, {**facts, **_facts(one, now)}, at=now)

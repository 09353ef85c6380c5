"""The runs of incidents: begun from a copy of the policy, halted, ended (E1, E3).

Every function here works inside the caller's transaction, on incidents whose rows it has locked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from config.engine import wake
from config.inserting import insert_values
from incidents.models import Incident, Run
from oncall import policies
from oncall.models import EscalationPolicy
from oncall.policy import Policy

JOB = "incidents.escalation.run_due"
NO_STEPS = Policy(name="", steps=())


def start(incidents: Sequence[Incident], *, now: datetime, new: bool = False) -> None:
    """Begin a run for each incident that pages anybody, from a copy of its policy (E1); an older run ends.

    `new`: the incidents were opened in this transaction, and have none.
    """
    paging_ones = [incident for incident in incidents if incident.urgency and not incident.is_muted]
    if not paging_ones:
        return
    if not new:
        end(paging_ones, now=now)
    copies = snapshots({incident.escalation_policy_id for incident in paging_ones})
    documents = {pk: copy.to_json() for pk, copy in copies.items()}
    insert_values(Run, [_values(incident, copies, documents, now) for incident in paging_ones])
    wake(JOB)


def snapshots(policy_pks: set[int | None]) -> dict[int | None, Policy]:
    """Return the policies as they are now; None, an incident without one, has no steps and goes to the catch-all."""
    known = {pk for pk in policy_pks if pk is not None}
    found = EscalationPolicy.objects.filter(pk__in=known).prefetch_related(
        "steps__targets__user", "steps__targets__schedule", "steps__targets__team"
    )
    copies: dict[int | None, Policy] = {one.pk: policies.snapshot(one) for one in found} if known else {}
    copies[None] = NO_STEPS
    return copies


def _values(
    incident: Incident, copies: Mapping[int | None, Policy], documents: Mapping[int | None, Any], now: datetime
) -> dict[str, Any]:
    policy_pk = incident.escalation_policy_id
    return {
        "incident_id": incident.pk,
        "policy_id": policy_pk,
        "snapshot": documents[policy_pk],
        "started_at": now,
        "due_at": now + timedelta(minutes=copies[policy_pk].start_delay_minutes),
    }


def begin(incident: Incident, copies: Mapping[int | None, Policy], now: datetime) -> Run:
    """Return an unsaved run that is due when the policy's start delay is over."""
    documents = {incident.escalation_policy_id: copies[incident.escalation_policy_id].to_json()}
    run = Run(**_values(incident, copies, documents, now))
    run.incident = incident
    return run


def end(incidents: Sequence[Incident], *, now: datetime) -> None:
    """End the live runs of these incidents."""
    live = Run.objects.filter(incident__in=[i.pk for i in incidents]).exclude(state=Run.State.ENDED)
    live.update(state=Run.State.ENDED, due_at=None, ended_at=now)


def halt(incidents: Sequence[Incident]) -> None:
    """Stop the live runs of these incidents where they stand (E3)."""
    live = Run.objects.filter(incident__in=[i.pk for i in incidents]).exclude(state=Run.State.ENDED)
    live.update(state=Run.State.HALTED, due_at=None)

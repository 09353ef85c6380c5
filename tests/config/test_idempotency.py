"""One key, one effect: also when twenty ask at once, and when the first of them died."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from config import idempotency
from config.idempotency import Answer, Ticket
from config.models import AuditEntry, KeptAnswer
from config.problems import Conflict, Problem
from oncall.models import Team
from tests.callers import bearer, person

NOW = datetime(2026, 11, 21, 3, 47, tzinfo=UTC)
ANSWER = Answer(status=201, headers={"ETag": '"1"'}, body={"token": "clear"})


@pytest.mark.parametrize("key", ["same", None])
def test_twenty_at_once_make_one(each_database: str, key: str | None) -> None:
    client = bearer(person("ann", "admin"))
    headers = {"Idempotency-Key": key} if key else {}

    def call(_: int) -> tuple[int, str]:
        try:
            answer = client.post("/api/v1/teams/", {"name": "Core"}, format="json", headers=headers)
            return answer.status_code, answer.json().get("code", "")
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(call, range(20)))
    assert Team.objects.count() == 1
    assert AuditEntry.objects.filter(kind="oncall.team").count() == 1
    if key:
        assert set(found) <= {(201, ""), (409, "idempotency_in_progress")}
        assert (201, "") in found
    else:
        assert set(found) <= {(201, ""), (400, "invalid"), (409, "conflict")}
        assert found.count((201, "")) == 1


def begin(now: datetime = NOW, request: str = "r") -> Ticket | Answer:
    return idempotency.begin("user:1", "k", request, now=now)


@pytest.mark.django_db
def test_while_the_first_runs_the_second_is_told_to_ask_again() -> None:
    assert isinstance(begin(), Ticket)
    with pytest.raises(Conflict) as refused:
        begin(NOW + idempotency.LEASE)
    assert (refused.value.code, refused.value.headers) == ("idempotency_in_progress", {"Retry-After": "1"})


@pytest.mark.django_db
def test_the_answer_is_given_to_whoever_asks_later() -> None:
    ticket = begin()
    assert isinstance(ticket, Ticket)
    idempotency.finish(ticket, ANSWER)
    assert begin(NOW + timedelta(hours=24)) == ANSWER


@pytest.mark.django_db
def test_after_a_fault_the_request_may_run_again() -> None:
    ticket = begin()
    assert isinstance(ticket, Ticket)
    idempotency.release(ticket)
    assert isinstance(begin(request="another"), Ticket)


@pytest.mark.django_db
def test_a_process_that_died_frees_its_key_after_the_lease_and_can_no_longer_finish() -> None:
    dead = begin()
    later = begin(NOW + idempotency.LEASE + timedelta(seconds=1))
    assert isinstance(dead, Ticket)
    assert isinstance(later, Ticket)
    with pytest.raises(Conflict):
        idempotency.finish(dead, ANSWER)
    idempotency.release(dead)
    idempotency.finish(later, ANSWER)
    assert KeptAnswer.objects.get().answer["status"] == 201


@pytest.mark.django_db
def test_a_dead_process_does_not_free_its_key_for_another_request() -> None:
    begin()
    with pytest.raises(Problem) as refused:
        begin(NOW + idempotency.LEASE + timedelta(seconds=1), "another")
    assert refused.value.code == "idempotency_key_reused"


@pytest.mark.django_db
def test_after_a_day_the_key_is_new() -> None:
    ticket = begin()
    assert isinstance(ticket, Ticket)
    idempotency.finish(ticket, ANSWER)
    assert isinstance(begin(NOW + timedelta(hours=24, seconds=1), "another"), Ticket)
    assert KeptAnswer.objects.get().answer is None


@pytest.mark.django_db
def test_pruning_takes_what_is_older_than_a_day_and_no_more_than_asked() -> None:
    KeptAnswer.objects.bulk_create(
        KeptAnswer(
            caller="u", key=str(hours), fingerprint="f", holder=uuid.uuid4(), taken_at=NOW - timedelta(hours=hours)
        )
        for hours in (1, 23, 25, 26, 27)
    )
    assert idempotency.prune(NOW, limit=2) == 2
    assert idempotency.prune(NOW) == 1
    assert sorted(KeptAnswer.objects.values_list("key", flat=True)) == ["1", "23"]

"""The doors for machines: what is answered to what, and that nothing is lost or leaked on the way."""

import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from incidents.models import AlertSource, Incident, RawEvent
from incidents.writer import Handed, Parcel, writer
from tests import factories

EVENTS = "/api/v1/events"
JSON = "application/json"
MB = 1024 * 1024


@pytest.fixture(autouse=True)
def own_writer() -> Iterator[None]:
    """The writer's thread has its own database connection: it must not outlive the test's database."""
    yield
    writer.stop()


@pytest.fixture
def key(sqlite_database: str) -> str:
    return factories.make_keyed_source("Shop")[1]


def post(body: Any, key: str, client: Client | None = None, path: str = EVENTS) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return (client or Client()).post(path, data, content_type=JSON, headers=headers)


def test_one_event_is_answered_202_after_the_commit(key: str) -> None:
    answer = post({"title": "Disk full", "dedup_key": "db/disk"}, key)
    incident = Incident.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {
        "results": [
            {
                "index": 0,
                "outcome": "opened",
                "dedup_key": "db/disk",
                "incident": str(incident.uuid),
                "number": incident.pk,
                "errors": [],
            }
        ]
    }


@pytest.mark.parametrize("path", [EVENTS, EVENTS + "/"])
def test_both_spellings_are_routed(key: str, path: str) -> None:
    assert post({"title": "x"}, key, path=path).status_code == 202


def test_a_list_is_answered_in_order_and_a_bad_one_is_refused_alone(key: str) -> None:
    answer = post(
        [{"title": "a", "dedup_key": "a"}, {"severity": "critical"}, {"action": "resolve", "dedup_key": "a"}], key
    )
    assert answer.status_code == 202
    results = answer.json()["results"]
    assert [(row["index"], row["outcome"]) for row in results] == [(0, "opened"), (1, "refused"), (2, "resolved")]
    assert results[1]["errors"][0]["field"] == "title"
    assert RawEvent.objects.filter(outcome="refused").count() == 1


def test_when_no_event_stands_it_is_400_with_the_same_results(key: str) -> None:
    answer = post({"severity": "critical"}, key)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["results"][0]["outcome"] == "refused"


@pytest.mark.parametrize("header", ["", "0" * 32, "rubbish", "x" * 5000])
def test_an_unknown_key_is_401_and_says_how(key: str, header: str) -> None:
    answer = post({"title": "x"}, header)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert not Incident.objects.exists()


def test_a_key_written_as_a_uuid_is_the_same_key(key: str) -> None:
    dashed = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
    assert post({"title": "x"}, dashed).status_code == 202


def test_a_rotated_key_is_good_for_its_overlap_and_then_401(key: str) -> None:
    AlertSource.objects.update(old_key_until=timezone.now() + timedelta(minutes=1))
    source = AlertSource.objects.get(name="Shop")
    source.old_key_hash, source.key_hash = source.key_hash or "", "0" * 64
    source.save()
    assert post({"title": "x"}, key).status_code == 202
    AlertSource.objects.update(old_key_until=timezone.now() - timedelta(seconds=1))
    assert post({"title": "x"}, key).status_code == 401


def test_a_switched_off_source_is_409_here_and_404_at_an_integration(key: str) -> None:
    AlertSource.objects.update(enabled=False)
    assert post({"title": "x"}, key).status_code == 409
    assert post({"alerts": []}, "", path=f"/integrations/alertmanager/{key}").status_code == 404


def test_over_the_limit_is_429_with_retry_after_and_503_for_tools(sqlite_database: str) -> None:
    key = factories.make_keyed_source("Loud", rate_limit=3)[1]
    assert post([{"title": "x"}] * 3, key).status_code == 202
    answer = post([{"title": "x"}] * 2, key)
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    alert = {"alerts": [{"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-01-01T00:00:00Z"}] * 2}
    answer = post(alert, "", path=f"/integrations/alertmanager/{key}")
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert Incident.objects.count() == 3


def test_a_limit_of_nought_is_none(sqlite_database: str) -> None:
    key = factories.make_keyed_source("Loud", rate_limit=0)[1]
    assert post([{"title": "x"}] * 1000, key).status_code == 202


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"3", 400),
        (b"\xff\xfe{}", 400),
        (b"[" * 200 + b"]" * 200, 400),
        (b'{"a":' * 100_000, 400),
        (json.dumps([{"title": "x"}] * 1001).encode(), 400),
        (json.dumps({"title": "x\x00y"}).encode(), 202),
        (json.dumps({"title": "x", "details": {"\x00": "\ud800"}}).encode(), 202),
        (json.dumps({"title": "x", "description": "y" * 600_000}).encode(), 400),
        (json.dumps({"title": "x", "description": "y" * 10 * MB}).encode(), 413),
        (json.dumps({"title": "x", "risk_score": 101}).encode(), 400),
        (json.dumps({"title": "x", "risk_score": float("nan")}).encode(), 400),
    ],
)
def test_careless_bodies_get_a_clear_answer_and_never_a_500(key: str, body: bytes, status: int) -> None:
    answer = post(body, key)
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["detail"]


def test_what_cannot_be_read_is_kept_with_the_raw_events(key: str) -> None:
    answer = post(b'{"title": ', key)
    assert "line 1" in answer.json()["detail"]
    kept = RawEvent.objects.get()
    assert (kept.outcome, kept.body) == ("refused", '{"title": ')


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_405(key: str, method: str) -> None:
    assert getattr(Client(), method)(EVENTS).status_code in {401, 405}


def test_an_unknown_integration_is_404_in_json(key: str) -> None:
    answer = post({}, "", path=f"/integrations/nosuch/{key}")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_enqueue_answers_as_pagerduty_does(key: str) -> None:
    trigger = {
        "routing_key": key,
        "event_action": "trigger",
        "payload": {"summary": "Disk full", "source": "db-1", "severity": "critical"},
    }
    answer = post(trigger, "", path="/v2/enqueue")
    body = answer.json()
    assert (answer.status_code, body["status"], body["message"]) == (202, "success", "Event processed")
    resolve = {"routing_key": key, "event_action": "resolve", "dedup_key": body["dedup_key"]}
    assert post(resolve, "", path="/v2/enqueue").status_code == 202
    assert Incident.objects.get().status == "RESOLVED"
    assert key not in RawEvent.objects.first().body  # type: ignore[union-attr]


def test_enqueue_with_an_unknown_key_says_so(key: str) -> None:
    event = {"routing_key": "f" * 32, "event_action": "resolve", "dedup_key": "x"}
    answer = post(event, "", path="/v2/enqueue")
    assert (answer.status_code, answer.json()["errors"]) == (400, ["Invalid routing key"])


def test_events_in_flight_are_folded_and_each_sender_gets_its_own_answer(each_database: str) -> None:
    key = factories.make_keyed_source("Shop")[1]
    answers: dict[int, Any] = {}
    barrier = threading.Barrier(32)

    def send(number: int) -> None:
        barrier.wait()
        body = {"title": f"t{number}", "dedup_key": f"k{number}"} if number % 4 else {"severity": "nonsense"}
        answers[number] = post(body, key)
        connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, answer in answers.items():
        if number % 4:
            assert answer.json()["results"][0]["dedup_key"] == f"k{number}"
        else:
            assert answer.status_code == 400
    assert Incident.objects.count() == 24


def test_one_parcel_that_cannot_be_written_spoils_no_other(key: str) -> None:
    source = AlertSource.objects.get(name="Shop")
    poison = factories.event(dedup_key="poison", details={"x": {1, 2}})  # no JSON can hold a set
    parcels = [Parcel(key, lambda _: [factories.event(dedup_key="good")]), Parcel(key, lambda _: [poison])]
    handed = [Handed(parcel) for parcel in parcels]
    writer.write(handed)
    assert handed[0].future.result()[0].outcome == "opened"
    assert handed[1].future.exception() is not None
    assert source.incidents.count() == 1


PACKED = {
    "gzip": gzip.compress(json.dumps({"title": "Disk full"}).encode()),
    "deflate": zlib.compress(json.dumps({"title": "Disk full"}).encode()),
}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_packed_body_is_unpacked_first(key: str, encoding: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Encoding": encoding}
    answer = Client().post(EVENTS, PACKED[encoding], content_type=JSON, headers=headers)
    assert answer.status_code == 202
    assert Incident.objects.get().title == "Disk full"


@pytest.mark.parametrize(
    ("body", "encoding", "status", "said"),
    [
        (gzip.compress(b" " * 6 * MB), "gzip", 413, "5 MB"),
        (PACKED["gzip"][:-4], "gzip", 400, "ends too early"),
        (b'{"title": "x"}', "gzip", 400, "the body is none"),
        (b'{"title": "x"}', "br", 400, "or as gzip"),
    ],
    ids=["a bomb", "cut off", "not packed", "not known"],
)
def test_a_body_that_cannot_be_unpacked_is_refused(
    key: str, body: bytes, encoding: str, status: int, said: str
) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Encoding": encoding}
    answer = Client().post(EVENTS, body, content_type=JSON, headers=headers)
    assert (answer.status_code, said in answer.json()["detail"]) == (status, True)
    assert not Incident.objects.exists()


def test_one_key_in_both_spellings_at_once_is_known_in_both(key: str) -> None:
    dashed = f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
    handed = [Handed(Parcel(one, lambda _: [factories.event()])) for one in (key, dashed, key.upper())]
    writer.write(handed)
    assert [one.future.result()[0].outcome for one in handed] == ["opened"] * 3

"""PagerDuty's own Python client, unchanged but for its base URL, against the drop-in over TLS (which it demands)."""

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from pagerduty import EventsApiV2Client, HttpError

from incidents.models import Incident, RawEvent, Status
from incidents.writer import writer
from tests import factories


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""


class _Server(ThreadedWSGIServer):
    tls: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        super().finish_request(self.tls.wrap_socket(request, server_side=True), client_address)


@pytest.fixture
def server(each_database: str, server_tls: ssl.SSLContext) -> Iterator[str]:
    """Everything that Tocsin serves, over TLS, in threads of this process; yields its address."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # WhiteNoise warns without it
    one = _Server(("127.0.0.1", 0), _Handler)
    one.tls = server_tls
    one.set_app(get_wsgi_application())
    threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
    yield f"https://localhost:{one.server_port}"
    one.shutdown()
    one.server_close()
    writer.stop()  # its thread has a connection of its own, which must not outlive the database


def client(server: str, key: str, authority_file: Path) -> EventsApiV2Client:
    return EventsApiV2Client(key, base_url=server, verify=ssl.create_default_context(cafile=str(authority_file)))


def test_an_incident_from_trigger_to_resolve(server: str, authority_file: Path) -> None:
    source, key = factories.make_keyed_source("Shop", kind="pagerduty")
    pagerduty = client(server, key, authority_file)

    dedup_key = pagerduty.trigger(
        "Disk /srv is 97 % full",
        "files-03",
        severity="error",
        custom_details={"used_percent": 97},
        links=[{"href": "https://graphs.example.org/d/1", "text": "Graph"}],
    )
    incident = Incident.objects.get()
    assert incident.dedup_key == dedup_key
    assert len(dedup_key) == 32
    assert (incident.title, incident.origin, incident.severity) == ("Disk /srv is 97 % full", "files-03", "error")
    assert incident.details == {"used_percent": 97}
    assert incident.links == [{"href": "https://graphs.example.org/d/1", "text": "Graph"}]
    assert (incident.alert_source, incident.status) == (source, Status.PENDING)

    assert pagerduty.acknowledge(dedup_key) == dedup_key
    incident.refresh_from_db()
    assert incident.status == Status.ACCEPTED

    assert pagerduty.resolve(dedup_key) == dedup_key
    incident.refresh_from_db()
    assert (incident.status, incident.firing) == (Status.RESOLVED, False)

    assert pagerduty.resolve("nobody knows it") == "nobody knows it"  # dropped, and told as a success
    assert Incident.objects.count() == 1


def test_what_is_refused_reaches_the_caller(server: str, authority_file: Path) -> None:
    _, key = factories.make_keyed_source("Shop", kind="pagerduty")
    with pytest.raises(HttpError, match="Invalid routing key"):
        client(server, "0" * 32, authority_file).trigger("x", "y")
    with pytest.raises(HttpError) as refusal:
        client(server, key, authority_file).trigger("x", "", severity="banana")
    assert refusal.value.response is not None
    assert [sentence.split("'")[1] for sentence in refusal.value.response.json()["errors"]] == [
        "payload.source",
        "payload.severity",
    ]
    assert not Incident.objects.exists()


def test_the_key_is_in_no_raw_event(server: str, authority_file: Path) -> None:
    _, key = factories.make_keyed_source("Shop", kind="pagerduty")
    client(server, key, authority_file).trigger("x", "y", dedup_key="k")
    raw = RawEvent.objects.get()
    assert '"dedup_key": "k"' in raw.body
    assert key not in raw.body

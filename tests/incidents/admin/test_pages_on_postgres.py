"""The same pages on PostgreSQL: grouping, JSON labels and ordering are its own there."""

import pytest
from django.utils import timezone

from tests import factories
from tests.incidents.admin.visiting import browser

pytestmark = pytest.mark.postgres
SEARCH = "label.team:core status:open assignee:nobody source:shop severity:critical disk"


def test_every_page_and_the_whole_search(postgres_database: str) -> None:
    policy = factories.make_policy((factories.make_user("ann"), 5))
    source = factories.make_source("Shop", policy=policy)
    incident = factories.make_incident(source, now=timezone.now(), title="Disk full", labels={"team": "core"})
    client, _ = browser("admin")
    for path in ("/", "/live/", f"/incidents/{incident.pk}/", "/raw-events/?q=disk", "/banners/"):
        assert client.get(path).status_code == 200, path
    found = client.get("/incidents/", {"q": SEARCH}).context["rows"]
    assert [row.incident for row in found] == [incident]
    for verb in ("acknowledge", "unacknowledge", "snooze", "unsnooze", "escalate", "note", "resolve", "delete"):
        assert client.post(f"/incidents/{incident.pk}/{verb}/", {"text": "x"}).status_code in {302, 303}, verb
    assert not type(incident).objects.exists()

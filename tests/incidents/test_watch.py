"""A connector that switched itself off is told to every administrator, once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from destinations.models import Connector, Delivery
from incidents import watch
from tests import factories

pytestmark = pytest.mark.django_db


def make_connector(off: Connector.Off) -> Connector:
    return Connector.objects.create(
        name=f"c-{off}",
        kind="webhook",
        enabled=off == Connector.Off.NOT,
        off=off,
        off_at=timezone.now(),
        off_reason="60 % failed",
    )


def test_every_admin_is_mailed_once() -> None:
    factories.make_admin("root")
    factories.make_admin("wheel")
    factories.make_user("alice")
    make_connector(Connector.Off.FAILURES)
    now = timezone.now()
    assert [watch.run_due(now, 10), watch.run_due(now + timedelta(minutes=1), 10)] == [1, 1]
    told = Delivery.objects.filter(event="system")
    assert sorted(one.target["address"] for one in told) == ["root@example.com", "wheel@example.com"]
    assert "switched itself off" in told[0].message["title"]


@pytest.mark.parametrize("off", [Connector.Off.NOT, Connector.Off.PERSON])
def test_one_that_a_person_switched_off_is_no_news(off: Connector.Off) -> None:
    factories.make_admin()
    make_connector(off)
    assert watch.run_due(timezone.now(), 10) == 0
    assert not Delivery.objects.exists()

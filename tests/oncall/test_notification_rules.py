"""A person's rules are stored whole, or refused with every row that is wrong."""

from typing import Any

import pytest

from config.problems import Invalid
from oncall import notification_rules
from oncall.models import NotificationRule, User
from tests.factories import make_method, make_user

pytestmark = pytest.mark.django_db


def row(minutes: Any, method: Any) -> dict[str, Any]:
    return {"delay_minutes": minutes, "contact_method": str(getattr(method, "uuid", method))}


@pytest.fixture
def ann() -> User:
    return make_user("ann", email_after=(0,))


def test_what_is_named_is_replaced_and_the_rest_stays(ann: User) -> None:
    mail, push = ann.contact_methods.get(), make_method(ann, "ntfy", "https://ntfy.sh/long-topic")
    notification_rules.save(ann, {"high": [row(10, mail), row(0, push)]})
    assert notification_rules.as_document(ann) == {"high": [row(0, push), row(10, mail)], "low": [row(0, mail)]}
    notification_rules.save(ann, {"low": []})
    assert notification_rules.as_document(ann)["low"] == []


def test_every_wrong_row_is_named_and_nothing_is_stored(ann: User) -> None:
    mail, foreign = ann.contact_methods.get(), make_user("bob").contact_methods.get()
    before = list(NotificationRule.objects.values_list("pk", flat=True))
    with pytest.raises(Invalid) as refused:
        notification_rules.save(
            ann, {"high": [row("soon", mail), row(-1, mail), row(1441, mail), row(0, foreign), row(True, "x")]}
        )
    assert [error.field for error in refused.value.errors] == [
        "high.0.delay_minutes",
        "high.1.delay_minutes",
        "high.2.delay_minutes",
        "high.3.contact_method",
        "high.4.delay_minutes",
        "high.4.contact_method",
    ]
    assert list(NotificationRule.objects.values_list("pk", flat=True)) == before


def test_there_is_an_end_to_the_rows(ann: User) -> None:
    mail = ann.contact_methods.get()
    with pytest.raises(Invalid):
        notification_rules.save(ann, {"high": [row(n, mail) for n in range(notification_rules.MOST + 1)]})

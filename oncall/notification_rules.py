"""After how many minutes a person is told by which way, per urgency (N1)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from config.problems import FieldError, Invalid
from oncall.models import ContactMethod, NotificationRule, Urgency, User

LONGEST_DELAY = 1440  # minutes
MOST = 20  # of each urgency


@transaction.atomic
def save(user: User, given: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Let a person's rules be these: {"high": [{"delay_minutes": 5, "contact_method": uuid}], "low": [...]}.

    An urgency that is not named keeps its rules; an empty list means silence. Raises Invalid with every wrong row.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    methods = {str(method.uuid): method for method in ContactMethod.objects.filter(user=user)}
    errors: list[FieldError] = []
    wanted = {
        urgency: [_rule(user, urgency, row, methods, f"{urgency}.{place}", errors) for place, row in enumerate(rows)]
        for urgency, rows in given.items()
        if urgency in Urgency.values
    }
    for urgency, rows in wanted.items():
        if len(rows) > MOST:
            errors.append(FieldError(field=urgency, code="too_many", detail=f"{MOST} rules are the most."))
    if errors:
        raise Invalid(*errors)
    for urgency, rules in wanted.items():
        NotificationRule.objects.filter(user=user, urgency=urgency).delete()
        NotificationRule.objects.bulk_create(sorted(rules, key=lambda rule: rule.delay_minutes))


def as_document(user: User) -> dict[str, list[dict[str, Any]]]:
    """Return what `save` takes."""
    rules = list(NotificationRule.objects.filter(user=user).select_related("contact_method"))
    return {
        urgency: [
            {"delay_minutes": rule.delay_minutes, "contact_method": str(rule.contact_method.uuid)}
            for rule in rules
            if rule.urgency == urgency
        ]
        for urgency in Urgency.values
    }


def _rule(
    user: User,
    urgency: str,
    row: Mapping[str, Any],
    methods: Mapping[str, ContactMethod],
    path: str,
    errors: list[FieldError],
) -> NotificationRule:
    minutes, method = row.get("delay_minutes"), methods.get(_plain(row.get("contact_method")))
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 <= minutes <= LONGEST_DELAY:
        detail = f"Send whole minutes from 0 to {LONGEST_DELAY}."
        errors.append(FieldError(field=f"{path}.delay_minutes", code="invalid", detail=detail))
        minutes = 0
    if method is None:
        detail = "Choose one of your contact methods."
        errors.append(FieldError(field=f"{path}.contact_method", code="unknown", detail=detail))
    return NotificationRule(user=user, urgency=urgency, delay_minutes=minutes, contact_method=method)


def _plain(word: Any) -> str:
    try:
        return str(UUID(str(word)))
    except ValueError:
        return ""

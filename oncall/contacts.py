"""How a person can be reached: adding a way, proving that it works, and the rules that come with the first (N1, N2)."""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

from config import audit
from config.models import AuditEntry
from config.problems import Conflict, FieldError, Invalid, Problem, invalid
from destinations import base, delivery
from destinations.base import Message
from destinations.connectors import EMPTY, MOVED, moved
from destinations.delivery import Order
from destinations.models import Connector, Delivery
from oncall.models import ContactMethod, NotificationRule, Urgency, User

CODE_LIVES = timedelta(minutes=15)
CODE_EVERY = timedelta(minutes=1)
CODE_TRIES = 5
MOST_CODES, CODES_WITHIN = 5, timedelta(minutes=15)  # to one person, whatever was added, removed and added again
MOST_TESTS, TESTS_WITHIN = 5, timedelta(minutes=10)  # by one person
HIGH_DELAYS = {"sms": 1, "voice": 3}  # minutes; whatever makes no noise of its own goes at once (N1)


def recipient(method: ContactMethod) -> str:
    """Return what deliveries call a contact method."""
    return f"contact-method:{method.uuid}"


def subject(user: User) -> str:
    """Return what deliveries about a person alone are about: it outlives the contact method they went to."""
    return f"user:{user.uuid}"


def target(method: ContactMethod) -> dict[str, Any]:
    """Return where its messages go, with the kind's secrets: for an outbox row, which is encrypted."""
    return {**method.secret, "address": method.address}


def add(
    user: User,
    kind: str,
    address: str,
    *,
    label: str = "",
    secret: Mapping[str, Any] | None = None,
    connector: Connector | None = None,
) -> ContactMethod:
    """Store a way to reach a person: not verified, so that no page goes to it yet. Raises Invalid."""
    method = ContactMethod(user=user, kind=kind, label=label, connector=connector)
    _place(method, address, secret or {})
    method.save()
    return method


def change(
    method: ContactMethod,
    *,
    address: str | None = None,
    label: str | None = None,
    secret: Mapping[str, Any] | None = None,
    connector: Connector | None = None,
    drop_connector: bool = False,
) -> ContactMethod:
    """Store what is given. Another address, secret or connector has to be verified anew.

    A secret does not follow to another server: it must be given again. Raises Invalid.
    """
    before = (method.address, method.secret, method.connector_id)
    method.label = method.label if label is None else label
    method.connector = None if drop_connector else connector or method.connector
    _place(method, method.address if address is None else address, {**method.secret, **(secret or {})})
    left_out = [name for name in before[1] if name not in (secret or {})]
    if left_out and moved(before[0], method.address):
        raise Invalid(*[FieldError(field=f"secret.{name}", code="address_changed", detail=MOVED) for name in left_out])
    if (method.address, method.secret, method.connector_id) != before:
        method.verified_at = method.vouched_by = method.disabled_at = None
        method.code_hash = method.disabled_reason = ""
    method.save()
    return method


def send_code(method: ContactMethod, *, now: datetime) -> None:
    """Send six digits to the address, at most once a minute and five in 15 minutes for all addresses of a person.

    A newer code replaces an older one. Raises Problem code_too_soon or too_many_codes (429).
    """
    code = f"{secrets.randbelow(10**6):06}"
    free = Q(code_sent_at=None) | Q(code_sent_at__lte=now - CODE_EVERY)
    with transaction.atomic():
        _hold(method.user)
        taken = ContactMethod.objects.filter(free, pk=method.pk).update(
            code_hash=_digest(method, code), code_sent_at=now, code_tries=0, updated_at=now
        )
        if not taken:
            raise Problem(
                "code_too_soon",
                429,
                "A code was sent less than a minute ago. Wait, then ask again.",
                headers={"Retry-After": "60"},
            )
        _demand_few_codes(method.user, now)
        delivery.enqueue([_code_order(method, code, now)], now=now)
    method.refresh_from_db()


def verify(method: ContactMethod, code: str, *, now: datetime) -> None:
    """Believe the address if the code is right; five tries, 15 minutes. Raises Invalid on `code`.

    Each try counts even though it is refused: call this outside a transaction that a refusal would roll back.
    """
    alive = ContactMethod.objects.filter(
        pk=method.pk, code_sent_at__gt=now - CODE_LIVES, code_tries__lt=CODE_TRIES
    ).exclude(code_hash="")
    if not alive.update(code_tries=F("code_tries") + 1):
        raise invalid(
            "code",
            "No code is waiting: it is older than 15 minutes or was tried five times. Ask for a new one.",
            "expired",
        )
    method.refresh_from_db()
    if not hmac.compare_digest(method.code_hash, _digest(method, code.strip())):
        left = CODE_TRIES - method.code_tries
        raise invalid(
            "code", f"This is not the code that was sent. {left} of {CODE_TRIES} tries are left.", "wrong_code"
        )
    _believe(method, None, now)


def vouch(method: ContactMethod, *, by: User, actor: audit.Actor, now: datetime) -> None:
    """Let an admin answer for an address in place of a code; the trail says so. The caller checks that `by` may."""
    with transaction.atomic():
        _believe(method, by, now)
        audit.record(actor, "vouched", method, {"address": [None, method.address]}, now=now)


def switch_off(method: ContactMethod, reason: str, *, now: datetime) -> bool:
    """Send nothing there any more: it bounced for good (N2). False if it was off already."""
    found = ContactMethod.objects.filter(pk=method.pk, disabled_at=None)
    return bool(found.update(disabled_at=now, disabled_reason=reason[:200], updated_at=now))


def remove(method: ContactMethod, *, now: datetime) -> None:
    """Take a way away, with the rules that use it; what has not left for it yet does not leave."""
    with transaction.atomic():
        delivery.cancel(recipient=recipient(method), reason=f"{method} was removed", now=now)
        method.delete()


def last_code(method: ContactMethod) -> Delivery | None:
    """Return what became of the code that was sent last; None if none was."""
    return Delivery.objects.filter(recipient=recipient(method), event="code").first()


def test(method: ContactMethod, *, by: User, actor: audit.Actor, now: datetime) -> base.Result:
    """Send a test page now and return what the other side said. Calls the outside: never inside a transaction.

    The trail says so, and bounds it. Raises Conflict not_verified, Problem too_many_tests (429).
    """
    if method.verified_at is None:
        raise Conflict("not_verified", "Nobody has proved this address yet: verify it by its code, then test it.")
    with transaction.atomic():
        _hold(by)
        tested = AuditEntry.objects.filter(
            kind=ContactMethod._meta.label_lower, action="tested", actor_id=str(by.uuid), at__gt=now - TESTS_WITHIN
        )
        if tested.count() >= MOST_TESTS:
            raise _too_many("tests", MOST_TESTS, TESTS_WITHIN)
        audit.record(actor, "tested", method, now=now)
    config = method.connector.settings if method.connector else {}
    message = delivery.sample_message("info", now)
    return delivery.send_test(method.kind, config, message, now=now, address=target(method))


def usable_methods(users: Iterable[User]) -> dict[int, list[ContactMethod]]:
    """Return each person's verified, working methods by primary key, in one query. Who has none is missing."""
    methods = ContactMethod.objects.filter(
        user__in={user.pk for user in users}, verified_at__isnull=False, disabled_at=None
    )
    found: dict[int, list[ContactMethod]] = {}
    for method in methods.order_by("pk"):
        found.setdefault(method.user_id, []).append(method)
    return found


def able(users: Iterable[User], urgency: str = Urgency.HIGH) -> set[int]:
    """Return the primary keys of those who have a rule of this urgency that leads somewhere (E7). One query."""
    rules = NotificationRule.objects.filter(
        user__in={user.pk for user in users},
        urgency=urgency,
        contact_method__verified_at__isnull=False,
        contact_method__disabled_at=None,
    )
    return set(rules.values_list("user", flat=True))


def reachable(user: User, urgency: str) -> list[tuple[NotificationRule, ContactMethod]]:
    """Return the rules of an urgency that lead somewhere, first due first; none: not reachable (E7)."""
    rules = NotificationRule.objects.filter(
        user=user, urgency=urgency, contact_method__verified_at__isnull=False, contact_method__disabled_at=None
    )
    return [
        (rule, rule.contact_method) for rule in rules.select_related("contact_method").order_by("delay_minutes", "pk")
    ]


def _place(method: ContactMethod, address: str, secret: Mapping[str, Any]) -> None:
    """Set address and secret in their normal form. Raises Invalid with the wrong fields."""
    kind = base.kinds().get(method.kind)
    if kind is None or kind.address_form is None:
        known = ", ".join(name for name, one in base.kinds().items() if one.address_form is not None)
        raise invalid("kind", f"Nobody can be reached by {method.kind!r}. Use: {known}.", "invalid_choice")
    if method.connector is not None and method.connector.kind != method.kind:
        raise invalid("connector", f"{method.connector} is a {method.connector.kind}, not a {method.kind}.")
    if unknown := [name for name in secret if name not in kind.address_form.base_fields or name == "address"]:
        raise Invalid(
            *[FieldError(field=f"secret.{name}", code="unknown_field", detail="No such field.") for name in unknown]
        )
    form = kind.address_form(data={**secret, "address": address})
    if not form.is_valid():
        raise Invalid(*_form_errors(form.errors.get_json_data()))
    method.address = kind.normal_address(str(form.cleaned_data["address"]))
    method.secret = {
        name: value for name, value in form.cleaned_data.items() if name != "address" and value not in EMPTY
    }
    taken = ContactMethod.objects.filter(user=method.user, kind=method.kind, address=method.address).exclude(
        pk=method.pk
    )
    if taken.exists():
        raise invalid("address", f"{method.user} has this address already.", "unique")


def _form_errors(found: Mapping[str, list[dict[str, str]]]) -> list[FieldError]:
    return [
        FieldError(
            field=name if name in {"address", "__all__"} else f"secret.{name}", code=one["code"], detail=one["message"]
        )
        for name, errors in found.items()
        for one in errors
    ]


def _demand_few_codes(user: User, now: datetime) -> None:
    sent = Delivery.objects.filter(event="code", subject=subject(user), created_at__gt=now - CODES_WITHIN)
    if sent.count() >= MOST_CODES:
        raise _too_many("codes", MOST_CODES, CODES_WITHIN)


def _hold(user: User) -> None:
    """Let whatever else concerns how this person is reached wait until the transaction ends."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _too_many(what: str, most: int, within: timedelta) -> Problem:
    minutes = int(within.total_seconds() // 60)
    return Problem(
        f"too_many_{what}",
        429,
        f"{most} {what} were sent within {minutes} minutes. Wait, then try again.",
        headers={"Retry-After": str(minutes * 60)},
    )


def _believe(method: ContactMethod, by: User | None, now: datetime) -> None:
    with transaction.atomic():
        _hold(method.user)  # two first methods at once get one set of rules
        ContactMethod.objects.filter(pk=method.pk).update(
            verified_at=now, vouched_by=by, disabled_at=None, disabled_reason="", code_hash="", updated_at=now
        )
        method.refresh_from_db()
        if not NotificationRule.objects.filter(user=method.user_id).exists():
            _first_rules(method)


def _first_rules(method: ContactMethod) -> None:
    delays = {Urgency.HIGH: HIGH_DELAYS.get(method.kind, 0), Urgency.LOW: 0}
    NotificationRule.objects.bulk_create(
        NotificationRule(user_id=method.user_id, urgency=urgency, delay_minutes=delay, contact_method=method)
        for urgency, delay in delays.items()
    )


def _code_order(method: ContactMethod, code: str, now: datetime) -> Order:
    return Order(
        key=f"code:{method.uuid}:{now.timestamp():.6f}",
        message=Message(
            event="code",
            title=f"Your Tocsin code is {code}",
            text=f"{code} is the code that proves to Tocsin that you read what is sent here, good for 15 minutes.\n"
            "If you have not asked for it, ignore this message.",
        ),
        kind=method.kind,
        connector_id=method.connector_id,
        target=target(method),
        priority=Delivery.Priority.PAGE,
        subject=subject(method.user),
        recipient=recipient(method),
        due_at=now,
    )


def _digest(method: ContactMethod, code: str) -> str:
    """Return what is kept of a code. Keyed, because a million codes are quickly tried."""
    return salted_hmac("tocsin.contact-code", f"{method.uuid}:{code}", algorithm="sha256").hexdigest()

"""A connection is checked and stored: what it listens to, in which words it tells, and by which routes."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from config.problems import FieldError, Invalid
from destinations import connectors
from destinations.base import kinds
from destinations.connectors import SET
from incidents.models import Connection, Severity
from incidents.routing import EVENT_WORDS, our_severity

LONGEST = 255  # characters of a class, label, address or word of the target
MOST = 100  # entries of each list


def save(connection: Connection, **columns: Any) -> Connection:
    """Store what is given, in its normal form. Raises Invalid with paths such as "routing_rules.0.routing_key"."""
    for name, value in columns.items():
        setattr(connection, name, value)
    clean(connection)
    connection.save()
    return connection


def clean(connection: Connection) -> None:
    """Check everything at once and put it in its normal form; nothing is stored. Raises Invalid."""
    checks = (_events, _classes, _labels, _severities, _mapping, _runbooks, _risk, _settings, _rules)
    faults: list[FieldError] = []
    for check in checks:
        try:
            faults.extend(check(connection))
        except Invalid as exc:
            faults.extend(exc.errors)
    if faults:
        raise Invalid(*faults)


def _fault(field: str, detail: str, code: str = "invalid") -> FieldError:
    return FieldError(field=field, code=code, detail=detail)


def _events(connection: Connection) -> Iterable[FieldError]:
    unknown = [word for word in connection.events if word not in EVENT_WORDS]
    if unknown:
        detail = f"Not known: {', '.join(map(str, unknown))}. Use: {', '.join(EVENT_WORDS)}."
        return [_fault("events", detail, "invalid_choice")]
    connection.events = [word for word in EVENT_WORDS if word in connection.events]
    return []


def _classes(connection: Connection) -> Iterable[FieldError]:
    connection.classes, faults = _patterns("classes", connection.classes)
    return faults


def _patterns(field: str, given: Iterable[Any]) -> tuple[list[str], list[FieldError]]:
    """Return the patterns in order without doubles; a star may only stand at the end."""
    found = list(dict.fromkeys(str(one).strip() for one in given if str(one).strip()))
    faults = [
        _fault(f"{field}.{place}", "Write a class, or its beginning with a star at the end: auth.*")
        for place, one in enumerate(found)
        if "*" in one[:-1] or len(one) > LONGEST
    ]
    if len(found) > MOST:
        faults.append(_fault(field, f"At most {MOST} classes.", "too_long"))
    return found, faults


def _labels(connection: Connection) -> Iterable[FieldError]:
    faults = []
    cleaned: dict[str, Any] = {}
    for key, value in connection.labels.items():
        values = [value] if isinstance(value, str) else value
        if not key or not isinstance(values, list) or not values or not all(isinstance(one, str) for one in values):
            faults.append(_fault(f"labels.{key}", "Give the value a label must have, or a list of alternatives."))
            continue
        values = list(dict.fromkeys(values))
        cleaned[key] = values[0] if len(values) == 1 else values
    connection.labels = cleaned
    return faults


def _severities(connection: Connection) -> Iterable[FieldError]:
    faults = []
    said = {our_severity(str(word)) for word in connection.severities}
    if said - set(Severity.values):
        faults.append(_fault("severities", f"Use: {', '.join(Severity.values)}.", "invalid_choice"))
    connection.severities = [word for word in Severity.values if word in said]
    connection.min_severity = our_severity(connection.min_severity or "")
    if connection.min_severity and connection.min_severity not in Severity.values:
        faults.append(_fault("min_severity", f"Use: {', '.join(Severity.values)}.", "invalid_choice"))
    return faults


def _mapping(connection: Connection) -> Iterable[FieldError]:
    faults = []
    cleaned = {}
    for word, target in connection.severity_mapping.items():
        ours = our_severity(str(word))
        if ours not in Severity.values:
            faults.append(
                _fault(f"severity_mapping.{word}", f"Map from: {', '.join(Severity.values)}.", "invalid_choice")
            )
        elif not isinstance(target, str) or not 0 < len(target.strip()) <= LONGEST:
            faults.append(_fault(f"severity_mapping.{word}", "Give the target's own word for this severity."))
        else:
            cleaned[ours] = target.strip()
    connection.severity_mapping = cleaned
    return faults


def _runbooks(connection: Connection) -> Iterable[FieldError]:
    faults = [
        _fault(f"runbook_links.{pattern}", "Give a whole address that begins with https:// or http://.")
        for pattern, address in connection.runbook_links.items()
        if not isinstance(address, str) or not _is_address(address)
    ]
    _, wrong = _patterns("runbook_links", connection.runbook_links)
    return [*faults, *wrong]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and not any(one.isspace() for one in text)


def _risk(connection: Connection) -> Iterable[FieldError]:
    least = connection.min_risk_score
    return [] if least is None or 0 <= least <= 100 else [_fault("min_risk_score", "A risk score is 0 to 100.")]


def _settings(connection: Connection) -> Iterable[FieldError]:
    kept = _stored(connection).settings
    given = {name: kept.get(name) if value == SET else value for name, value in connection.settings.items()}
    connection.settings = _checked(connection, given, "settings")
    return []


def _rules(connection: Connection) -> Iterable[FieldError]:
    """Each rule: `events`, a list of classes ([]: any), and what the kind is told for them; the first match counts."""
    faults: list[FieldError] = []
    cleaned = []
    stored = {tuple(rule["events"]): rule for rule in reversed(_stored(connection).routing_rules)}
    for place, rule in enumerate(connection.routing_rules):
        path = f"routing_rules.{place}"
        if not isinstance(rule, Mapping) or not isinstance(rule.get("events", []), list):
            faults.append(_fault(path, 'Send an object such as {"events": ["auth.*"], "routing_key": "..."}.'))
            continue
        patterns, wrong = _patterns(f"{path}.events", rule.get("events", []))
        faults.extend(wrong)
        kept = stored.get(tuple(patterns), {})
        given = {name: kept.get(name) if value == SET else value for name, value in rule.items() if name != "events"}
        try:
            told = _checked(connection, given, path, only_given=True)
        except Invalid as exc:
            faults.extend(exc.errors)
            continue
        if not told:
            faults.append(_fault(path, "Say what is different for these classes, such as the routing key."))
        cleaned.append({"events": patterns, **told})
    connection.routing_rules = cleaned
    return faults


def shown(connection: Connection) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the settings and the routing rules as they may be seen: secrets only say that they are set.

    Sent back like that, a secret stays: in a rule, that of the first stored rule with the same classes.
    """
    kind = kinds().get(connection.connector.kind)
    secret = kind.secret_fields if kind else frozenset()

    def masked(given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: SET if name in secret else value for name, value in given.items()}

    return masked(connection.settings), [masked(rule) for rule in connection.routing_rules]


def _stored(connection: Connection) -> Connection:
    """Return the connection as it is in the database; a new one has nothing there."""
    held = None if connection.pk is None else Connection.objects.filter(pk=connection.pk).first()
    return held or Connection()


def _checked(
    connection: Connection, given: Mapping[str, Any], path: str, *, only_given: bool = False
) -> dict[str, Any]:
    """Return settings as the connector's kind cleans them. Raises Invalid."""
    kind = kinds().get(connection.connector.kind)
    form = kind.settings_form if kind else None
    if form is None:
        if given:
            detail = f"{connection.connector} takes no settings of its own here."
            raise Invalid(_fault(path, detail, "unknown_field"))
        return {}
    checked = connectors.check(form, given, path)
    wanted = set(given) if only_given else set(checked)
    return {name: value for name, value in checked.items() if name in wanted and value not in (None, "")}

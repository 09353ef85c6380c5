"""The demo's people, schedules, policies, sources and destinations: made once, found again by their UUIDs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from config.records import Record
from destinations import connectors
from destinations.models import Connector
from incidents import connecting, keys, sourcing
from incidents.demo import people as team
from incidents.demo.faults import BACK_OFFICE, CHECKOUT, PLATFORM, STOREFRONT
from incidents.demo.story import Person
from incidents.demo.troubles import DAYS, HEADQUARTERS
from incidents.demo.uuids import uuid_of
from incidents.models import AlertSource, Connection
from oncall import people, policies, scheduling
from oncall.document import write_instant
from oncall.models import ContactMethod, EscalationPolicy, NotificationRule, Schedule, Team, Urgency, User

R = TypeVar("R", bound=Record)
SUN, CLOCK = "follow the sun", "round the clock"
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI")
SWITCHED_OFF = "Part of the demo: switched off, so that nothing leaves."

SCHEDULES = {SUN: "Storefront, follow the sun (demo)", CLOCK: "Platform, round the clock (demo)"}
TEAMS: dict[str, tuple[tuple[Person, ...], tuple[Person, ...]]] = {  # managers, members
    "Storefront (demo)": ((team.MARA,), (team.INES, team.LUKAS, team.TOM, team.SOFIA, team.DANA)),
    "Platform (demo)": ((team.KENJI,), (team.PRIYA, team.LUKAS, team.SOFIA)),
}
POLICIES: dict[str, dict[str, Any]] = {
    STOREFRONT: {
        "name": "Storefront (demo)",
        "team": "Storefront (demo)",
        "repeat": None,
        "steps": [
            {"targets": [{"schedule": SCHEDULES[SUN]}], "delay_minutes": 5},
            {"targets": [{"schedule": SCHEDULES[CLOCK]}], "delay_minutes": 10},
            {"targets": [{"user": team.MARA.username}], "delay_minutes": 15},
        ],
    },
    PLATFORM: {
        "name": "Platform (demo)",
        "team": "Platform (demo)",
        "repeat": 2,
        "steps": [
            {"targets": [{"schedule": SCHEDULES[CLOCK]}], "delay_minutes": 10},
            {"targets": [{"user": team.KENJI.username}], "delay_minutes": 15},
        ],
    },
    BACK_OFFICE: {
        "name": "Back office (demo)",
        "repeat": 1,
        "steps": [{"targets": [{"user": team.INES.username}], "delay_minutes": 30}],
    },
}
SOURCES = {  # name, kind, policy
    STOREFRONT: ("Storefront Prometheus (demo)", "alertmanager", STOREFRONT),
    PLATFORM: ("Platform Prometheus (demo)", "alertmanager", PLATFORM),
    CHECKOUT: ("Checkout, by PagerDuty's API (demo)", "pagerduty", STOREFRONT),
    BACK_OFFICE: ("Nightly jobs (demo)", "events", BACK_OFFICE),
}
CONNECTORS: dict[str, tuple[str, str, dict[str, str]]] = {  # name, kind, settings that lead nowhere
    "webhook": ("Ops webhook (demo)", "webhook", {"url": "https://hooks.example.com/tocsin"}),
    "slack": ("Slack #incidents (demo)", "slack", {"url": "https://slack.example.com/services/demo"}),
    "pagerduty": (
        "Partner's PagerDuty (demo)",
        "pagerduty",
        {"integration_key": "a key that opens nothing", "api_url": "https://pagerduty.example.com"},
    ),
}
CONNECTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {  # connector, source, further columns
    "webhook storefront": ("webhook", STOREFRONT, {}),
    "webhook platform": ("webhook", PLATFORM, {}),
    "slack storefront": ("slack", STOREFRONT, {"min_severity": "error"}),
    "slack checkout": ("slack", CHECKOUT, {"min_severity": "critical"}),
    "pagerduty checkout": ("pagerduty", CHECKOUT, {"mode": "manual", "name": "Call the payment partner"}),
}


@dataclass(frozen=True)
class Cast:
    """The rows, by the names that this demo gives them; `began` is when the first run of `demo` made them."""

    began: datetime
    users: Mapping[str, User]
    schedules: Mapping[str, Schedule]
    policies: Mapping[str, EscalationPolicy]
    sources: Mapping[str, AlertSource]
    connections: Mapping[str, Connection]


def gather(now: datetime) -> Cast:
    """Return the cast; what of it is not there is made. Raises Invalid if one of its names is taken by other things."""
    users = {key: _one(User, f"user {key}", partial(_user, person)) for key, person in team.PEOPLE.items()}
    teams = {name: _one(Team, f"team {name}", partial(_team, name, users, now)) for name in TEAMS}
    began = teams["Storefront (demo)"].created_at
    schedules = {key: _one(Schedule, key, partial(_schedule, key, began)) for key in SCHEDULES}
    plans = {key: _one(EscalationPolicy, f"policy {key}", partial(_policy, key, now)) for key in POLICIES}
    sources = {key: _one(AlertSource, f"source {key}", partial(_source, key, plans)) for key in SOURCES}
    wires = {key: _one(Connector, f"connector {key}", partial(_connector, key, began)) for key in CONNECTORS}
    connections = {
        key: _one(Connection, f"connection {key}", partial(_connection, key, wires, sources)) for key in CONNECTIONS
    }
    return Cast(began, users, schedules, plans, sources, connections)


def _one(model: type[R], name: str, make: Callable[[], R]) -> R:
    """Return the row of this name, made if need be."""
    found = model._default_manager.filter(uuid=uuid_of(name)).first()
    if found is not None:
        return found
    made = make()
    made.uuid = uuid_of(name)
    made.save(update_fields=["uuid"])
    return made


def _team(name: str, users: Mapping[str, User], now: datetime) -> Team:
    managers, members = TEAMS[name]
    row = people.save_team(
        Team(name=name), managers=[users[one.key] for one in managers], members=[users[one.key] for one in members]
    )
    Team.objects.filter(pk=row.pk).update(created_at=now)  # from now on it tells when the demo began
    row.created_at = now
    return row


def _user(person: Person) -> User:
    """Make somebody who cannot sign in: there is no password."""
    email = f"{person.key}@example.com"
    roles = [team.ROLES.get(person.key, "responder")]
    user = people.add(username=person.username, roles=roles, name=person.name, email=email, time_zone=person.zone)
    for way in person.ways:
        method = ContactMethod.objects.create(
            user=user, kind=way.kind, address=way.address, verified_at=user.created_at, label=""
        )
        for urgency, minutes in ((Urgency.HIGH, way.high), (Urgency.LOW, way.low)):
            if minutes is not None:
                NotificationRule.objects.create(
                    user=user, urgency=urgency, delay_minutes=minutes, contact_method=method
                )
    return user


def _schedule(key: str, began: datetime) -> Schedule:
    document = {SUN: _sun, CLOCK: _clock}[key](began)
    return scheduling.save(None, {"name": SCHEDULES[key], **document}, by=None, now=began)


def _sun(began: datetime) -> dict[str, Any]:
    """Three regions hand over to each other every eight hours."""

    def layer(name: str, since: str, until: str, *users: Person) -> dict[str, Any]:
        return {
            "name": name,
            "users": [one.username for one in users],
            "rotation": {"unit": "week", "length": 1},
            "anchor": _anchor(began, "00:00"),
            "restrictions": [{"type": "daily", "from": since, "to": until}],
        }

    return {
        "team": "Storefront (demo)",
        "time_zone": "UTC",
        "layers": [
            layer("Asia", "00:00", "08:00", team.KENJI, team.PRIYA),
            layer("Europe", "08:00", "16:00", team.MARA, team.LUKAS),
            layer("Americas", "16:00", "00:00", team.TOM, team.SOFIA),
        ],
        "overrides": [],
    }


def _clock(began: datetime) -> dict[str, Any]:
    """Weeks in turn, an office shift on top; a swap that is to come, and holidays on which nobody is put in."""
    week = {"unit": "week", "length": 1}
    office = [{"type": "weekly", "from_day": day, "from": "09:00", "to_day": day, "to": "17:00"} for day in WEEKDAYS]
    turns = [team.LUKAS.username, team.SOFIA.username, team.PRIYA.username]
    return {
        "team": "Platform (demo)",
        "time_zone": HEADQUARTERS.key,
        "layers": [
            {"name": "Round the clock", "users": turns, "rotation": week, "anchor": _anchor(began, "09:00")},
            {
                "name": "Office hours",
                "users": [team.MARA.username, team.KENJI.username],
                "rotation": week,
                "anchor": _anchor(began, "09:00"),
                "restrictions": office,
            },
        ],
        "overrides": [
            _override(began, 2, 15, 3, team.TOM),  # somebody steps in for an evening and a night
            _override(began, 9, 0, 1, None),  # a public holiday that nobody has taken
            _override(began, -47, 0, 1, None),
            _override(began, -20, 8, 2, team.INES),
        ],
    }


def _override(began: datetime, days: int, hour: int, length: int, who: Person | None) -> dict[str, Any]:
    day = began.astimezone(HEADQUARTERS).date() + timedelta(days=days)
    start = datetime.combine(day, time(hour), HEADQUARTERS)
    end = datetime.combine(day + timedelta(days=length), time(8 if who else 0), HEADQUARTERS)
    return {"start": write_instant(start), "end": write_instant(end), "user": who.username if who else None}


def _anchor(began: datetime, clock: str) -> str:
    """Return a Monday before the demo's history begins."""
    day = began.astimezone(ZoneInfo("UTC")).date() - timedelta(days=DAYS + 7)
    return f"{day - timedelta(days=day.weekday())}T{clock}"


def _policy(key: str, now: datetime) -> EscalationPolicy:
    return policies.save(None, POLICIES[key], by=None, now=now)


def _source(key: str, plans: Mapping[str, EscalationPolicy]) -> AlertSource:
    """Make a source whose key nobody has seen; Rotate gives it one that can be used."""
    name, kind, policy = SOURCES[key]
    source = AlertSource(name=name, kind=kind)
    keys.issue(source)
    sourcing.save(source, escalation_policy=plans[policy], team=plans[policy].team)
    return source


def _connector(key: str, began: datetime) -> Connector:
    name, kind, config = CONNECTORS[key]
    off = {"enabled": False, "off": Connector.Off.PERSON, "off_reason": SWITCHED_OFF, "off_at": began}
    return connectors.save(Connector(name=name, kind=kind), config=config, **off)


def _connection(key: str, wires: Mapping[str, Connector], sources: Mapping[str, AlertSource]) -> Connection:
    connector, source, columns = CONNECTIONS[key]
    row = Connection(connector=wires[connector], alert_source=sources[source], events=list(sourcing.FIRST_EVENTS))
    return connecting.save(row, **columns)

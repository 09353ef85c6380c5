"""Who may do what: the table's edges. Every route with every role is in tests/test_routes.py."""

from datetime import timedelta

import pytest
from django.utils import timezone

from config.access import visible
from destinations.models import Connector
from incidents.models import AlertSource, Connection
from oncall import roles
from oncall.models import (
    ConnectorTeam,
    ContactMethod,
    EscalationPolicy,
    Layer,
    Membership,
    Override,
    Participant,
    Schedule,
    Team,
    Token,
    User,
)
from oncall.roles import RoleBackend
from tests.callers import person, way_to

pytestmark = pytest.mark.django_db


def in_team(user: User, team: Team, *, manager: bool = False) -> User:
    Membership.objects.create(team=team, user=user, manager=manager)
    return User.objects.get(pk=user.pk)


def override(schedule: Schedule, user: User | None) -> Override:
    at = timezone.now()
    return Override(schedule=schedule, user=user, start=at, end=at + timedelta(hours=1))


def test_a_team_manager_owns_what_belongs_to_the_team_and_nothing_else() -> None:
    core, shop = Team.objects.create(name="Core"), Team.objects.create(name="Shop")
    ann = in_team(person("ann", "responder"), core, manager=True)
    assert ann.has_perm("oncall.change_schedule", Schedule(team=core))
    assert ann.has_perm("oncall.add_escalationpolicy", EscalationPolicy(team=core))
    assert RoleBackend().has_perm(ann, "oncall.add_schedule", Schedule)
    assert ann.has_perm("oncall.change_team", core)
    for thing in (Schedule(team=shop), Schedule()):
        assert not ann.has_perm("oncall.change_schedule", thing)
    assert not ann.has_perm("oncall.delete_team", core)
    assert not ann.has_perm("oncall.change_schedule")


def test_a_connection_needs_the_say_over_its_connector_and_over_its_source() -> None:
    core, shop = Team.objects.create(name="Core"), Team.objects.create(name="Shop")
    ann, max_ = in_team(person("ann", "responder"), core, manager=True), person("max", "manager")
    own, foreign, common = (Connector.objects.create(name=name, kind="webhook", config={}) for name in "abc")
    ConnectorTeam.objects.create(connector=own, team=core)
    ConnectorTeam.objects.create(connector=foreign, team=shop)
    ours, theirs, nobodys = AlertSource(team=core), AlertSource(team=shop), AlertSource()
    for perm in ("incidents.add_connection", "incidents.change_connection"):
        for connector in (own, common):
            assert ann.has_perm(perm, Connection(connector=connector, alert_source=ours))
        for source in (theirs, nobodys, None):
            assert not ann.has_perm(perm, Connection(connector=own, alert_source=source))
        assert not ann.has_perm(perm, Connection(connector=foreign, alert_source=ours))
        assert max_.has_perm(perm, Connection(connector=own))
    assert ann.has_perm("destinations.change_connector", own)
    shop.private = True
    shop.save()
    max_ = User.objects.get(pk=max_.pk)
    assert not max_.has_perm("incidents.view_connection", Connection(connector=own, alert_source=theirs))


def test_managing_a_team_gives_a_stakeholder_nothing() -> None:
    core = Team.objects.create(name="Core")
    sam = in_team(person("sam", "stakeholder"), core, manager=True)
    assert not sam.has_perm("oncall.change_schedule", Schedule(team=core))


def test_a_private_team_is_for_its_members_and_admins() -> None:
    core = Team.objects.create(name="Core", private=True)
    schedule = Schedule.objects.create(name="Primary", team=core)
    max_, ann, eve = person("max", "manager"), person("ann", "admin"), in_team(person("eve", "responder"), core)
    assert not max_.has_perm("oncall.view_schedule", schedule)
    assert list(visible(max_, Schedule.objects.all())) == []
    for user in (ann, eve):
        assert user.has_perm("oncall.view_schedule", schedule)
        assert list(visible(user, Schedule.objects.all())) == [schedule]


def test_a_member_puts_in_themselves_a_manager_anyone_R15() -> None:  # noqa: N802
    schedule = Schedule.objects.create(name="Primary")
    layer = Layer.objects.create(schedule=schedule, time_zone="UTC", anchor="2026-11-02T00:00")
    ann, bob, max_ = person("ann", "responder"), person("bob", "responder"), person("max", "manager")
    Participant.objects.create(layer=layer, position=0, user=ann)
    assert ann.has_perm("oncall.add_override", override(schedule, ann))
    assert not ann.has_perm("oncall.add_override", override(schedule, bob))
    assert not ann.has_perm("oncall.add_override", override(schedule, None))
    assert not bob.has_perm("oncall.add_override", override(schedule, bob))
    assert max_.has_perm("oncall.add_override", override(schedule, bob))


def test_a_team_member_belongs_to_the_teams_schedules() -> None:
    core = Team.objects.create(name="Core")
    schedule = Schedule.objects.create(name="Primary", team=core)
    ann = in_team(person("ann", "responder"), core)
    assert ann.has_perm("oncall.add_override", override(schedule, ann))


def test_everybody_keeps_their_own_ways_and_tokens() -> None:
    ann, bob = person("ann"), person("bob", "responder")
    hers, his = way_to(ann), way_to(bob)
    assert ann.has_perm("oncall.change_contactmethod", hers)
    assert not ann.has_perm("oncall.view_contactmethod", his)
    assert not ann.has_perm("oncall.delete_token", Token(user=bob))
    assert ann.has_perm("oncall.delete_token", Token(user=ann))
    assert ann.has_perm("oncall.add_contactmethod", ContactMethod(user=ann))
    assert not ann.has_perm("oncall.vouch_contactmethod", hers)


def test_a_deactivated_admin_may_nothing() -> None:
    ann = person("ann", "admin", is_active=False)
    assert not ann.has_perm("oncall.view_team")
    assert not RoleBackend().has_perm(ann, "oncall.view_team", Team)


def test_roles_are_given_and_taken_and_other_groups_stay() -> None:
    ann = person("ann", "admin")
    other = ann.groups.create(name="Bowling")
    roles.give(ann, ["stakeholder"])
    assert ann.roles == {"stakeholder"}
    assert other in ann.groups.all()
    assert not ann.has_perm("oncall.add_team")


def test_admins_are_those_of_the_role_and_superusers() -> None:
    found = {person("ann", "admin").pk, User.objects.create_superuser("root").pk}
    person("bob", "responder")
    person("old", "admin", is_active=False)
    assert {user.pk for user in roles.admins()} == found


def test_making_the_groups_again_changes_nothing() -> None:
    ann = person("ann", "admin")
    roles.ensure_roles()
    assert User.objects.get(pk=ann.pk).roles == {"admin"}

"""Roles, and who may do what: the one table, and the backend that answers `user.has_perm(perm, obj)` from it.

A role counts everywhere. The manager of a team has a Manager's permissions for what belongs to that team. Everybody may
keep their own contact methods, rules and tokens. What belongs to a private team does not exist for others.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.db.models import Model, QuerySet

from oncall.models import ConnectorTeam, Layer, Membership, Override, Team, User
from oncall.models.people import ROLES

M = TypeVar("M", bound=Model)


def _all(verbs: str, *models: str) -> frozenset[str]:
    """Return "app.verb_model" for each verb and each "app.model"."""
    pairs = [model.split(".") for model in models]
    return frozenset(f"{app}.{verb}_{model}" for verb in verbs.split() for app, model in pairs)


PLANS = ("oncall.team", "oncall.schedule", "oncall.override", "oncall.escalationpolicy")
WIRES = ("incidents.alertsource", "incidents.connection", "destinations.connector")
REACH = ("oncall.contactmethod", "oncall.notificationrule")

STAKEHOLDER = _all("view", *PLANS, "oncall.user", "incidents.incident", "incidents.timelineentry")
RESPONDER = (
    STAKEHOLDER
    | _all("view", *WIRES, "incidents.rawevent", "destinations.delivery", "destinations.attempt")
    | _all("add change acknowledge assign close", "incidents.incident")
)
MANAGER = (
    RESPONDER
    | _all("add change delete", *PLANS, *WIRES)
    | _all("view add change delete", *REACH)
    | _all("change", "destinations.delivery")  # replay
)
PERMISSIONS: dict[str, frozenset[str]] = {  # Admin is not here: an admin may do everything
    "manager": MANAGER,
    "responder": RESPONDER,
    "stakeholder": STAKEHOLDER,
}
IN_OWN_TEAM = _all("add change delete", *PLANS, *WIRES) - _all("add delete", "oncall.team")
OWN = _all("view add change delete", *REACH, "oncall.token") | _all("view change", "oncall.user")
OWN_TURNS = _all("add change delete", "oncall.override")  # R15: a member may put in themselves

OWNERS = {
    "oncall.contactmethod": "user",
    "oncall.notificationrule": "user",
    "oncall.token": "user",
    "oncall.user": "pk",
}
TEAMS = {  # where a row's team is found
    "oncall.team": "pk",
    "oncall.schedule": "team",
    "oncall.override": "schedule__team",
    "oncall.escalationpolicy": "team",
    "incidents.alertsource": "team",
    "incidents.connection": "alert_source__team",
    "incidents.rawevent": "source__team",
    "incidents.incident": "team",
    "incidents.timelineentry": "incident__team",
}
CONNECTORS = {"destinations.connector": "pk", "destinations.delivery": "connector", "incidents.connection": "connector"}


def ensure_roles(**_: Any) -> None:
    """Make the groups that stand for the roles where they are missing. Harmless at any time."""
    Group.objects.bulk_create([Group(name=name.capitalize()) for name in ROLES], ignore_conflicts=True)


def give(user: User, roles: Iterable[str]) -> None:
    """Let a person have exactly these roles; groups that are no role stay."""
    wanted = {name.capitalize() for name in roles}
    others = user.groups.exclude(name__in=[name.capitalize() for name in ROLES])
    user.groups.set([*others, *Group.objects.filter(name__in=wanted)])
    user.__dict__.pop("roles", None)


def admins() -> QuerySet[User]:
    """Return every active administrator."""
    pks = Group.objects.filter(name="Admin").values("user")
    return User.objects.filter(is_active=True, pk__in=pks) | User.objects.filter(is_active=True, is_superuser=True)


def teams_of(thing: Model) -> list[Team | None]:
    """Return whose a row is: each team that has to agree to what is done to it; None stands for everybody.

    A connection is its source's team's (None: of all sources) and, if the connector belongs to one, that team's too:
    what one team runs is not told to another's system, nor another's alerts to it.
    """
    label = thing._meta.label_lower
    found = thing if isinstance(thing, Team) else _reach(thing, TEAMS.get(label, ""))
    teams: list[Team | None] = [found if isinstance(found, Team) else None]
    if label in CONNECTORS and (connector := _reach(thing, CONNECTORS[label])):
        owned = ConnectorTeam.objects.select_related("team").filter(connector=connector).first()
        if owned is not None:
            return [*teams, owned.team] if label in TEAMS else [owned.team]
    return teams


def _reach(thing: Any, path: str) -> Any:
    for step in filter(None, path.split("__")):
        thing = None if thing is None else getattr(thing, step)
    return thing if path else None


class RoleBackend(ModelBackend):
    """Signs people in by password, and answers what they may do.

    `obj` may be a row, saved or about to be; a model: whether the permission holds for at least some row of it;
    or None: whether it holds for all of them.
    """

    def has_perm(self, user_obj: User | AnonymousUser, perm: str, obj: Model | type[Model] | None = None) -> bool:
        """Whether this person may do this."""
        if not isinstance(user_obj, User) or not user_obj.is_active:
            return False
        if user_obj.is_admin:
            return True
        if isinstance(obj, type):
            return self._everywhere(user_obj, perm) or self._somewhere(user_obj, perm)
        if obj is None:
            return self._everywhere(user_obj, perm)
        teams = teams_of(obj)
        if any(team is not None and team.pk in hidden_teams(user_obj) for team in teams):
            return False
        in_teams = all(_in_team(user_obj, perm, team) for team in teams)
        return self._everywhere(user_obj, perm) or in_teams or _own(user_obj, perm, obj)

    def has_module_perms(self, user_obj: User | AnonymousUser, app_label: str) -> bool:
        """Whether this person may do anything in an app."""
        return (
            isinstance(user_obj, User)
            and user_obj.is_active
            and (
                user_obj.is_admin
                or any(perm.startswith(f"{app_label}.") for perm in self.get_all_permissions(user_obj))
            )
        )

    def get_all_permissions(self, user_obj: Any, obj: Model | None = None) -> set[str]:
        """Return what holds everywhere, by role and by whatever the console's groups add."""
        if not isinstance(user_obj, User) or not user_obj.is_active or obj is not None:
            return set()
        if user_obj.is_admin:
            pairs = Permission.objects.values_list("content_type__app_label", "codename")
            return {f"{app}.{codename}" for app, codename in pairs}
        return _by_role(user_obj) | set(super().get_all_permissions(user_obj))

    def visible(self, user: User, queryset: QuerySet[M]) -> QuerySet[M]:
        """Return the rows this person may know of."""
        if user.is_admin:
            return queryset
        label = queryset.model._meta.label_lower
        if label in OWNERS and not self._everywhere(user, f"oncall.view_{label.partition('.')[2]}"):
            return queryset.filter(**{OWNERS[label]: user.pk})
        hidden = hidden_teams(user)
        if hidden and label in TEAMS:
            queryset = queryset.exclude(**{f"{TEAMS[label]}__in": hidden})
        if hidden and label in CONNECTORS:
            theirs = ConnectorTeam.objects.filter(team__in=hidden).values("connector")
            queryset = queryset.exclude(**{f"{CONNECTORS[label]}__in": theirs})
        return queryset

    def _everywhere(self, user: User, perm: str) -> bool:
        return perm in _by_role(user) or perm in super().get_all_permissions(user)

    def _somewhere(self, user: User, perm: str) -> bool:
        in_team = perm in IN_OWN_TEAM and _responds(user) and any(_teams(user).values())
        return in_team or perm in OWN or (perm in OWN_TURNS and _responds(user))


def hidden_teams(user: User) -> frozenset[int]:
    """Return the private teams this person is not in."""
    if "hidden_teams" not in user.__dict__:
        private = Team.objects.filter(private=True).values_list("pk", flat=True)
        user.__dict__["hidden_teams"] = frozenset(private) - set(_teams(user)) if private else frozenset()
    return user.__dict__["hidden_teams"]  # type: ignore[no-any-return]


def _teams(user: User) -> dict[int, bool]:
    """Return the teams this person is in, and whether as a manager. Read once for each request's user."""
    if "team_roles" not in user.__dict__:
        user.__dict__["team_roles"] = dict(Membership.objects.filter(user=user).values_list("team_id", "manager"))
    return user.__dict__["team_roles"]  # type: ignore[no-any-return]


def _by_role(user: User) -> set[str]:
    return {perm for role in user.roles for perm in PERMISSIONS.get(role, ())}


def _responds(user: User) -> bool:
    return bool(user.roles & {"manager", "responder"})


def _in_team(user: User, perm: str, team: Team | None) -> bool:
    return team is not None and perm in IN_OWN_TEAM and _responds(user) and _teams(user).get(team.pk, False)


def _own(user: User, perm: str, thing: Model) -> bool:
    if perm in OWN_TURNS and isinstance(thing, Override):
        return thing.user_id == user.pk and _responds(user) and _belongs_to(user, thing)
    owner = OWNERS.get(thing._meta.label_lower)
    return owner is not None and perm in OWN and getattr(thing, f"{owner}_id" if owner != "pk" else "pk") == user.pk


def _belongs_to(user: User, override: Override) -> bool:
    if override.schedule.team_id in _teams(user):
        return True
    return Layer.objects.filter(schedule=override.schedule_id, participants__user=user).exists()

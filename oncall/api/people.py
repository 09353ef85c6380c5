"""Teams and people."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config import access
from config.api import Resource, action, actor_of
from config.filters import Choice, Filter, Flag, Ids, Reference, Search
from config.serializers import Record
from config.serializers import Reference as ReferenceField
from oncall import people
from oncall.models import Team, User
from oncall.models.people import ROLES


class TeamSerializer(Record[Team]):
    """A team. `managers` are members too, whether or not `members` names them."""

    members = ReferenceField(by="username", many=True, queryset=User.objects.all(), required=False)
    managers = ReferenceField(by="username", many=True, queryset=User.objects.all(), required=False)

    class Meta:
        model = Team
        fields = ["name", "members", "managers", "private"]


class TeamViewSet(Resource):
    """Teams: people who answer for something together. A private team exists for its members and admins alone."""

    model = Team
    serializer_class = TeamSerializer
    queryset = Team.objects.prefetch_related("members", "memberships__user")
    filters = {
        "id": Ids(),
        "name": Filter(column="name"),
        "member": Reference(column="members", by="username", many=True),
        "private": Flag(column="private"),
        "search": Search(columns=("name",)),
    }
    orderings = {"name": "name", "created_at": "created_at", "updated_at": "updated_at"}
    ordering = "name"

    def add(self, serializer: BaseSerializer[Any]) -> Team:
        """Store a team and its people."""
        return people.save_team(Team(), **serializer.validated_data)

    def change(self, thing: Team, serializer: BaseSerializer[Any]) -> Team:  # type: ignore[override]
        """Store what was sent."""
        return people.save_team(thing, **serializer.validated_data)


class RolesField(serializers.ListField):
    """Roles, always in the same order."""

    def to_representation(self, data: Any) -> list[str]:
        """Return the mightiest first."""
        return [role for role in ROLES if role in data]


class RoleFilter(Choice):
    """People who have one of these roles."""

    def condition(self, name: str, texts: Sequence[str]) -> Q:
        """Return the condition on the groups behind the roles."""
        super().condition(name, texts)
        return Q(groups__name__in=[text.capitalize() for text in texts])


class UserSerializer(Record[User]):
    """A person. Without `roles` a new one is a responder; `password` is write only, and only for admins to set."""

    roles = RolesField(child=serializers.ChoiceField(choices=ROLES), required=False)
    password = serializers.CharField(write_only=True, required=False, max_length=128, trim_whitespace=False)
    active = serializers.BooleanField(source="is_active", read_only=True)
    phone = serializers.RegexField(r"^(\+[1-9][0-9]{6,14})?$", required=False, max_length=20)

    class Meta:
        model = User
        fields = ["username", "name", "email", "time_zone", "phone", "roles", "wants_resolved", "password", "active"]
        extra_kwargs = {"email": {"required": False}}


class UserViewSet(Resource):
    """People. They are deactivated, never deleted, so that the record of who was paged stays true."""

    model = User
    serializer_class = UserSerializer
    queryset = User.objects.prefetch_related("groups")
    scopes = {"create": "admin", "destroy": "admin", "deactivate": "admin", "reactivate": "admin"}
    action_permissions = {"deactivate": "oncall.deactivate_user", "reactivate": "oncall.deactivate_user"}
    filters = {
        "id": Ids(),
        "username": Filter(column="username"),
        "name": Filter(column="name"),
        "email": Filter(column="email"),
        "time_zone": Filter(column="time_zone"),
        "team": Reference(column="teams", many=True),
        "role": RoleFilter(column="groups__name", words=ROLES, many=True),
        "active": Flag(column="is_active"),
        "search": Search(columns=("username", "name", "email")),
    }
    orderings = {"username": "username", "name": "name", "created_at": "created_at", "updated_at": "updated_at"}
    ordering = "username"

    def add(self, serializer: BaseSerializer[Any]) -> User:
        """Store a person."""
        return people.add(**serializer.validated_data)

    def change(self, thing: User, serializer: BaseSerializer[Any]) -> User:  # type: ignore[override]
        """Store what was sent; roles, username and password are an admin's to set, others' rows too."""
        values = dict(serializer.validated_data)
        if thing.pk != self.request.user.pk or {"roles", "username", "password"} & set(values):
            access.demand(self.request, "oncall.deactivate_user", User)
            access.demand_scope(self.request, "admin")
        return people.change(thing, **values)

    def remove(self, thing: User) -> None:  # type: ignore[override]
        """Refuse, saying what to do instead."""
        people.refuse_deletion(thing)

    @extend_schema(request=None, responses=UserSerializer)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, id: str) -> Response:  # noqa: A002
        """From now on this person is on call for nothing, is paged for nothing and cannot come in."""
        user = self.get_object()
        people.deactivate(user, by=self.caller, actor=actor_of(request), now=timezone.now())
        return self.shown(self.fresh(user))

    @extend_schema(request=None, responses=UserSerializer)
    @action(detail=True, methods=["post"])
    def reactivate(self, request: Request, id: str) -> Response:  # noqa: A002
        """Give turns and entry back from now on; tokens stay revoked."""
        user = self.get_object()
        people.reactivate(user, actor=actor_of(request), now=timezone.now())
        return self.shown(self.fresh(user))

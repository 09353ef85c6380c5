"""From a step's targets to people, at one instant: resolved when the step executes, never before (E1, E7, E10, E11)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from oncall.models import Membership, Schedule, Team, User
from oncall.policy import Target
from oncall.shifts import on_call_many


@dataclass(frozen=True)
class Found:
    """Whom one target led to, or why to nobody."""

    target: str  # in words: "Core primary", "Bob Berg", "team Core"
    users: tuple[User, ...] = ()
    reason: str = ""  # "nobody is on call", "Bob Berg is deactivated"


def resolve(targets: Sequence[Target], at: datetime) -> list[Found]:
    """Return what each target leads to at `at`, in order; the queries do not grow with the targets."""
    users = {str(u.uuid): u for u in User.objects.filter(uuid__in=_ids(targets, "user"))}
    teams = {str(t.uuid): t for t in Team.objects.filter(uuid__in=_ids(targets, "team"))}
    of_team = Q(team__in=[team.pk for team in teams.values()])
    schedules = list(Schedule.objects.filter(Q(uuid__in=_ids(targets, "schedule")) | of_team))
    now_on_call = on_call_many(schedules, at) if schedules else {}
    by_uuid = {str(schedule.uuid): schedule for schedule in schedules}
    members = _members(teams.values())
    found = []
    for target in targets:
        if target.kind == "user":
            found.append(_person(users.get(target.id), target))
        elif target.kind == "schedule":
            found.append(_schedule(by_uuid.get(target.id), now_on_call, target))
        else:
            found.append(_team(teams.get(target.id), schedules, now_on_call, members, target))
    return found


def admins() -> list[User]:
    """Return every active administrator: the default catch-all."""
    return list(User.objects.filter(Q(groups__name="Admin") | Q(is_superuser=True), is_active=True).distinct())


def _ids(targets: Sequence[Target], kind: str) -> list[str]:
    return [target.id for target in targets if target.kind == kind]


def _members(teams: Iterable[Team]) -> dict[int, list[User]]:
    members: dict[int, list[User]] = {}
    pks = [team.pk for team in teams]
    for membership in (
        Membership.objects.filter(team__in=pks, user__is_active=True).select_related("user") if pks else []
    ):
        members.setdefault(membership.team_id, []).append(membership.user)
    return members


def _person(user: User | None, target: Target) -> Found:
    if user is None:
        return Found(f"a deleted {target.kind}", reason="it is gone")
    if not user.is_active:
        return Found(str(user), reason=f"{user} is deactivated")
    return Found(str(user), (user,))


def _schedule(schedule: Schedule | None, now_on_call: dict[int, User | None], target: Target) -> Found:
    if schedule is None:
        return Found(f"a deleted {target.kind}", reason="it is gone")
    user = now_on_call.get(schedule.pk)
    if user is None:
        return Found(schedule.name, reason=f"nobody is on call in {schedule.name}")
    return Found(schedule.name, (user,))


def _team(
    team: Team | None,
    schedules: list[Schedule],
    now_on_call: dict[int, User | None],
    members: dict[int, list[User]],
    target: Target,
) -> Found:
    if team is None:
        return Found(f"a deleted {target.kind}", reason="it is gone")
    words = f"team {team.name}"
    own = [schedule for schedule in schedules if schedule.team_id == team.pk]
    if not own:  # E11: a team without schedules is all its active members
        people = tuple(members.get(team.pk, ()))
        return Found(words, people, "" if people else f"{words} has no active members")
    on_call = dict.fromkeys(user for schedule in own if (user := now_on_call.get(schedule.pk)) is not None)
    return Found(words, tuple(on_call), "" if on_call else f"nobody is on call in {words}")

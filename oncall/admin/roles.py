"""What each role lets a person do, and who has it."""

from django.http import HttpResponse

from config.console import Person, page, show
from oncall.models import User
from oncall.models.people import ROLES

WORDS = {
    "admin": "Everything: people and their roles, passwords, API tokens of others, jobs, and all that follows.",
    "manager": "Schedules, escalation policies, teams, alert sources, destinations and connections; contact methods of "
    "others; replaying deliveries; and all that follows.",
    "responder": "Is on call and paged. Opens, accepts, assigns, escalates and resolves incidents, reads sources, "
    "destinations and deliveries, and puts themselves on call in schedules they belong to.",
    "stakeholder": "Reads incidents, schedules, policies, teams and people, and changes nothing.",
}


@page("oncall.view_user")
def roles(request: Person) -> HttpResponse:
    """Show the roles with their people."""
    sees = request.user.has_perm("oncall.view_user")
    people = list(User.objects.filter(is_active=True).prefetch_related("groups")) if sees else []
    lines = [
        (role, WORDS[role], [user for user in people if role in user.roles or (role == "admin" and user.is_superuser)])
        for role in ROLES
    ]
    context = {
        "sees": sees,
        "lines": lines,
        "without": [user for user in people if not user.roles and not user.is_superuser],
    }
    return show(request, "oncall/roles.html", context, title="Roles")

"""A browser that is signed in, for the tests of the console's pages."""

from django.test import Client

from oncall import roles
from oncall.models import User
from tests import factories

ROLES = ("admin", "manager", "responder", "stakeholder")


def browser(*held: str, username: str = "me") -> tuple[Client, User]:
    """Return a client that checks CSRF no more than Django's usual test client, and who is signed in."""
    user = User.objects.filter(username=username).first() or factories.make_user(username, is_staff=True)
    roles.give(user, held)
    user = User.objects.get(pk=user.pk)
    client = Client()
    client.force_login(user, backend="oncall.roles.RoleBackend")
    return client, user

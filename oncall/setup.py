"""The first person: an administrator who can come in."""

import secrets

from django.db import transaction

from oncall import roles, tokens
from oncall.models import User

FIRST_ADMIN = "admin"


@transaction.atomic
def first_admin(password: str, token: str) -> str | None:
    """Make the user `admin` on an installation without people; return the random password if none was preset.

    The preset token is set again each time. It raises Invalid if it is too short to be one.
    """
    roles.ensure_roles()
    made = None
    if not User.objects.exists():
        made = password or secrets.token_urlsafe(12)
        admin = User.objects.create_superuser(FIRST_ADMIN, password=made, name="Administrator")
        roles.give(admin, ["admin"])
    if token:
        owner = User.objects.filter(username=FIRST_ADMIN).first()
        if owner is not None:
            tokens.preset(owner, token)
    return None if password else made

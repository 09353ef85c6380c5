"""Links by which a person chooses a password: signed, good for three days, void once a password was set by one."""

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from oncall.models import User

DAYS = settings.PASSWORD_RESET_TIMEOUT // 86_400


def path_for(user: User) -> str:
    """Return the path of a new link. Whoever has it can sign in as this person: show it once, keep it nowhere."""
    word = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("console-choose-password", args=[word, default_token_generator.make_token(user)])

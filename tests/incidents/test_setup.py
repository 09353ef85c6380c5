"""The first start: somebody can come in, something can be tried, and a second start changes nothing."""

import shlex
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from incidents.keys import sources_of
from incidents.models import AlertSource
from oncall.models import Token, User

pytestmark = pytest.mark.django_db


def first_start() -> str:
    out = StringIO()
    call_command("firststart", stdout=out)
    return out.getvalue()


def test_a_fresh_installation_has_an_admin_a_source_and_a_line_to_try(settings: Settings) -> None:
    text = first_start()
    password = text.partition("password ")[2].split()[0]
    admin = User.objects.get()
    assert admin.check_password(password)
    assert list(admin.groups.values_list("name", flat=True)) == ["Admin"]
    assert AlertSource.objects.get(built_in=True).key_hash is None
    words = shlex.split(text.partition("curl")[2])
    key = next(word for word in words if word.startswith("Authorization")).removeprefix("Authorization: Bearer ")
    assert len(key) == 32
    assert sources_of([key], admin.date_joined)[key] == AlertSource.objects.get(built_in=False)


def test_a_second_start_changes_nothing_and_shows_no_secret() -> None:
    first_start()
    before = list(AlertSource.objects.values_list("pk", "key_hash")), list(User.objects.values_list("pk", "password"))
    text = first_start()
    assert "curl" not in text
    assert (
        list(AlertSource.objects.values_list("pk", "key_hash")),
        list(User.objects.values_list("pk", "password")),
    ) == before


def test_a_deleted_first_source_does_not_come_back() -> None:
    first_start()
    AlertSource.objects.filter(built_in=False).delete()
    first_start()
    assert not AlertSource.objects.filter(built_in=False).exists()


def test_the_preset_password_skips_validators_and_is_not_printed(settings: Settings) -> None:
    settings.ADMIN_PASSWORD = "pw"
    assert "pw" not in first_start().replace("TOCSIN_ADMIN_PASSWORD", "")
    assert User.objects.get().check_password("pw")


def test_the_preset_token_is_set_again_at_each_start(settings: Settings) -> None:
    settings.ADMIN_TOKEN = "a token of twenty or more"
    first_start()
    Token.objects.update(revoked_at="2026-01-01T00:00:00Z")
    assert settings.ADMIN_TOKEN not in first_start()
    assert Token.objects.get().revoked_at is None
    settings.ADMIN_TOKEN = "short"
    with pytest.raises(CommandError, match="20 or more"):
        first_start()

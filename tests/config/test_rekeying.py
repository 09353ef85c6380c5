"""Rotating TOCSIN_FIELD_KEYS: all stored secrets move to the new key, and the old one may go."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, models
from pytest_django import Settings

from config import rekeying
from destinations.models import Connector
from oncall.models import ContactMethod
from tests import factories

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM destinations_connector")
        return str(cursor.fetchone()[0])


def test_every_secret_moves_to_the_new_key(each_database: str, settings: Settings) -> None:
    settings.FIELD_KEYS = [OLD]
    connector = Connector.objects.create(name="Slack", kind="slack", secrets={"url": "https://example.com/x"})
    method = factories.make_method(factories.make_user(), "ntfy", "https://ntfy.example.com/x", secret={"token": "t"})
    before = stored()
    settings.FIELD_KEYS = [NEW, OLD]
    assert Connector.objects.get().secrets == connector.secrets

    output = StringIO()
    call_command("rotate_keys", stdout=output)

    assert int(output.getvalue().split()[0]) >= 2
    assert stored() != before
    settings.FIELD_KEYS = [NEW]
    assert Connector.objects.get().secrets == {"url": "https://example.com/x"}
    assert ContactMethod.objects.get(pk=method.pk).secret == {"token": "t"}


def test_a_lost_key_is_said_and_nothing_is_destroyed(db: None, settings: Settings) -> None:
    settings.FIELD_KEYS = [OLD]
    Connector.objects.create(name="Slack", kind="slack", secrets={"url": "https://example.com/x"})
    before = stored()
    settings.FIELD_KEYS = [NEW]
    with pytest.raises(CommandError, match="TOCSIN_FIELD_KEYS lacks the key"):
        call_command("rotate_keys")
    with pytest.raises(ImproperlyConfigured):
        Connector.objects.get()
    assert stored() == before


def test_more_rows_than_are_read_at_a_time(db: None, settings: Settings) -> None:
    settings.FIELD_KEYS = [OLD]
    many = rekeying.BATCH + 3
    Connector.objects.bulk_create(Connector(name=f"Hook {n}", kind="webhook", secrets={"n": n}) for n in range(many))
    settings.FIELD_KEYS = [NEW, OLD]
    assert rekeying.rekey() == many
    settings.FIELD_KEYS = [NEW]
    assert sorted(one.secrets["n"] for one in Connector.objects.all()) == list(range(many))


def test_every_encrypted_column_has_a_numbered_row() -> None:
    found = list(rekeying.columns())
    assert ("Delivery", "message") in {(model.__name__, column) for model, column in found}
    assert all(isinstance(model._meta.pk, models.AutoField | models.BigAutoField) for model, _ in found)

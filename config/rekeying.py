"""Every stored secret under the newest key: after it, the older keys may go."""

from collections.abc import Iterator

from django.apps import apps
from django.db import connection, models
from django.db.backends.utils import CursorWrapper

from config.secrets import EncryptedJSONField, renewed

BATCH = 500  # rows read at a time


def columns() -> Iterator[tuple[type[models.Model], str]]:
    """Return every encrypted column of the installation: its model, and its name in the database."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedJSONField):
                yield model, str(field.column)


def rekey() -> int:
    """Write every secret anew under the newest key; return how many. Harmless while Tocsin runs, and if it is cut off.

    Raises ImproperlyConfigured if a secret opens with none of the keys.
    """
    return sum(_rekey_column(model._meta.db_table, str(model._meta.pk.column), column) for model, column in columns())


def _rekey_column(table: str, key: str, column: str) -> int:
    """Rows are changed one by one, each only if it still holds what was read: whoever wrote meanwhile has won."""
    name = connection.ops.quote_name
    read = (
        f"SELECT {name(key)}, {name(column)} FROM {name(table)} "  # noqa: S608  # names of our own tables
        f"WHERE {name(key)} > %s AND {name(column)} IS NOT NULL ORDER BY {name(key)} LIMIT {BATCH}"
    )
    write = f"UPDATE {name(table)} SET {name(column)} = %s WHERE {name(key)} = %s AND {name(column)} = %s"  # noqa: S608
    changed, last = 0, 0
    with connection.cursor() as cursor:
        while rows := _rows(cursor, read, last):
            for last, token in rows:
                cursor.execute(write, [renewed(token), last, token])
                changed += cursor.rowcount
    return changed


def _rows(cursor: CursorWrapper, sql: str, after: int) -> list[tuple[int, str]]:
    cursor.execute(sql, [after])
    return list(cursor.fetchall())

"""The database itself refuses to change a line of the audit trail. (Deleting: PostgreSQL only, where rows are guarded but TRUNCATE is not.)"""

from django.db import migrations

SQLITE = [
    """
    CREATE TRIGGER config_auditentry_frozen BEFORE UPDATE ON config_auditentry
    BEGIN SELECT RAISE(ABORT, 'the audit trail is only ever added to'); END
    """,
]
POSTGRESQL = [
    """
    CREATE FUNCTION config_auditentry_frozen() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit trail is only ever added to'; END $$
    """,
    """
    CREATE TRIGGER config_auditentry_frozen BEFORE UPDATE OR DELETE ON config_auditentry
    FOR EACH ROW EXECUTE FUNCTION config_auditentry_frozen()
    """,
]
UNDO = {
    "sqlite": ["DROP TRIGGER config_auditentry_frozen"],
    "postgresql": ["DROP TRIGGER config_auditentry_frozen ON config_auditentry", "DROP FUNCTION config_auditentry_frozen()"],
}
DO = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def freeze(apps, schema_editor):
    for statement in DO.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


def thaw(apps, schema_editor):
    for statement in UNDO.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("config", "0001_initial")]
    operations = [migrations.RunPython(freeze, thaw)]

"""The groups that stand for the roles."""

from django.db import migrations


def make(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    for name in ("Admin", "Manager", "Responder", "Stakeholder"):
        Group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [("oncall", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]

from django.db import migrations


def build_anew(apps, schema_editor):
    """Documents of SQLite's index are marked now where their bodies say otherwise; those that are there are not yet."""
    from sessions_app import databases, search_index

    if schema_editor.connection.vendor == "sqlite":
        with databases.using(schema_editor.connection.alias):
            search_index.mark_incomplete_unless_empty()


class Migration(migrations.Migration):
    dependencies = [("forklore", "0003_labels")]

    operations = [migrations.RunPython(build_anew, migrations.RunPython.noop)]

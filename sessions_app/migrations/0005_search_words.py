from django.db import migrations


def build_anew(apps, schema_editor):
    """PostgreSQL's index holds texts as single words now (decision 0012); those that are there are as they were."""
    from sessions_app import databases, search_index

    if schema_editor.connection.vendor == "postgresql":
        with databases.using(schema_editor.connection.alias):
            search_index.mark_incomplete_unless_empty()


class Migration(migrations.Migration):
    dependencies = [("forklore", "0004_search_marks")]

    operations = [migrations.RunPython(build_anew, migrations.RunPython.noop)]

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Lower

ORDERS: dict[str, Any] = {
    "session_titles": Lower("title"),
    "session_sizes": models.F("size_bytes"),
}
# What session_of_project begins with it serves, too; every write of a session paid for both.
OF_PROJECT = "forklore_session_project_id_d9cdab2d"


class Migration(migrations.Migration):
    dependencies = [
        ("forklore", "0014_leftovers"),
    ]

    operations = [
        # Not by Django alone, which on SQLite would copy the whole table for it.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"DROP INDEX IF EXISTS {OF_PROJECT}",
                    f"CREATE INDEX {OF_PROJECT} ON forklore_session (project_id)",
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="session",
                    name="project",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="sessions",
                        to="forklore.project",
                    ),
                ),
            ],
        ),
        migrations.RemoveIndex(model_name="session", name="session_titles"),
        *(
            migrations.AddIndex(
                model_name="session",
                index=models.Index(
                    models.OrderBy(column, descending=True),
                    "id",
                    "project",
                    "relation",
                    "archived_at",
                    condition=models.Q(trashed_at__isnull=True),
                    name=name,
                ),
            )
            for name, column in ORDERS.items()
        ),
    ]

"""Names that stand for a project, projects in the archive, and what the journal keeps of what was done to one."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("forklore", "0016_lists_in_order"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="archived_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="stands_for",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="names",
                to="forklore.project",
            ),
        ),
        migrations.AddField(
            model_name="journalentry",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="forklore.project",
            ),
        ),
        migrations.AddField(
            model_name="journalentry",
            name="name_before",
            field=models.CharField(max_length=255, null=True),
        ),
    ]

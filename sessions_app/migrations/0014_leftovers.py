"""What a purge has yet to remove, and whether clean-up trusts the clock."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("forklore", "0013_journal_for_all"),
    ]

    operations = [
        migrations.CreateModel(
            name="Leftover",
            fields=[
                (
                    "strand",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="forklore.strand",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="cleanupschedule",
            name="seen_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="cleanupschedule",
            name="doubted_at",
            field=models.DateTimeField(null=True),
        ),
    ]

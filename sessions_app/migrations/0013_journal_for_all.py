"""The journal of single deeds too, revisions, and whether clean-up runs by itself."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("forklore", "0012_token_totals"),
    ]

    operations = [
        migrations.CreateModel(
            name="CleanupSchedule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("enabled", models.BooleanField(default=False)),
                ("every_hours", models.PositiveIntegerField(default=24)),
                ("trash_days", models.PositiveIntegerField(default=30, null=True)),
                ("due_at", models.DateTimeField(null=True)),
                ("holder", models.CharField(blank=True, max_length=32)),
                ("held_until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="journalentry",
            name="actor_key",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="journalentry",
            name="state",
            field=models.CharField(
                choices=[
                    ("planning", "Planning"),
                    ("running", "Running"),
                    ("done", "Done"),
                    ("undoing", "Undoing"),
                    ("undone", "Undone"),
                    ("kept", "Kept"),
                ],
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="journalitem",
            name="before",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="session",
            name="relation",
            field=models.CharField(
                blank=True,
                choices=[
                    ("fork", "Fork"),
                    ("subagent", "sub-agent"),
                    ("compaction", "Compaction"),
                    ("continuation", "Continuation"),
                    ("revision", "Revision"),
                ],
                max_length=12,
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="journalentry",
            index=models.Index(models.F("actor_key"), models.F("id"), name="journal_entry_of_actor"),
        ),
        migrations.AddIndex(
            model_name="journalitem",
            index=models.Index(models.F("session"), name="journal_item_session"),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index("parent", condition=models.Q(relation="revision"), name="session_revision"),
        ),
    ]

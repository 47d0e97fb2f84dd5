from django.db import migrations, models
from django.db.models import deletion


class Migration(migrations.Migration):
    dependencies = [
        ("forklore", "0002_search_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="session",
            name="archived_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="session",
            name="pinned_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index("pinned_at", condition=models.Q(("pinned_at__isnull", False)), name="session_pinned"),
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "session_id", "name", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        db_index=False, on_delete=deletion.CASCADE, related_name="tags", to="forklore.session"
                    ),
                ),
                ("name", models.CharField(max_length=50)),
            ],
            options={"indexes": [models.Index("name", "session", name="tag_name")]},
        ),
    ]

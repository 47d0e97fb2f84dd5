"""With which tag, or into which project, many sessions were put at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("forklore", "0010_journal"),
    ]

    operations = [
        migrations.AddField(
            model_name="journalentry",
            name="value",
            field=models.CharField(blank=True, max_length=255, default=""),
        ),
    ]

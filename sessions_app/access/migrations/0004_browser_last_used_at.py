from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("forklore_access", "0003_people")]

    operations = [
        migrations.AddField(
            model_name="browser",
            name="last_used_at",
            field=models.DateTimeField(null=True),
        ),
    ]

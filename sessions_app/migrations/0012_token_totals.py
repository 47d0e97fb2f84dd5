import django.db.models.deletion
from django.db import migrations, models

BATCH = 500  # messages read at once


def count(apps, schema_editor):
    """Count the tokens of what was written before; strands by their start, for each goes on from an earlier one."""
    from sessions_app import bodies, databases, token_rows
    from sessions_app.projection import project

    with databases.using(schema_editor.connection.alias):
        strands = databases.execute(
            "SELECT strand.id, MIN(CAST(piece.session_id AS VARCHAR(36))) FROM forklore_strand strand"
            " JOIN forklore_piece piece ON piece.strand_id = strand.id"
            " GROUP BY strand.id, strand.start ORDER BY strand.start, strand.id"
        ).fetchall()
        for strand, session in strands:
            position = -1
            while rows := databases.execute(
                "SELECT position, body FROM forklore_message WHERE strand_id = %s AND position > %s"
                " AND (body LIKE %s OR body LIKE %s) ORDER BY position LIMIT %s",
                [strand, position, "%tokens%", bodies.PACKED, BATCH],
            ).fetchall():
                for at, body in rows:  # one at a time, for between two there may be some without tokens
                    token_rows.add(session, strand, at, [project(bodies.decode(bodies.plain(body)))])
                position = rows[-1][0]


class Migration(migrations.Migration):
    dependencies = [
        ("forklore", "0014_journal_value"),
    ]

    operations = [
        migrations.CreateModel(
            name="TokenTotal",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "strand_id", "position", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("total", models.PositiveBigIntegerField()),
                ("of_response", models.PositiveBigIntegerField()),
                ("response", models.BigIntegerField(null=True)),
                (
                    "strand",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="forklore.strand",
                    ),
                ),
            ],
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]

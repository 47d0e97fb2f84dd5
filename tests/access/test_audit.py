"""The audit log holds who did what, and nobody changes it."""

import re
from pathlib import Path

import pytest

import sessions_app
from sessions_app import actors
from sessions_app.access import audit
from sessions_app.access.models import AuditEntry
from sessions_app.actors import Actor, the_owner


class Keeping:
    def test_notes_the_actor_of_the_context(self, the_store):
        with actors.acting(Actor("user", "anna")):
            audit.append("purged", "session", "42")

        (entry,) = AuditEntry.objects.newest_first()
        assert (entry.actor_kind, entry.actor_name, entry.verb) == ("user", "anna", "purged")
        assert (entry.kind, entry.object_id, entry.count) == ("session", "42", 1)

    def test_notes_a_program_that_opened_the_database(self, the_store):
        audit.append("purged", "session", "42", count=7)

        (entry,) = AuditEntry.objects.newest_first()
        assert (entry.actor_kind, entry.count) == ("program", 7)

    @pytest.mark.parametrize(
        "change",
        [
            lambda entry: entry.save(),
            lambda entry: entry.delete(),
            lambda entry: AuditEntry.objects.update(verb="looked"),
            lambda entry: AuditEntry.objects.filter(pk=entry.pk).delete(),
            lambda entry: AuditEntry.objects.bulk_update([entry], ["verb"]),
        ],
    )
    def test_refuses_every_change(self, the_store, change):
        audit.append("purged", "session", "42", actor=the_owner())
        entry = AuditEntry.objects.get()
        entry.verb = "looked"

        with pytest.raises(TypeError):
            change(entry)

        assert AuditEntry.objects.get().verb == "purged"

    def test_is_named_by_no_other_sql(self):
        code = Path(sessions_app.__file__).parent

        naming = [path.name for path in code.rglob("*.py") if re.search("forklore_access_auditentry", path.read_text())]

        assert naming == []

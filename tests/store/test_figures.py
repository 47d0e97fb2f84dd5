"""The sums that lists tell: always those of the database, though most of them are counted only once."""

import psycopg
import pytest
from django.db import transaction

from sessions_app import change_log, databases, figures
from sessions_app.models import Project, Session
from tests.builders import a_message, a_session, database_url

from . import storage

pytestmark = storage.SYNC_DOOR


def statements(call):
    """How many statements that count sessions it makes."""
    seen = []

    def note(execute, sql, parameters, many, context):
        seen.append(sql)
        return execute(sql, parameters, many, context)

    with databases.connection().execute_wrapper(note):
        call()
    return sum("COUNT(*)" in sql and "forklore_session" in sql for sql in seen)


class TheFigures:
    def test_are_those_of_the_database_after_every_verb(self, the_store):
        assert figures.by_project() == {}
        parent = a_session(the_store, "one", "two", project="a")
        other = a_session(the_store, "three", project="b")
        programs = [
            lambda: the_store.append(parent.id, [a_message("more")]),
            lambda: the_store.fork_at(parent.id, 2),
            lambda: the_store.fork_at(parent.id, 1, project="b"),
            lambda: the_store.update(parent.id, [a_message("shorter")], 1),
            lambda: the_store.rename(parent.id, "renamed"),
            lambda: the_store.archive(parent.id),
            lambda: the_store.unarchive(parent.id),
            lambda: the_store.archive(other.id),
            lambda: the_store.delete(parent.id),
            lambda: the_store.restore(parent.id),
            lambda: the_store.delete(other.id),
            lambda: the_store.purge(other.id),
            lambda: the_store.delete(parent.id),
            lambda: the_store.purge(parent.id),
        ]
        for program in programs:
            program()
            assert figures.by_project() == storage.figures()
            assert (
                figures.summed(Project.objects.values_list("pk", flat=True)).sessions == Session.objects.live().count()
            )

    def test_are_counted_once_while_nothing_changes(self, the_store):
        a_session(the_store, "one")
        storage.settled()
        figures.by_project()
        assert statements(figures.by_project) == 0

    def test_are_counted_again_for_the_projects_that_changed(self, the_store):
        a_session(the_store, "one", project="a")
        changed = a_session(the_store, "two", project="b")
        storage.settled()
        known = figures.by_project()
        the_store.append(changed.id, [a_message("more")])
        untouched = Project.objects.get(name="a").pk

        assert statements(figures.by_project) == 1
        assert figures.by_project()[untouched] is known[untouched]

    def test_are_counted_anew_when_the_log_was_pruned_past_them(self, the_store):
        session = a_session(the_store, "one")
        figures.by_project()
        for number in range(4):
            the_store.append(session.id, [a_message(str(number))])
        storage.settled()
        with transaction.atomic(using=databases.current()):
            change_log.prune(1)

        assert figures.by_project() == storage.figures()

    def test_are_counted_anew_when_the_database_is_another_one(self, the_store):
        a_session(the_store, "one")
        figures.by_project()
        with databases.connection().cursor() as cursor:  # as a backup that is put in its place, with a log as long
            cursor.execute("DELETE FROM forklore_piece")
            cursor.execute("DELETE FROM forklore_searchtitle")
            cursor.execute("DELETE FROM forklore_session")
            cursor.execute("DELETE FROM forklore_change")
        a_session(the_store, "two", "three", project="other")

        assert figures.by_project() == storage.figures()


class WhatIsUnderWay:
    @pytest.mark.parametrize("late", [True, False])
    def test_is_counted_once_it_has_happened(self, the_store, late):
        """A transaction that wrote first and ends last is not passed over."""
        if databases.connection().vendor == "sqlite":
            pytest.skip("of PostgreSQL: SQLite has one writer")
        session = a_session(the_store, "one")
        with psycopg.connect(database_url(databases.current())) as other:
            other.execute("UPDATE forklore_session SET size_bytes = size_bytes + 1000")
            other.execute(
                "INSERT INTO forklore_change (number, session_id, project_id, kind) SELECT"
                " (pg_current_xact_id()::text::bigint << 20) | 1, id, project_id, 1 FROM forklore_session"
            )
            if late:
                a_session(the_store, "two", project="b")
            figures.by_project()
            other.commit()

        assert figures.by_project() == storage.figures()
        assert figures.by_project()[Session.objects.get(pk=session.id).project_id].size_bytes > 1000

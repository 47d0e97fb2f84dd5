"""check_store says what is wrong, and rebuild_search mends the index."""

import pytest
from django.core.management import call_command
from django.db import connections

from sessions_app import search_index, search_rebuild, store_check
from sessions_app.databases import connection
from tests.builders import a_message, a_session


def execute(statement, *parameters):
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)


def problems():
    return list(store_check.problems())


@pytest.fixture(autouse=True)
def what_waits_is_indexed_when_a_test_says_so(monkeypatch):
    """By itself it would be at each 128th title that this process writes, whatever test that is in."""
    monkeypatch.setattr(search_index, "WAITING", 2**31)


def test_an_empty_store_is_checked_too(the_store):
    assert problems() == []


class Checking:
    @pytest.fixture(autouse=True)
    def session(self, the_store):
        self.session = a_session(the_store, "first needle", "second", "third")
        self.fork = the_store.fork_at(self.session.id, 2)
        the_store.append(self.fork.id, [a_message("of its own")])

    def test_finds_nothing_wrong_in_what_the_store_wrote(self, the_store, capsys):
        the_store.update(self.session.id, [a_message("first needle"), a_message("anew")], 1)
        the_store.rename(self.fork.id, "Ein Titel mit ß")
        the_store.delete(self.session.id)
        search_index.flush()

        call_command("check_store")

        assert "All is well." in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("UPDATE forklore_message SET body = REPLACE(body, 'needle', 'noodle')", "its digest differs"),
            ("UPDATE forklore_message SET kind = 6 WHERE position = 1", "is kept as of kind 6"),
            ("DELETE FROM forklore_message WHERE position = 1", "has no message 1"),
            ("UPDATE forklore_session SET message_count = message_count + 1", "sessions show them up to"),
            ("UPDATE forklore_session SET size_bytes = 1", "does not end as its last message says"),
            ("UPDATE forklore_piece SET stop = stop - 1 WHERE stop IS NOT NULL", "counts"),
            ("UPDATE forklore_session SET strand_id = NULL", "disagree about who appends"),
            ("UPDATE forklore_strand SET start = start + 1", "does not start where its strand"),
            ("DELETE FROM forklore_searchdocument WHERE position = 1", "is not in the search index"),
            ("UPDATE forklore_searchdocument SET text = 'otherwise' WHERE position = 1", "with another text"),
            ("DELETE FROM forklore_searchtitle", "The title of session"),
            ("UPDATE forklore_searchtitle SET text = 'otherwise'", "The title of session"),
        ],
    )
    def test_names_what_somebody_broke(self, the_store, statement, said):
        execute(statement)

        assert any(said in problem for problem in problems())

    def test_compares_what_is_indexed_with_the_messages(self, the_store, either_database):
        if connections[either_database].vendor != "sqlite":
            pytest.skip("on PostgreSQL the texts stand in a table")
        search_index.flush()
        assert problems() == []

        execute("DELETE FROM forklore_search WHERE rowid > 0")
        execute("INSERT INTO forklore_search (rowid, text) SELECT id * 16, 'otherwise' FROM forklore_searchblock")

        assert any("is not in the search index" in problem for problem in problems())
        assert any("The search index finds" in problem for problem in problems())

    def test_ends_with_one_where_something_is_wrong(self, the_store, capsys):
        execute("DELETE FROM forklore_searchdocument")

        with pytest.raises(SystemExit) as ended:
            call_command("check_store")

        assert ended.value.code == 1
        assert "is not in the search index" in capsys.readouterr().out


class Rebuilding:
    def test_mends_an_index_that_lost_messages(self, the_store):
        session = a_session(the_store, "needle", "hay")
        execute("DELETE FROM forklore_searchdocument")
        assert the_store.search("needle", 9)[0].position is None  # only the title is left

        call_command("rebuild_search")

        assert [(hit.id, hit.position) for hit in the_store.search("needle", 9)] == [(session.id, 0)]
        assert problems() == []

    def test_goes_on_where_it_was_interrupted(self, the_store, monkeypatch):
        sessions = [a_session(the_store, *["hay"] * 5, "needle") for _ in range(6)]
        monkeypatch.setattr(search_rebuild, "BATCH", 7)

        def stop(done, total):
            if done > 7:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            search_rebuild.rebuild(stop)
        assert not search_index.complete()
        assert len(the_store.search("needle", 9)) == 6  # by reading
        the_store.append(sessions[5].id, [a_message("needle")])
        the_store.update(sessions[0].id, [a_message("other")], 1)

        search_rebuild.rebuild()

        assert search_index.complete()
        assert len(the_store.search("needle", 9)) == 5
        assert problems() == []


class Migrations:
    def test_bring_the_index_back_when_it_is_gone(self, the_store, either_database):
        if connections[either_database].vendor != "sqlite":
            pytest.skip("on PostgreSQL it is an index like any other, which no migration drops")
        session = a_session(the_store, "needle")
        execute("DROP TABLE forklore_search_terms")
        execute("DROP TABLE forklore_search")
        search_index.forget(either_database)

        call_command("migrate", database=either_database, verbosity=0)

        assert search_index.complete()
        assert [hit.id for hit in the_store.search("needle", 9)] == [session.id]
        assert problems() == []


class AnOldSqlite:
    def test_searches_by_reading_and_leaves_a_note_for_a_newer_one(self, the_store, either_database, monkeypatch):
        if connections[either_database].vendor != "sqlite":
            pytest.skip("of SQLite")
        monkeypatch.setattr(search_index, "OLDEST_SQLITE", (99, 0, 0))
        search_index.forget(either_database)
        session = a_session(the_store, "needle", "second")
        the_store.update(session.id, [a_message("needle again")], 1)
        assert [hit.position for hit in the_store.search("needle", 9)] == [0]
        monkeypatch.undo()
        search_index.forget(either_database)

        assert not search_index.complete()
        search_rebuild.rebuild()

        assert [hit.position for hit in the_store.search("again", 9)] == [0]
        assert problems() == []

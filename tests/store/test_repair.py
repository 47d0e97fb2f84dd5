"""check_store --repair mends what can be derived, exactly as it was, and touches nothing else."""

import tracemalloc

import pytest
from django.core.management import call_command

from sessions_app import cleanup, search_index, store_check, store_repair
from sessions_app.databases import connection
from tests.builders import a_message, a_session

from . import storage

pytestmark = storage.SYNC_DOOR
INDEX = {"forklore_searchdocument", "forklore_searchtitle", "forklore_searchblock", "forklore_searchlong"}


def execute(statement, *parameters):
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)


def problems():
    return list(store_check.problems())


def content():
    return {table: rows for table, rows in storage.content().items() if table not in INDEX}


@pytest.fixture
def sessions(the_store):
    """One of three messages, a fork that goes on from its second, and one that was cleaned away."""
    session = a_session(the_store, "first needle", "second", "third")
    fork = the_store.fork_at(session.id, 2)
    the_store.append(fork.id, [a_message("of its own"), a_message("and more")])
    the_store.append(session.id, [a_message("fourth")])
    cleanup.run(cleanup.save_policy("old", "project:demo is:archived", "trash"))
    search_index.flush()
    assert problems() == []
    return session, fork


DERIVED = [
    "UPDATE forklore_message SET kind = 6 WHERE position = 1",
    "UPDATE forklore_message SET size_total = size_total + 7 WHERE position = 1",
    "UPDATE forklore_message SET size_total = 1, prompt_total = 1, kind = 6",
    "UPDATE forklore_message SET prompt_total = 5 WHERE position >= 1",
    "UPDATE forklore_session SET message_count = message_count + 1",
    "UPDATE forklore_session SET message_count = 0",
    "UPDATE forklore_session SET size_bytes = 1, prompt_count = 9",
    "UPDATE forklore_session SET first_prompt = 1",
    "UPDATE forklore_session SET strand_id = NULL",
    "UPDATE forklore_piece SET stop = stop - 1 WHERE stop IS NOT NULL",
    "UPDATE forklore_piece SET stop = stop + 1 WHERE stop IS NOT NULL",
    "DELETE FROM forklore_piece WHERE stop IS NULL",
    "UPDATE forklore_strand SET start = start + 1",
    "UPDATE forklore_journalentry SET done = 77",
]
BYTES = [
    ("message", "digest", "position = 1"),
    ("message", "digest", "position = 3"),  # the last of a session, which says it too
    ("session", "tail_digest", "1 = 1"),
    ("strand", "base_digest", "start > 0"),
]


class Repairing:
    @pytest.mark.parametrize("harm", DERIVED)
    def test_brings_back_what_can_be_derived_as_it_was(self, the_store, sessions, harm):
        before = content()
        execute(harm)
        assert problems()

        done = list(store_repair.repair())

        assert content() == before
        assert problems() == []
        assert done
        assert not any("Not mended" in sentence for sentence in done)

    @pytest.mark.parametrize(("table", "column", "where"), BYTES)
    def test_brings_back_digests_that_others_prove(self, the_store, sessions, table, column, where):
        before = content()
        execute(f"UPDATE forklore_{table} SET {column} = %s WHERE {where}", b"0123456789abcdef")
        assert problems()

        list(store_repair.repair())

        assert content() == before
        assert problems() == []

    @pytest.mark.parametrize(
        ("harm", "said"),
        [
            ("UPDATE forklore_message SET body = REPLACE(body, 'needle', 'noodle')", "its digest differs"),
            ("UPDATE forklore_message SET body = REPLACE(body, 'fourth', 'fifth!')", "its digest differs"),
            ("DELETE FROM forklore_message WHERE position = 1", "has no message 1"),
            ("DELETE FROM forklore_message WHERE position = 3", "does not end as its last message says"),
            ("DELETE FROM forklore_piece WHERE stop IS NOT NULL", "its pieces hold"),
        ],
    )
    def test_leaves_what_cannot_be_derived_as_it_is_and_says_so(self, the_store, sessions, harm, said):
        execute(harm)
        before = content()

        list(store_repair.repair())

        assert content() == before
        assert any(said in problem for problem in problems())

    def test_finds_nothing_in_an_empty_database(self, the_store):
        assert problems() == []

    def test_touches_nothing_where_nothing_is_wrong(self, the_store, sessions):
        before = storage.content()

        assert list(store_repair.repair()) == []

        assert storage.content() == before

    def test_builds_the_index_anew(self, the_store, sessions):
        if connection().vendor == "sqlite":
            execute("DELETE FROM forklore_search_data WHERE id > 10")  # below the virtual table
        else:
            execute("UPDATE forklore_searchdocument SET text = 'otherwise'")
        assert problems()

        assert any("index anew" in sentence for sentence in store_repair.repair())

        assert problems() == []
        assert [hit.position for hit in the_store.search("of its own", 9)] == [2]

    def test_lets_the_numbers_of_changes_go_on_behind_the_last(self, the_store, sessions):
        session, _ = sessions
        if connection().vendor == "sqlite":
            execute("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'forklore_change'")
        else:
            execute("UPDATE forklore_change SET number = number + %s", 1 << 50)
        assert any("log of changes" in problem for problem in problems())

        list(store_repair.repair())

        since = storage.newest(the_store)
        the_store.rename(session.id, "anew")
        assert [change.session for change in storage.changes(the_store, since)] == [session.id]
        assert problems() == []

    def test_is_a_command(self, the_store, sessions, capsys):
        execute("UPDATE forklore_session SET size_bytes = 1")

        call_command("check_store", "--repair")

        said = capsys.readouterr().out
        assert "ends as its last message says" in said
        assert "All is well." in said

    def test_goes_on_behind_what_it_cannot_mend(self, the_store, sessions):
        other = a_session(the_store, "another")
        execute("UPDATE forklore_message SET body = REPLACE(body, 'needle', 'noodle')")
        execute("UPDATE forklore_session SET size_bytes = 1 WHERE message_count = 1")

        list(store_repair.repair())

        assert not any(str(other.id) in problem or other.id.hex in problem for problem in problems())


class TheTree:
    def test_is_checked(self, the_store, sessions):
        _, fork = sessions
        execute(
            "UPDATE forklore_session SET parent_id = %s, relation = 'fork' WHERE parent_id IS NULL",
            fork.id if connection().vendor == "postgresql" else fork.id.hex,
        )
        assert any("its own ancestor" in problem for problem in problems())


class Memory:
    def test_does_not_grow_with_the_messages(self, the_store, monkeypatch):
        monkeypatch.setattr(store_check, "BATCH", 20)

        def peak():
            tracemalloc.start()
            try:
                problems()
                list(store_repair.repair())
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        text = "needle in hay " * 300
        session = a_session(the_store, *[text] * 60)
        few = peak()
        for _ in range(4):
            the_store.append(session.id, [a_message(text)] * 60)
        assert peak() < few * 1.5

"""The transaction around each write, which goes past Django's own and yet is one that Django knows of."""

import re
from functools import partial

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from sessions_app import databases, session_rows
from sessions_app.databases import execute
from tests.builders import a_message, a_session, texts

from . import storage

pytestmark = storage.SYNC_DOOR
AT_ONCE = pytest.mark.parametrize("at_once", [False, True])
ADD = "INSERT INTO forklore_leftover (strand_id) VALUES (%s)"
DANGLING = "INSERT INTO forklore_piece (session_id, start, stop, strand_id) VALUES (%s, 0, 1, 424242)"


def added():
    return [strand for (strand,) in execute("SELECT strand_id FROM forklore_leftover ORDER BY strand_id").fetchall()]


def run(at_once, *steps):
    with session_rows.writing(at_once=at_once):
        for step in steps:
            step()


def add(*strands):
    for strand in strands:
        execute(ADD, [strand])


def fail():
    raise ZeroDivisionError


def fail_within():
    with transaction.atomic(using=databases.current()):
        add(2)
        fail()


def fail_unheard():
    with pytest.raises(IntegrityError):
        add(1)


class ATransaction:
    @AT_ONCE
    def test_is_kept_when_it_ends_and_then_calls_what_waited_for_that(self, the_store, at_once):
        seen = []
        with session_rows.writing(at_once=at_once):
            add(1)
            transaction.on_commit(lambda: seen.append((added(), databases.in_transaction())), using=databases.current())
            assert databases.in_transaction()
            assert seen == []
        assert seen == [([1], False)]

    @AT_ONCE
    def test_that_fails_leaves_nothing_and_calls_nothing(self, the_store, at_once):
        seen = []
        wait = partial(transaction.on_commit, partial(seen.append, 1), using=databases.current())
        with pytest.raises(ZeroDivisionError):
            run(at_once, partial(add, 1), wait, fail)
        run(at_once, partial(add, 2))
        assert (added(), seen) == ([2], [])
        assert not databases.in_transaction()

    @AT_ONCE
    def test_tells_of_a_statement_that_failed_and_goes_on_with_the_next_one(self, the_store, at_once):
        with pytest.raises(IntegrityError):
            run(at_once, partial(add, 1, 1, 2))
        run(at_once, partial(add, 3))
        assert added() == [3]

    @AT_ONCE
    def test_that_cannot_be_committed_is_told_and_undone(self, the_store, at_once):
        """Foreign keys are looked at when it ends."""
        session, seen = a_session(the_store), []
        wait = partial(transaction.on_commit, partial(seen.append, 1), using=databases.current())
        with pytest.raises(IntegrityError):
            run(at_once, partial(add, 1), wait, partial(execute, DANGLING, [session_rows.key(session.id)]))
        assert (added(), seen) == ([], [])
        the_store.append(session.id, [a_message("one")])
        assert texts(the_store.get(session.id)) == ["one"]

    @AT_ONCE
    def test_holds_those_of_django_as_savepoints(self, the_store, at_once):
        with session_rows.writing(at_once=at_once):
            add(1)
            with pytest.raises(ZeroDivisionError):
                fail_within()
            with transaction.atomic(using=databases.current()):
                add(3)
        assert added() == [1, 3]

    def test_of_which_a_failure_was_passed_over_is_never_taken_for_kept(self, the_store):
        if databases.connection().vendor == "sqlite":
            pytest.skip("SQLite keeps what came before a statement that failed")
        with pytest.raises(DatabaseError):
            run(False, partial(add, 1), fail_unheard)
        assert added() == []

    def test_of_an_append_goes_to_the_server_and_back_twice(self, the_store, tmp_path):
        if databases.connection().vendor == "sqlite":
            pytest.skip("SQLite has no server")
        session = a_session(the_store, "one")
        the_store.append(session.id, [a_message("two")])
        server = databases.connection().connection.pgconn
        with (tmp_path / "trace").open("w") as trace:
            server.trace(trace.fileno())
            the_store.append(session.id, [a_message("three")])
            server.untrace()
        ways = re.findall(r"\t[FB]\t", (tmp_path / "trace").read_text())
        assert "".join(way.strip() for way in ways).count("FB") == 2

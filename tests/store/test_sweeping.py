"""A purge of a large session: it is gone at once, and what nobody shows any more goes in short transactions."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from sessions_app import (
    cleanup,
    cleanup_rows,
    databases,
    purging,
    redaction,
    search_index,
    session_rows,
    store,
    store_check,
    store_repair,
)
from sessions_app.databases import connection
from sessions_app.models import JournalEntry, Leftover, Message, Session, Strand
from tests.builders import a_message, environment, texts
from tests.store.test_cleanup import stored_bytes

from . import storage

pytestmark = storage.SYNC_DOOR
CHECKOUT = Path(__file__).parents[2]
LONG = os.environ.get("FORKLORE_LONG") == "1"


def a_large_session(the_store, count=1000):
    return the_store.create("demo", [a_message(f"needle {n}") for n in range(count)])


@contextmanager
def transactions(monkeypatch):
    """How many messages each transaction took away."""
    taken = []

    @contextmanager
    def writing():
        before = Message.objects.count()
        with session_rows.writing():
            yield
        taken.append(before - Message.objects.count())

    for module in (cleanup, purging, store):
        monkeypatch.setattr(module, "writing", writing)
    yield taken
    monkeypatch.undo()


def left_behind(monkeypatch, session):
    """Purge a session, as if it was killed before anything was swept."""
    store.delete(session.id)
    with monkeypatch.context() as patch:
        patch.setattr(purging, "sweep", lambda: False)
        store.purge(session.id)


class APurge:
    def test_takes_few_messages_at_a_time(self, the_store, monkeypatch):
        session = a_large_session(the_store)
        the_store.delete(session.id)
        with transactions(monkeypatch) as taken:
            the_store.purge(session.id)
        assert (sum(taken), max(taken)) == (1000, purging.AT_ONCE)
        assert taken[0] == 0  # the session goes first
        assert not Strand.objects.exists()
        assert list(store_check.problems()) == []

    def test_takes_fewer_where_they_are_large(self, the_store, monkeypatch):
        session = the_store.create("demo", [a_message("x" * 1_000_000) for _ in range(20)])
        the_store.delete(session.id)
        with transactions(monkeypatch) as taken:
            the_store.purge(session.id)
        assert (sum(taken), max(taken)) == (20, 4)

    def test_by_a_run_is_done_when_all_is_swept(self, the_store, monkeypatch):
        sessions = [a_large_session(the_store, 500), a_large_session(the_store, 300)]
        cleanup.act("trash", [session.id for session in sessions])
        before = stored_bytes()
        with transactions(monkeypatch) as taken:
            entry = cleanup.act("purge", [session.id for session in sessions])
        assert (sum(taken), max(taken)) == (800, purging.AT_ONCE)
        assert (entry.state, entry.freed_bytes, stored_bytes()) == ("done", before, 0)

    def test_leaves_what_forks_show(self, the_store):
        session = a_large_session(the_store)
        fork = the_store.fork_at(session.id, 10)
        the_store.delete(session.id)
        the_store.purge(session.id)
        assert texts(the_store.get(fork.id)) == [f"needle {n}" for n in range(10)]
        assert Message.objects.count() == 10
        assert list(store_check.problems()) == []


class WhatIsLeftBehind:
    def test_is_seen_by_nobody_and_is_no_damage(self, the_store, monkeypatch):
        other = the_store.create("demo", [a_message("needle of another")])
        left_behind(monkeypatch, a_large_session(the_store))
        assert Message.objects.count() == 1001
        assert [hit.id for hit in the_store.search("needle", 9)] == [other.id]
        assert list(store_check.problems()) == []

    def test_is_swept_by_the_next_start(self, the_store, monkeypatch):
        left_behind(monkeypatch, a_large_session(the_store))
        cleanup.resume()
        assert not Message.objects.exists()
        assert not Leftover.objects.exists()
        assert list(store_check.problems()) == []
        if connection().vendor == "sqlite":
            search_index.flush()
            with connection().cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM forklore_search_docsize")
                assert cursor.fetchone() == (0,)

    def test_is_not_what_the_next_purge_frees(self, the_store, monkeypatch):
        session = a_large_session(the_store)
        fork = the_store.fork_at(session.id, 300)
        left_behind(monkeypatch, session)
        cleanup.act("trash", [fork.id])
        found = cleanup_rows.bytes_freed([fork.id])
        purging.sweep()
        assert found == stored_bytes() > 0
        assert cleanup.act("purge", [fork.id]).freed_bytes == found
        assert stored_bytes() == 0

    def test_is_not_written_over_by_a_fork_that_ends_there(self, the_store, monkeypatch):
        session = a_large_session(the_store)
        fork = the_store.fork_at(session.id, 20)
        left_behind(monkeypatch, session)
        the_store.truncate(fork.id, 10)
        the_store.append(fork.id, [a_message("of its own")])
        expected = [*(f"needle {n}" for n in range(10)), "of its own"]
        assert texts(the_store.get(fork.id)) == expected
        purging.sweep()
        assert texts(the_store.get(fork.id)) == expected
        assert list(store_check.problems()) == []

    def test_is_left_alone_by_a_repair(self, the_store, monkeypatch):
        fork = the_store.fork_at((session := a_large_session(the_store)).id, 20)
        left_behind(monkeypatch, session)
        assert list(store_repair.repair()) == []
        purging.sweep()
        assert len(the_store.get(fork.id).messages) == 20

    def test_holds_no_secret_that_was_taken_out(self, the_store, monkeypatch):
        secret = "correct horse battery"
        kept = the_store.create("demo", [a_message(f"it is {secret}")])
        left_behind(monkeypatch, the_store.create("demo", [a_message(f"{secret} {n}") for n in range(300)]))
        redaction.redact(kept.id, texts=[secret])
        assert not any(secret in body for body in Message.objects.values_list("body", flat=True))


class ForksMadeMeanwhile:
    def test_keep_every_message(self, the_store, either_database):
        """Of a session that lives, while one after another of its large forks is purged."""
        session = a_large_session(the_store, 300)
        purged, failures, forks = [], [], []

        def purge():
            try:
                with databases.using(either_database):
                    for _ in range(4):
                        fork = the_store.fork_at(session.id, 250)
                        the_store.append(fork.id, [a_message(f"more {n}") for n in range(400)])
                        the_store.delete(fork.id)
                        the_store.purge(fork.id)
                        purged.append(fork.id)
            except Exception as error:
                failures.append(error)
            finally:
                databases.close(either_database)

        thread = threading.Thread(target=purge)
        thread.start()
        while thread.is_alive():
            forks.append(the_store.fork_at(session.id, random.randrange(1, 300)))
            time.sleep(0.002)
        thread.join()
        assert (failures, len(purged)) == ([], 4)
        for fork in forks:
            assert texts(the_store.get(fork.id)) == [f"needle {n}" for n in range(fork.message_count)]
        assert list(store_check.problems()) == []


class AKill:
    def test_between_two_slices_is_gone_on_from_by_the_next_start(self, the_store, either_database):
        count, kept = (50_000, 1000) if LONG else (4000, 100)
        rounds, midway = 10 if LONG else 3, 0
        for _ in range(rounds):
            session = a_large_session(the_store, count)
            fork = the_store.fork_at(session.id, kept)
            the_store.delete(session.id)
            command = [sys.executable, CHECKOUT / "manage.py", "cleanup", "--do", "purge", "--session", str(session.id)]
            process = subprocess.Popen(command, env=environment(either_database), stdout=subprocess.DEVNULL)
            while process.poll() is None and not Leftover.objects.exists():
                time.sleep(0.001)
            time.sleep(random.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            process.wait()
            midway += Leftover.objects.exists()
            assert list(store_check.problems()) == []

            cleanup.resume()

            assert not Session.objects.filter(pk=session.id).exists()
            entry = JournalEntry.objects.latest("pk")
            assert (entry.action, entry.state, entry.done) == ("purge", "done", 1)
            assert len(the_store.get(fork.id).messages) == kept
            assert Message.objects.count() == kept
            assert list(store_check.problems()) == []
            the_store.delete(fork.id)
            the_store.purge(fork.id)
            assert not Message.objects.exists()
        assert midway

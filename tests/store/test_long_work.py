"""Work that lasts keeps nobody from writing: each of its transactions is short, and a reader that stays holds only the log."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sessions_app import cleanup, databases, session_rows
from sessions_app.databases import connection
from sessions_app.integrations import bundle
from sessions_app.integrations.importing import import_paths
from sessions_app.models import Session
from tests.builders import a_message, a_session
from tests.integrations.writing import ClaudeCode

from . import storage

pytestmark = storage.SYNC_DOOR
LONGEST = 1.0  # seconds of the processor for which one transaction may keep others from writing
LOG = 64 * 1024 * 1024  # bytes
SESSIONS = 600


class Watch:
    """What the transactions of this thread take on SQLite that write."""

    def __init__(self):
        self.taken, self.began = [], None

    def __call__(self, statement):
        if statement.startswith("BEGIN"):
            self.began = time.thread_time()
        elif statement.startswith(("COMMIT", "ROLLBACK")) and "TO" not in statement and self.began is not None:
            self.taken.append(time.thread_time() - self.began)
            self.began = None


@pytest.fixture
def watch(the_store):
    if connection().vendor != "sqlite":
        pytest.skip("SQLite has one writer; PostgreSQL locks rows")
    connection().ensure_connection()
    found = Watch()
    connection().connection.set_trace_callback(found)
    yield found
    connection().connection.set_trace_callback(None)


def many(store, count=SESSIONS):
    with session_rows.writing():
        ids = [a_session(store, "needle", f"in hay {number}").id for number in range(count)]
    Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    return ids


def trash(store, tmp_path, watch):
    ids = many(store)
    watch.taken.clear()
    cleanup.act("trash", ids)


def purge(store, tmp_path, watch):
    ids = many(store)
    cleanup.act("trash", ids)
    watch.taken.clear()
    cleanup.act("purge", ids)


def purge_one(store, tmp_path, watch):
    id = store.create("p", [a_message(f"needle {number} in hay") for number in range(10_000)]).id
    store.delete(id)
    watch.taken.clear()
    store.purge(id)


def run_a_policy(store, tmp_path, watch):
    many(store)
    watch.taken.clear()
    cleanup.run(cleanup.save_policy("old", "before:90d", "pack"))


def bring_in(store, tmp_path, watch):
    agent = ClaudeCode()
    path = tmp_path / "agent" / "session.jsonl"
    path.parent.mkdir()
    lines = [line for number in range(2500) for line in agent.talk(f"needle {number}", "in hay")]
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    watch.taken.clear()
    assert import_paths([path.parent]).messages > 4000


def bring_a_bundle_in(store, tmp_path, watch):
    id = store.create("p", [a_message(f"needle {number} in hay") for number in range(8000)]).id
    with open(tmp_path / "bundle", "w") as file:
        bundle.export([id], file)
    store.delete(id)
    store.purge(id)
    watch.taken.clear()
    with open(tmp_path / "bundle", "rb") as file:
        assert bundle.bring_in(file).new == 1


class AWriteThatLasts:
    @pytest.mark.parametrize("work", [trash, purge, purge_one, run_a_policy, bring_in, bring_a_bundle_in])
    def test_is_done_in_short_transactions(self, the_store, watch, tmp_path, work):
        work(the_store, tmp_path, watch)
        assert len(watch.taken) >= 5
        assert max(watch.taken) < LONGEST

    def test_of_one_transaction_would_be_seen(self, the_store, watch):
        """The control."""
        with session_rows.writing():
            spent = time.thread_time() + LONGEST
            while time.thread_time() < spent:
                a_session(the_store, "needle")
        assert max(watch.taken) >= LONGEST


class AReaderThatStays:
    """A program that holds a moment of the file, as a backup or a shell does, keeps SQLite from beginning its log anew."""

    def test_keeps_nobody_from_writing_and_the_log_is_cut_when_it_leaves(self, the_store):
        if connection().vendor != "sqlite":
            pytest.skip("PostgreSQL has no such log")
        name = str(connection().settings_dict["NAME"])
        id = a_session(the_store, "needle").id
        log = Path(f"{name}-wal")

        def write(count):
            for number in range(count):
                the_store.append(id, [a_message(f"{number} " + "hay " * 500)])
            return log.stat().st_size

        without = [write(150), write(300)]
        assert without[1] < 2 * without[0] + 1_000_000  # which goes round
        with closing(sqlite3.connect(name, isolation_level=None)) as other:
            other.execute("BEGIN")
            (seen,) = other.execute("SELECT message_count FROM forklore_session").fetchone()
            beside = write(600)
            assert other.execute("SELECT message_count FROM forklore_session").fetchone() == (seen,)
            assert beside > 2 * without[1]
            assert beside < LOG
            assert len(the_store.get_messages(id, 0, 5)) == 5
            other.execute("COMMIT")
        assert write(300) < beside + 1_000_000  # the first write still goes behind the others
        assert the_store.get(id).message_count == 1 + 150 + 300 + 600 + 300
        with connection().cursor() as cursor:  # idle connections of other tests do not keep it from being cut
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert not log.stat().st_size
        storage.check()

    def test_is_none_of_ours_while_somebody_takes_an_export_slowly(self, the_store, tmp_path):
        """An export is written before it is sent, and each window of it is a moment of its own."""
        if connection().vendor != "sqlite":
            pytest.skip("PostgreSQL has no such log")
        id = the_store.create("p", [a_message("needle " * 100) for _ in range(1500)]).id
        log = Path(f"{connection().settings_dict['NAME']}-wal")

        class Slow:
            """A file that takes its time: meanwhile others write."""

            wrote = 0

            def write(self, text):
                self.wrote += 1
                if not self.wrote % 10:
                    the_store.append(other, [a_message("hay " * 500)])

        other = a_session(the_store, "hay").id
        bundle.export([id], Slow())
        with connection().cursor() as cursor:
            (busy, *_), *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert (busy, log.stat().st_size) == (0, 0)
        assert not databases.in_transaction()

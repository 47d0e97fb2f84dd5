"""Many processes on one database: nothing acknowledged is lost, nothing is torn, nobody hears that it is locked.

HYPOTHESIS_PROFILE=long, or FORKLORE_LONG=1, writes and kills for longer.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from sessions_app import cleanup, store_check
from sessions_app.databases import connection
from sessions_app.errors import DatabaseBusy
from sessions_app.models import Session
from sessions_app.records import Origin
from tests.builders import environment

from . import storage

pytestmark = storage.SYNC_DOOR
FILE = Origin("claude-code", "p", "one")
IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long" or os.environ.get("FORKLORE_LONG") == "1"
LONG = 20 if IS_LONG else 1  # times as long


@pytest.fixture
def start(the_store, either_database):
    """Start the writers of writers.py on the database of the test."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.writers", *map(str, arguments)],
            env=environment(either_database, DJANGO_SETTINGS_MODULE="sessions_site.settings"),
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def lines_of(process):
    """The acknowledged writes, when all is done; no writer may have failed."""
    out, errors = process.communicate(timeout=60 * LONG)
    assert (errors, process.returncode) == ("", 0)
    return [line.split() for line in out.splitlines()]


def last_number(lines, what, writer):
    return max((int(line[2]) for line in lines if line[:2] == [what, str(writer)]), default=0)


def wait_for_the_dead():
    """PostgreSQL may still be at what a killed writer had asked for."""
    while connection().vendor == "postgresql":
        with connection().cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
            if cursor.fetchone() == (0,):
                return
        time.sleep(0.02)


class EightWriters:
    def test_lose_nothing_and_wait_for_each_other(self, the_store, start):
        shared = the_store.create("shared", [])
        lines = lines_of(start("append_and_update", shared.id, 8, 1.5 * LONG))
        found = the_store.get(shared.id)
        written = Counter(message["writer"] for message in found.messages)
        assert sorted(written) == list(range(8))
        assert found.version == 1 + len(found.messages)
        for writer in range(8):
            own = the_store.get(next(UUID(line[2]) for line in lines if line[:2] == ["created", str(writer)]))
            counts = [message["count"] for message in found.messages if message["writer"] == writer]
            assert counts == list(range(last_number(lines, "appended", writer)))
            assert own.messages == [{"writer": writer, "count": count} for count in counts]
            assert own.turns == last_number(lines, "updated", writer) == len(counts)
        storage.check()

    def test_lose_nothing_in_one_session_and_two_hundred_others(self, the_store, start):
        shared = the_store.create("shared", [])
        others = [the_store.create("others", []).id for _ in range(200)]
        seconds = float(os.environ.get("FORKLORE_SECONDS") or (60 if IS_LONG else 1.5))
        process = start("spread", shared.id, 8, seconds, *others)
        out, errors = process.communicate(timeout=60 + 3 * seconds)
        assert (errors, process.returncode) == ("", 0)
        acknowledged = Counter()
        for line in map(str.split, out.splitlines()):
            acknowledged[line[2], int(line[1])] = int(line[3])
        held = 0
        for id in (shared.id, *others):
            messages = the_store.get(id).messages
            held += len(messages)
            for writer in range(8):
                counts = [message["count"] for message in messages if message["writer"] == writer]
                assert counts == list(range(acknowledged[str(id), writer]))
        assert held == sum(acknowledged.values())
        storage.check()


class AWriterThatIsStopped:
    def test_in_the_middle_of_a_write_keeps_nobody_for_ever(self, the_store, start):
        """Others hear that the store is busy when they have waited, and what it had not committed goes with it."""
        session = the_store.create("shared", [])
        process = start("hold", session.id)
        assert process.stdout.readline() == "holds\n"
        process.send_signal(signal.SIGSTOP)
        wait_shortly()
        with pytest.raises(DatabaseBusy):
            the_store.append(session.id, [{"writer": "other"}])
        assert the_store.get(session.id).messages == []
        process.kill()
        process.wait()
        wait_for_the_dead()
        the_store.append(session.id, [{"writer": "after"}])
        assert the_store.get(session.id).messages == [{"writer": "after"}]
        storage.check()


def wait_shortly():
    """Instead of twenty seconds (test_patience.py)."""
    statement = "PRAGMA busy_timeout = 300" if connection().vendor == "sqlite" else "SET lock_timeout = '300ms'"
    with connection().cursor() as cursor:
        cursor.execute(statement)


class FullUpdatesAtOnce:
    def test_never_interleave(self, the_store, start):
        session = the_store.create("shared", [])
        process = start("replace_all", session.id, 3, 1.5 * LONG)
        seen = set()
        while process.poll() is None:
            found = the_store.get(session.id)
            seen.add(found.version)
            time.sleep(0.005)  # the writers need the processor too
            assert (
                found.messages in [storage.a_generation(writer, found.turns) for writer in range(3)]
                or found.version == 1
            )
        lines = lines_of(process)
        assert len(seen) > 5
        assert the_store.get(session.id).version == 1 + len(lines)
        assert {line[1] for line in lines} == {"0", "1", "2"}
        storage.check()

    def test_with_an_expected_version_are_won_by_exactly_one(self, the_store, start):
        session = the_store.create("shared", [])
        lines = lines_of(start("race", session.id, 40 * LONG))
        rounds = [sorted(line[0] for line in lines if line[1] == str(number)) for number in range(40 * LONG)]
        assert rounds == [["lost", "won"]] * 40 * LONG
        winner = next(int(line[2]) for line in lines if line[:2] == ["won", str(40 * LONG - 1)])
        found = the_store.get(session.id)
        assert (found.version, found.messages) == (1 + 40 * LONG, [{"writer": winner, "round": 40 * LONG - 1}])


class WritersThatAreKilled:
    def test_leave_every_acknowledged_write_and_nothing_torn(self, the_store, start):
        kills = 20 * LONG
        shared = the_store.create("shared", [])
        lines = lines_of(start("be_killed", shared.id, kills))
        wait_for_the_dead()
        assert [line[1] for line in lines if line[0] == "killed"] == ["-9"] * kills
        assert len([line for line in lines if line[0] == "appended"]) > kills / 5  # a busy machine kills many at once
        appended = [(message["writer"], message["generation"]) for message in the_store.get(shared.id).messages]
        assert appended[::2] == appended[1::2]
        for line in lines:
            if line[0] == "created":
                self.check_own(the_store, int(line[1]), UUID(line[2]), lines)
        for writer in range(kills):
            acknowledged = last_number(lines, "appended", writer)
            generations = [generation for found, generation in appended[::2] if found == writer]
            assert generations in [list(range(1, acknowledged + 1)), list(range(1, acknowledged + 2))]
        forks = {line[2] for line in lines if line[0] == "forked"}
        assert forks <= {str(id) for id in Session.objects.values_list("id", flat=True)}
        storage.check()
        self.check_file()

    def test_go_on_with_a_file_where_it_was_left(self, the_store, start):
        lines = lines_of(start("be_killed_importing", 8 * LONG))
        wait_for_the_dead()
        (found,) = the_store.list_by_project("imported", 9)
        read = [message["line"] for message in found.messages]
        assert read == list(range(len(read)))
        assert len(read) - last_number(lines, "imported", "-") in (0, 1)
        assert the_store.import_state(FILE)[1].lines == len(read)
        storage.check()

    def test_finish_what_was_cleaned_up(self, the_store, start):
        lines = lines_of(start("be_killed_cleaning", 8 * LONG))
        wait_for_the_dead()
        cleanup.resume()
        assert {entry.state for entry in cleanup.entries(9999)} <= {"done"}
        cleaned = [(line[1], [UUID(id) for id in line[2:]]) for line in lines if line[0] == "cleaned"]
        assert cleaned
        there = dict(Session.objects.values_list("id", "trashed_at"))
        purged = {id for action, ids in cleaned if action == "purge" for id in ids}
        assert not purged & there.keys()
        assert list(store_check.problems()) == []
        storage.check()

    def check_own(self, store, writer, id, lines):
        """The last update that was acknowledged, or the one that was under way; whole."""
        acknowledged = last_number(lines, "updated", writer)
        found = store.get(id)
        assert found.turns in (acknowledged, acknowledged + 1)
        assert found.version == 1 + found.turns
        assert found.messages == (storage.a_generation(writer, found.turns) if found.turns else [])

    def check_file(self):
        if connection().vendor == "sqlite":
            with connection().cursor() as cursor:
                cursor.execute("PRAGMA integrity_check")
                assert cursor.fetchall() == [("ok",)]

"""Clean-up: many sessions at once, policies with what they would do, the journal, and what takes it back."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command

from sessions_app import actors, cleanup, session_rows, store_check
from sessions_app.actors import Actor
from sessions_app.cleanup import Policy
from sessions_app.databases import connection
from sessions_app.errors import InvalidPolicy, InvalidQuery, JournalEntryNotFound, NotAllowed
from sessions_app.integrations.importing import import_paths
from sessions_app.models import JournalEntry, Session
from tests.builders import a_message, a_session, environment
from tests.integrations.writing import ClaudeCode, write

from . import storage

pytestmark = pytest.mark.parametrize("door", ["sync"])
LONG = os.environ.get("FORKLORE_LONG") == "1"
CHECKOUT = Path(__file__).parent.parent.parent
OLD = Policy("old", "before:90d", "trash")


def stored_bytes():
    length = "octet_length(body)" if connection().vendor == "postgresql" else "length(CAST(body AS BLOB))"
    with connection().cursor() as cursor:
        cursor.execute(f"SELECT COALESCE(SUM({length}), 0) FROM forklore_message")
        return int(cursor.fetchone()[0])


def state():
    """All that clean-up may change of sessions."""
    fields = ("pk", "parent", "title", "version", "updated_at", "pinned_at", "archived_at", "trashed_at", "size_bytes")
    return sorted(Session.objects.values_list(*fields), key=str)


def months_later(clock):
    clock.moment += timedelta(days=100)


class Many:
    @pytest.mark.parametrize("action", ["trash", "archive"])
    def test_are_done_and_taken_back_as_one(self, the_store, action):
        sessions = [a_session(the_store, f"text {n}") for n in range(450)]
        before = state()
        entry = cleanup.act(action, [session.id for session in sessions])
        assert (entry.done, entry.state) == (450, "done")
        assert len(the_store.find_by_id_prefix("", 999)) == (0 if action == "trash" else 450)
        assert state() != before
        assert cleanup.undo().state == "undone"
        assert state() == before

    def test_are_restored_and_put_back_as_they_were(self, the_store, clock):
        ids = [a_session(the_store, "one").id for _ in range(3)]
        for id in ids:
            the_store.delete(id)
        before = state()
        assert cleanup.act("restore", ids).done == 3
        assert len(the_store.find_by_id_prefix("", 9)) == 3
        cleanup.undo()
        assert state() == before

    def test_leaves_out_what_does_not_fit(self, the_store):
        live, trashed = a_session(the_store, "one"), a_session(the_store, "two")
        the_store.delete(trashed.id)
        when = Session.objects.get(pk=trashed.id).trashed_at
        assert cleanup.act("trash", [live.id, trashed.id, uuid4(), live.id]).done == 1
        cleanup.undo()
        assert Session.objects.get(pk=trashed.id).trashed_at == when

    def test_undo_leaves_what_was_done_since(self, the_store):
        one, two = a_session(the_store, "one"), a_session(the_store, "two")
        first = cleanup.act("trash", [one.id, two.id])
        the_store.restore(one.id)
        the_store.delete(one.id)
        cleanup.undo(first.number)
        assert [found.id for found in the_store.find_by_id_prefix("", 9)] == [two.id]

    def test_undo_goes_from_the_last_to_the_first_and_then_ends(self, the_store):
        one, two = a_session(the_store, "one"), a_session(the_store, "two")
        for session in (one, two):
            cleanup.act("trash", [session.id])
        cleanup.undo()
        assert [found.id for found in the_store.find_by_id_prefix("", 9)] == [two.id]
        cleanup.undo()
        with pytest.raises(JournalEntryNotFound):
            cleanup.undo()

    def test_a_purge_cannot_be_taken_back(self, the_store):
        session = a_session(the_store, "one")
        the_store.delete(session.id)
        entry = cleanup.act("purge", [session.id])
        assert (entry.done, entry.freed_bytes, stored_bytes()) == (1, session_bytes("one"), 0)
        with pytest.raises(JournalEntryNotFound):
            cleanup.undo(entry.number)

    def test_are_told_to_who_follows(self, the_store):
        session = a_session(the_store, "one")
        since = storage.newest(the_store)
        cleanup.act("trash", [session.id])
        cleanup.undo()
        assert [change.kind for change in storage.changes(the_store, since)] == ["deleted", "restored"]

    def test_go_no_further_than_somebody_may(self, the_store):
        session = a_session(the_store, "one")
        with actors.acting(Actor("user", "guest", user_id=1)):
            assert cleanup.act("trash", [session.id]).done == 0
            with pytest.raises(NotAllowed):
                cleanup.run(OLD)
        assert the_store.get(session.id) is not None


def session_bytes(text):
    return len(f'{{"role":"user","content":"{text}"}}')


class Policies:
    def test_are_off_until_switched_on(self, the_store):
        assert cleanup.save_policy("old", "before:90d", "trash").enabled is False
        assert cleanup.policy("old") == OLD

    @pytest.mark.parametrize("query", ["", "words", "role:user", "before:90d words"])
    def test_are_made_of_words_of_the_grammar_about_sessions(self, the_store, query):
        with pytest.raises(InvalidPolicy):
            cleanup.save_policy("x", query, "trash")

    def test_refuse_a_word_that_means_nothing(self, the_store):
        with pytest.raises(InvalidQuery):
            cleanup.save_policy("x", "before:soon", "trash")
        assert cleanup.policies() == []

    def test_keep_what_is_protected_and_say_why(self, the_store, clock):
        plain, pinned, kept = (a_session(the_store, word) for word in ("plain", "pinned", "kept"))
        the_store.pin(pinned.id)
        the_store.tag(kept.id, "keep")
        months_later(clock)
        running = a_session(the_store, "running")
        found = cleanup.preview(replace(OLD, query="turns:0"))
        assert found.sessions == [plain.id]
        assert found.kept == {"pinned": 1, "tagged keep": 1, "running": 1}
        assert cleanup.run(replace(OLD, query="turns:0")).done == 1
        assert {each.id for each in the_store.find_by_id_prefix("", 9)} == {pinned.id, kept.id, running.id}

    def test_keep_what_a_living_fork_descends_from(self, the_store, clock):
        root = a_session(the_store, "one", "two")
        middle = the_store.fork_at(root.id, 2)
        old_leaf = the_store.fork_at(root.id, 1)
        months_later(clock)
        leaf = the_store.fork_at(middle.id, 2)
        found = cleanup.preview(OLD)
        assert (found.sessions, found.kept) == ([old_leaf.id], {"needed by a fork": 2})
        the_store.delete(leaf.id)
        assert set(cleanup.preview(OLD).sessions) == {root.id, middle.id, old_leaf.id}

    def test_count_what_is_shared_once_and_only_what_nobody_else_shows(self, the_store, clock):
        root = a_session(the_store, "one", "two", "three", "四")
        forks = [the_store.fork_at(root.id, n) for n in (1, 2, 4)]
        the_store.append(forks[1].id, [a_message("of the fork")])
        alone = a_session(the_store, "alone")
        months_later(clock)
        live = the_store.fork_at(root.id, 3)
        the_store.truncate(live.id, 2)
        kept = the_store.fork_at(alone.id, 1)
        ids = [root.id, *(fork.id for fork in forks), alone.id]
        cleanup.act("trash", ids)
        policy = Policy("empty", "before:90d", "purge")
        the_store.delete(live.id)
        the_store.delete(kept.id)
        found = cleanup.preview(policy)
        assert set(found.sessions) == set(ids)
        before = stored_bytes()
        entry = cleanup.run(policy)
        assert (entry.done, entry.freed_bytes) == (5, found.freed_bytes)
        assert before - stored_bytes() == found.freed_bytes > 0
        the_store.restore(live.id)
        assert the_store.get(live.id).message_count == 2
        assert list(store_check.problems()) == []

    def test_look_again_where_they_act(self, the_store, clock, monkeypatch):
        pinned, forked, plain = (a_session(the_store, word) for word in ("pinned", "forked", "plain"))
        months_later(clock)
        found = cleanup.preview(OLD)
        the_store.pin(pinned.id)
        the_store.fork_at(forked.id, 1)
        monkeypatch.setattr(cleanup, "preview", lambda policy: found)
        assert cleanup.run(OLD).done == 1
        assert [row.pk for row in Session.objects.trashed()] == [plain.id]

    def test_are_run_by_the_command(self, the_store, clock, capsys):
        session = a_session(the_store, "one")
        clock.stop_at(datetime.now(UTC))
        call_command("cleanup", "small", set="before:today turns:<3", on=True)
        call_command("cleanup", dry_run=True)
        assert the_store.get(session.id) is not None
        call_command("cleanup")
        assert the_store.get(session.id) is None
        call_command("cleanup", undo=0)
        call_command("cleanup", journal=True)
        assert the_store.get(session.id) is not None
        out = capsys.readouterr().out
        assert "small: 1 session to trash" in out
        assert "small: 1 session moved to the trash (undone)" in out


def killed_run(alias):
    """Start a run in a process of its own, kill it soon after it began, and give its entry."""
    known = set(JournalEntry.objects.values_list("pk", flat=True))
    command = [sys.executable, CHECKOUT / "manage.py", "cleanup", "old"]
    process = subprocess.Popen(command, env=environment(alias), stdout=subprocess.DEVNULL)
    while process.poll() is None and not JournalEntry.objects.exclude(pk__in=known).exists():
        time.sleep(0.001)
    time.sleep(random.uniform(0, 1.5 if LONG else 0.03))
    process.send_signal(signal.SIGKILL)
    process.wait()
    return JournalEntry.objects.exclude(pk__in=known).get()


class Killed:
    def test_runs_are_finished_by_the_next_start_and_the_journal_is_true(self, the_store, either_database):
        count = 10_000 if LONG else 600
        with session_rows.writing():
            for n in range(count):
                the_store.create("demo", [a_message(str(n))])
        Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
        before = state()
        cleanup.save_policy("old", "before:90d", "trash")
        states: Counter[str] = Counter()
        for _ in range(50 if LONG else 5):
            entry = killed_run(either_database)
            assert entry.done == Session.objects.trashed().count()
            states[entry.state] += 1

            cleanup.resume()

            if entry.state == "planning":
                assert state() == before
                continue
            assert Session.objects.trashed().count() == cleanup.entries()[0].done == count
            assert cleanup.undo().number == entry.pk
            assert state() == before
        print(f"killed while {dict(states)}")  # shown by -s; what is done was killed too late


def everything_about(directory):
    """Every file below with its bytes, its times and its rights."""
    found = {}
    for path in sorted(directory.rglob("*")):
        about = path.lstat()
        body = path.read_bytes() if path.is_file() else b""
        found[path] = (about.st_mtime_ns, about.st_ctime_ns, about.st_mode, about.st_size, about.st_ino, body)
    return found


class TheFilesOfAgents:
    def test_are_never_touched(self, the_store, tmp_path):
        """Whatever becomes of the sessions that were read from them: no byte, no time, and no file more or less."""
        for name in ("one", "two", "three"):
            agent = ClaudeCode(name)
            write(agent.path(tmp_path), *agent.talk("When is high tide?", "At noon."))
        import_paths([tmp_path])
        files = everything_about(tmp_path)
        assert Session.objects.count() == 3
        Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
        one = Session.objects.first()
        the_store.rename(one.pk, "Another title")
        the_store.truncate(one.pk, 1)
        Session.objects.update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
        assert cleanup.run(OLD).done == 3
        cleanup.undo()
        assert cleanup.run(OLD).done == 3
        assert cleanup.run(Policy("empty", "before:90d", "purge")).done == 4  # with what the rewrite dropped
        assert Session.objects.count() == 0
        assert everything_about(tmp_path) == files
        assert import_paths([tmp_path]).new == 0

"""What changed, in order and none left out, for whoever follows: here, in other processes, and as somebody."""

import asyncio
import subprocess
import sys
import time
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction

from sessions_app import change_log, databases
from sessions_app.access import roles
from sessions_app.actors import Actor, Role, acting
from sessions_app.async_store import open_store
from sessions_app.errors import ChangesForgotten, SessionNotFound, StoreError
from sessions_app.models import Project
from sessions_app.records import ImportBatch, ImportState, Origin, ParentLink
from tests.builders import a_message, a_session, environment

from . import storage

WRITERS, ROUNDS = 4, 60


def write_and_fail(store, id):
    store.append(id, [a_message("two")])
    raise RuntimeError


def kinds(store, since):
    return [(change.session, change.kind) for change in storage.changes(store, since)]


class EveryWrite:
    def test_is_told_with_its_session_project_and_kind(self, the_store):
        since = storage.newest(the_store)
        session = a_session(the_store, "one", project="forklore")
        (change,) = storage.changes(the_store, since)
        assert (change.session, change.project, change.kind) == (session.id, "forklore", "created")
        assert change.number > since

    def test_is_told_of_every_verb(self, the_store):
        id = a_session(the_store, "one").id
        since = storage.newest(the_store)
        the_store.append(id, [a_message("two")])
        the_store.update(id, [a_message("other")], 1)
        the_store.rename(id, "title")
        the_store.pin(id)
        the_store.unpin(id)
        the_store.archive(id)
        the_store.unarchive(id)
        the_store.tag(id, "x")
        the_store.untag(id, "x")
        the_store.delete(id)
        the_store.restore(id)
        told = ["messages", "messages", "renamed", *["labelled"] * 6, "deleted", "restored"]
        assert kinds(the_store, since) == [(id, kind) for kind in told]

    def test_is_told_of_children_that_a_purge_leaves_to_another_parent(self, the_store):
        parent = a_session(the_store, "one", "two")
        since = storage.newest(the_store)
        children = [the_store.fork_at(parent.id, 1), the_store.fork("demo", parent.id, [], 0)]
        assert kinds(the_store, since) == [(child.id, "created") for child in children]
        the_store.delete(parent.id)
        since = storage.newest(the_store)
        the_store.purge(parent.id)
        found = kinds(the_store, since)
        assert sorted(found) == sorted([(parent.id, "purged"), *((child.id, "moved") for child in children)])

    def test_is_told_of_an_import(self, the_store):
        since = storage.newest(the_store)
        parent, child = Origin("codex", "p", "1"), Origin("codex", "p", "2")
        batch = ImportBatch("demo", [a_message("one")], ImportState(lines=1))
        first = the_store.import_batch(parent, batch, agent="codex")
        second = the_store.import_batch(child, batch, agent="codex")
        the_store.import_batch(parent, batch, agent="codex")
        the_store.link_parent(child, ParentLink(parent, "fork", 1))
        told = [(first.id, "created"), (second.id, "created"), (first.id, "messages"), (second.id, "moved")]
        assert kinds(the_store, since) == told

    @storage.SYNC_DOOR
    def test_that_fails_is_not_told(self, the_store):
        id = a_session(the_store, "one").id
        since = storage.newest(the_store)
        with pytest.raises(StoreError):
            the_store.rename(id, " ")
        with pytest.raises(SessionNotFound):
            the_store.restore(id)
        with pytest.raises(RuntimeError), transaction.atomic(using=databases.current()):
            write_and_fail(the_store, id)
        assert storage.changes(the_store, since) == []


class AReader:
    def test_goes_on_from_the_last_number_it_has(self, the_store):
        since = storage.newest(the_store)
        ids = [a_session(the_store, "one").id for _ in range(5)]
        found = []
        storage.settled()
        while some := the_store.changes(since, 2):
            assert len(some) <= 2
            found += some
            since = some[-1].number
        assert [change.session for change in found] == ids
        assert [change.number for change in found] == sorted({change.number for change in found})

    def test_of_none_is_where_it_was(self, the_store):
        since = storage.newest(the_store)
        a_session(the_store, "one")
        storage.settled()
        assert the_store.changes_until(since, 0) == ([], since)

    @storage.NO_HTTP  # who asks there is who holds the token: tests/api/test_changes.py
    def test_passes_by_what_it_may_not_see(self, the_store):
        user = User.objects.create(username="ada")
        actor = Actor("user", "ada", user_id=user.pk)
        seen, hidden = a_session(the_store, "one", project="open"), a_session(the_store, "one", project="closed")
        roles.grant(user.pk, Project.objects.get(name="open").pk, Role.VIEWER)
        since = storage.newest(the_store)
        the_store.rename(seen.id, "a")
        the_store.rename(hidden.id, "b")
        with acting(actor):
            storage.settled()
            found, until = the_store.changes_until(since)
            assert [change.session for change in found] == [seen.id]
            assert until > found[-1].number
            assert storage.changes(the_store, until) == []

    def test_is_told_when_what_it_missed_was_pruned(self, the_store):
        since = storage.newest(the_store)
        id = a_session(the_store, "one").id
        for number in range(10):
            the_store.rename(id, f"title {number}")
        everything = storage.changes(the_store, since)
        with transaction.atomic(using=databases.current()):
            change_log.prune(4)
        with pytest.raises(ChangesForgotten):
            storage.changes(the_store, since)
        with pytest.raises(ChangesForgotten):
            storage.changes(the_store, everything[-6].number)
        assert storage.changes(the_store, everything[-5].number) == everything[-4:]
        with pytest.raises(ChangesForgotten):
            the_store.changes(storage.newest(the_store) + (1 << 30))

    def test_finds_a_log_of_bounded_size(self, the_store, monkeypatch):
        monkeypatch.setattr(change_log, "KEPT", 10)
        monkeypatch.setattr(change_log, "PRUNE_EVERY", 4)
        id = a_session(the_store, "one").id
        for number in range(40):
            the_store.rename(id, f"title {number}")
            the_store.append(id, [])
            storage.settled()
        with databases.connection().cursor() as cursor:
            cursor.execute("SELECT count(*) FROM forklore_change")
            assert cursor.fetchone()[0] <= 10 + 2 * 4 + 1


class ASlowWriter:
    """On PostgreSQL a transaction may take its number early and end late; SQLite has one writer at a time."""

    def test_keeps_later_changes_waiting_until_it_ends(self, the_store, either_database):
        if databases.connection().vendor == "sqlite":
            pytest.skip("SQLite lets one transaction write at a time")
        slow, quick = a_session(the_store, "one").id, a_session(the_store, "one").id
        since = storage.newest(the_store)
        other = connections[either_database].copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT pg_current_xact_id()")
                the_store.rename(quick, "quick")
                assert the_store.changes(since) == []
                cursor.execute(
                    "INSERT INTO forklore_change (number, session_id, project_id, kind) SELECT"
                    " (pg_current_xact_id()::text::bigint << 20) | 7, id, project_id, 3 FROM forklore_session WHERE id = %s",
                    [slow],
                )
                cursor.execute("COMMIT")
        finally:
            other.close()
        assert [change.session for change in storage.changes(the_store, since)] == [slow, quick]


@pytest.fixture
def writers(the_store, either_database):
    """Processes that append and fork at once, each to a session of its own."""
    started = []

    def start(*ids):
        for id in ids:
            command = [sys.executable, "-m", "tests.store.change_writer", str(id), str(ROUNDS)]
            settings = environment(either_database, DJANGO_SETTINGS_MODULE="sessions_site.settings")
            started.append(subprocess.Popen(command, env=settings, cwd=Path(__file__).parents[2]))
        return started

    yield start
    for process in started:
        process.kill()
        process.wait()


class WritersInOtherProcesses:
    @storage.SYNC_DOOR
    def test_lose_no_change_to_who_reads_meanwhile(self, the_store, writers):
        since = storage.newest(the_store)
        sessions = [a_session(the_store, "one").id for _ in range(WRITERS)]
        started = writers(*sessions)
        found, deadline = [], time.monotonic() + 60
        running, some = True, []
        while running or some:
            assert time.monotonic() < deadline
            running = any(process.poll() is None for process in started)  # before the last look
            if not running:
                storage.settled()
            some = the_store.changes(since, 50)
            since = some[-1].number if some else since
            found += some
        assert [process.returncode for process in started] == [0] * WRITERS
        for id in sessions:
            told = [change.kind for change in found if change.session == id]
            assert told == ["created", *["messages", "renamed"] * ROUNDS]
        assert len(found) == WRITERS * (1 + 3 * ROUNDS)
        assert [change.number for change in found] == sorted({change.number for change in found})


class Watching:
    def test_gives_what_others_write_as_it_happens(self, the_store, writers):
        id = a_session(the_store, "one").id
        with closing(the_store.watch(storage.newest(the_store))) as watching:
            writers(id)
            found = [next(watching) for _ in range(3 * ROUNDS)]
        assert [change.kind for change in found] == ["messages", "created", "renamed"] * ROUNDS

    @storage.SYNC_DOOR
    def test_is_there_for_agents(self, the_store):
        session = a_session(the_store, "one")
        storage.settled()

        async def run():
            async with open_store() as store, aclosing(store.watch()) as watching:
                coming = asyncio.ensure_future(anext(watching))
                while not coming.done():  # it follows from a moment on that it does not tell
                    await store.append(session.id, [a_message("more")])
                    await asyncio.wait([coming], timeout=0.3)
                return coming.result()

        change = asyncio.run(run())
        assert (change.session, change.kind) == (session.id, "messages")

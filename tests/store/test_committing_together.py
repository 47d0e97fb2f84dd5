"""Writes of many tasks that the async store commits together on SQLite (decision 0022)."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from django.db import connections
from django.db.backends.signals import connection_created

from sessions_app import databases, store
from sessions_app.async_store import open_store
from sessions_app.errors import DiskFull, SessionNotFound, VersionConflict
from sessions_app.records import Origin
from tests.builders import a_message, a_session, database_url, environment, texts

from . import storage

pytestmark = pytest.mark.django_db(transaction=True, databases=["default"])
MANY = 50


@pytest.fixture
def the_store():
    with databases.using("default"):
        yield store


class Appends:
    def test_share_a_commit_and_keep_their_order(self, the_store):
        session, commits = a_session(the_store), []
        calls = [lambda s, n=n: s.append(session.id, [a_message(str(n))]) for n in range(MANY)]
        assert asyncio.run(run(calls, commits)) == [None] * MANY
        found = the_store.get(session.id)
        assert texts(found) == [str(n) for n in range(MANY)]
        assert found.version == 1 + MANY
        assert max(commits) > 1
        storage.check()

    def test_stand_without_one_of_them_that_fails(self, the_store):
        session, gone, commits = a_session(the_store), a_session(the_store), []
        the_store.delete(gone.id)
        since = the_store.newest_change()
        calls = [
            lambda s, n=n: s.append(gone.id if n == 30 else session.id, [a_message(str(n))], once=f"key {n}")
            for n in range(MANY)
        ]
        results = asyncio.run(run(calls, commits))
        assert isinstance(results.pop(30), SessionNotFound)
        assert results == [None] * (MANY - 1)
        assert texts(the_store.get(session.id)) == [str(n) for n in range(MANY) if n != 30]
        told = the_store.changes(since)
        assert [change.number for change in told] == list(range(since + 1, since + MANY))
        assert {change.session for change in told} == {session.id}
        the_store.restore(gone.id)
        the_store.append(gone.id, [a_message("30")], once="key 30")  # the key went with the write
        assert texts(the_store.get(gone.id)) == ["30"]
        assert max(commits) > 1
        storage.check()

    def test_that_expect_one_version_are_won_by_the_first(self, the_store):
        session, commits = a_session(the_store), []
        calls = [lambda s, n=n: s.append(session.id, [a_message(str(n))], expected_version=1) for n in range(MANY)]
        results = asyncio.run(run(calls, commits))
        assert results[0] is None
        assert [type(result) for result in results[1:]] == [VersionConflict] * (MANY - 1)
        assert texts(the_store.get(session.id)) == ["0"]

    def test_of_one_key_are_one_write(self, the_store):
        session, commits = a_session(the_store), []
        calls = [lambda s: s.append(session.id, [a_message("once")], once="key")] * MANY
        assert asyncio.run(run(calls, commits)) == [None] * MANY
        assert texts(the_store.get(session.id)) == ["once"]

    def test_see_what_was_written_before_them_in_the_same_commit(self, the_store):
        commits = []
        origin = Origin("test", "demo", "named")
        calls = [lambda s: s.open_named(origin, "demo", [a_message("first")])] * MANY
        results = asyncio.run(run(calls, commits))
        assert [created for _, created in results] == [True] + [False] * (MANY - 1)
        assert len({record.id for record, _ in results}) == 1

    def test_that_were_given_up_are_written_once_or_not_at_all(self, the_store):
        session, commits = a_session(the_store), []

        async def scenario():
            async with opened_and_locked(commits) as (opened, let_go):
                tasks = [asyncio.ensure_future(opened.append(session.id, [a_message(str(n))])) for n in range(100)]
                await asyncio.sleep(0.2)
                for task in tasks[::2]:
                    task.cancel()
                let_go()
                return await asyncio.gather(*tasks, return_exceptions=True)

        results = asyncio.run(scenario())
        found = list(map(int, texts(the_store.get(session.id))))
        assert {n for n, result in enumerate(results) if result is None} == set(range(1, 100, 2)) <= set(found)
        assert found == sorted(set(found))
        assert the_store.get(session.id).version == 1 + len(found)

    def test_are_done_one_by_one_where_the_database_ends_their_transaction(self, the_store):
        """A disk that is full for one of them is none for the others."""
        session, commits = a_session(the_store), []
        large = [a_message("large " * 500_000)]
        with connections["default"].cursor() as cursor:
            cursor.execute("VACUUM")  # no page of the file is free

        async def scenario():
            connection_created.connect(leave_little_room)
            async with opened_and_locked(commits) as (opened, let_go):
                calls = [
                    opened.append(session.id, large if n == 20 else [a_message(str(n))], once=f"key {n}")
                    for n in range(MANY)
                ]
                tasks = [asyncio.ensure_future(call) for call in calls]
                await asyncio.sleep(0.2)
                let_go()
                return await asyncio.gather(*tasks, return_exceptions=True)

        try:
            results = asyncio.run(scenario())
        finally:
            connection_created.disconnect(leave_little_room)
        assert isinstance(results.pop(20), DiskFull)
        assert results == [None] * (MANY - 1)
        assert texts(the_store.get(session.id)) == [str(n) for n in range(MANY) if n != 20]
        storage.check()


class APurge:
    def test_stays_by_itself_among_them_and_in_its_turn(self, the_store):
        session, gone, commits = a_session(the_store), a_session(the_store, "x"), []

        async def scenario():
            async with opened_and_locked(commits) as (opened, let_go):
                calls = [opened.append(session.id, [a_message(str(n))]) for n in range(20)]
                calls += [opened.delete(gone.id), opened.purge(gone.id)]
                calls += [opened.append(session.id, [a_message(str(n))]) for n in range(20, 40)]
                tasks = [asyncio.ensure_future(call) for call in calls]
                await asyncio.sleep(0.2)
                let_go()
                return await asyncio.gather(*tasks)

        asyncio.run(scenario())
        assert texts(the_store.get(session.id)) == [str(n) for n in range(40)]
        assert 1 < max(commits) <= 21
        with pytest.raises(SessionNotFound):
            the_store.restore(gone.id)


class AProcessThatIsKilled:
    def test_has_acknowledged_nothing_that_is_lost(self, the_store):
        sessions = [the_store.create("shared", []) for _ in range(5)]
        kills = 5
        for kill in range(kills):
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.store.writers", "append_from_many_tasks"),
                    *(str(kill), database_url("default"), *(str(session.id) for session in sessions)),
                ],
                env=environment("default", DJANGO_SETTINGS_MODULE="sessions_site.settings"),
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                text=True,
            )
            seen = [process.stdout.readline() for _ in range(200)]
            time.sleep(0.05 * kill)
            os.kill(process.pid, signal.SIGKILL)
            seen += process.communicate()[0].splitlines()
            acknowledged = {tuple(line.split()) for line in seen if line.count(" ") == 2}
            assert len(acknowledged) >= 190
            there = {}
            for session in sessions:
                for message in the_store.get(session.id).messages:
                    name = (str(session.id), str(message["task"]), f"{message['kill']}.{message['count']}")
                    there[name] = there.get(name, 0) + 1
            assert acknowledged <= set(there)
            assert set(there.values()) == {1}
        for session in sessions:
            counts = {}
            for message in the_store.get(session.id).messages:  # of each task in its order, without a gap
                of = message["kill"], message["task"]
                assert message["count"] == counts.get(of, -1) + 1
                counts[of] = message["count"]
        storage.check()


def leave_little_room(connection, **_):
    """Let the connection take a few more pages and no megabytes."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages + 200}")


async def run(calls, commits):
    """What each call answered, or what it raised, in one store; all of them have waited for a lock."""
    async with opened_and_locked(commits) as (opened, let_go):
        tasks = [asyncio.ensure_future(call(opened)) for call in calls]
        await asyncio.sleep(0.2)
        assert not any(task.done() for task in tasks)
        let_go()
        return await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def opened_and_locked(commits):
    """A store whose writes wait until the lock is let go; `commits` gains how many calls each commit held."""
    async with open_store() as opened:
        writer = opened._writers.threads
        together = writer._do_together

        def counting(done):
            together(done)
            commits.append(len(done))

        writer._do_together = counting
        other = sqlite3.connect(connections["default"].settings_dict["NAME"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield opened, other.rollback
        finally:
            other.close()

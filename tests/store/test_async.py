"""open_store: the store in an event loop, in a script that knows nothing of Django."""

import asyncio
import inspect
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from sessions_app import store as sync_store
from sessions_app.async_store import WAITING, AsyncStore, open_store
from sessions_app.errors import SessionNotFound, StoreError
from tests.builders import a_message, a_session, database_url, environment, texts

from . import storage

CHECKOUT = Path(__file__).parents[2]

FIFTY_TASKS = """
import asyncio, gc, json, sys, threading
from sessions_app.async_store import open_store

async def task(store, shared, number):
    own = await store.create("tasks", [])
    for turn in range(3):
        await store.append(own.id, [{"role": "user", "content": f"turn {turn}"}], turns=turn)
    await store.append(shared, [{"role": "user", "content": str(number)}])
    return (await store.get(own.id)).message_count

async def main():
    async with open_store(sys.argv[1]) as store:
        session = await store.create("my-project", [{"role": "user", "content": "hello"}])
        await store.update(session.id, [{"role": "user", "content": "hello again"}], turns=1)
        counts = await asyncio.gather(*(task(store, session.id, number) for number in range(50)))
        found = await store.get(session.id)
        listed = await store.list_by_project("tasks", 1000, with_messages=False)
        hits = await store.search("HELLO AGAIN", 1000)
    return {
        "counts": counts,
        "shared": [message["content"] for message in found.messages],
        "version": found.version,
        "listed": len(listed),
        "hits": len(hits),
        "looked through": len(gc.get_objects()),
    }

answer = asyncio.run(main())
answer["threads"] = [thread.name for thread in threading.enumerate()]
print(json.dumps(answer))
"""

ONE_FILE = """
import asyncio, json, subprocess, sys
from sessions_app.async_store import open_store

URL = sys.argv[1]

async def other():
    async with open_store(URL) as store:
        await store.create("other", [])

async def main():
    async with open_store(URL) as store:
        session = await store.create("demo", [{"role": "user", "content": "before"}])
        async with open_store(URL) as beside:
            await beside.get(session.id)
        # A program that looks into the file and leaves, and then another that writes.
        look = "import sqlite3; c = sqlite3.connect('agent.db'); c.execute('SELECT 1 FROM forklore_session'); c.close()"
        for words in (["-c", look], [__file__, URL, "other"]):
            await asyncio.to_thread(subprocess.run, [sys.executable, *words], check=True)
        seen = len(await store.list_by_project("other", 9))
        await store.append(session.id, [{"role": "assistant", "content": "after"}])
    async with open_store(URL) as store:
        return seen, [message["content"] for message in (await store.get(session.id)).messages]

asyncio.run(other()) if "other" in sys.argv else print(json.dumps(asyncio.run(main())))
"""


@pytest.fixture
def door():
    """The tests open the async store themselves; beside it they look with the sync one."""
    return "sync"


@pytest.fixture
def run_script(tmp_path):
    """Run a plain script with a home that is empty and nothing set that Forklore reads."""
    (tmp_path / "home").mkdir()

    def run(url, script=FIFTY_TASKS):
        (tmp_path / "agent.py").write_text(script)
        done = subprocess.run(
            [sys.executable, "-W", "error", "agent.py", url],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONPATH": str(CHECKOUT)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.stderr, done.returncode) == ("", 0)
        return json.loads(done.stdout)

    return run


def did_it_all(answer, times=1):
    assert answer["counts"] == [3] * 50
    assert answer["shared"][0] == "hello again"
    assert sorted(map(int, answer["shared"][1:])) == list(range(50))
    assert (answer["version"], answer["listed"], answer["hits"]) == (52, 50 * times, times)
    assert answer["threads"] == ["MainThread"]
    assert answer["looked through"] < 20_000  # objects, at each full collection; with Django's they were 60,000


class APlainScript:
    def test_makes_a_new_sqlite_database_and_opens_it_again(self, run_script, tmp_path):
        did_it_all(run_script("sqlite:///agent.db"))
        assert stat.S_IMODE((tmp_path / "agent.db").stat().st_mode) == 0o600
        did_it_all(run_script(f"sqlite:///{tmp_path}/agent.db"), times=2)

    def test_keeps_its_file_from_a_process_that_comes_and_goes(self, run_script):
        """A process that closes any descriptor of the file loses its locks on it, and the next to leave deletes its log."""
        assert run_script("sqlite:///agent.db", ONE_FILE) == [1, ["before", "after"]]

    @pytest.mark.parametrize("either_database", ["postgresql"], indirect=True)
    @pytest.mark.django_db(transaction=True, databases=["postgresql"])
    def test_fills_an_empty_postgresql_database(self, run_script, either_database):
        name = connections["postgresql"].settings_dict["NAME"]
        with connections["postgresql"].cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS forklore_fresh")
            cursor.execute("CREATE DATABASE forklore_fresh")
            try:
                did_it_all(run_script(database_url("postgresql").replace(f"/{name}?", "/forklore_fresh?")))
            finally:
                cursor.execute("DROP DATABASE forklore_fresh WITH (FORCE)")

    def test_works_beside_what_is_in_the_database(self, the_store, either_database, run_script):
        session = a_session(the_store, "one")
        did_it_all(run_script(database_url(either_database)))
        assert the_store.get(session.id) == session
        assert len(the_store.list_by_project("tasks", 99)) == 50


class Opening:
    @pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite://", "agent.db", "", "sqlite:agent.db"])
    def test_refuses_any_other_address(self, url):
        async def scenario():
            async with open_store(url):
                pass

        with pytest.raises(ValueError, match="sqlite:///"):
            asyncio.run(scenario())

    def test_is_needed_before_the_first_call(self):
        with pytest.raises(RuntimeError, match="async with"):
            asyncio.run(open_store().latest("demo"))

    def test_offers_what_the_sync_store_offers(self):
        functions = {
            name: function
            for name, function in vars(sync_store).items()
            if inspect.isfunction(function) and function.__module__ == sync_store.__name__ and not name.startswith("_")
        }
        del functions["now"], functions["done_once"]
        assert len(functions) > 15
        for name, function in functions.items():
            method = getattr(AsyncStore, name)
            assert inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
            assert inspect.isasyncgenfunction(method) == inspect.isgeneratorfunction(function)
            assert list(inspect.signature(method).parameters.values())[1:] == list(
                inspect.signature(function).parameters.values()
            )


class TheAsyncStore:
    def test_sees_what_the_sync_store_writes_and_the_other_way_round(self, the_store):
        session = a_session(the_store, "one")

        async def scenario():
            async with open_store() as store:
                assert await store.get(session.id) == session
                await store.append(session.id, [a_message("two")])

        asyncio.run(scenario())
        assert texts(the_store.get(session.id)) == ["one", "two"]

    def test_raises_what_the_sync_store_raises(self, the_store):
        session = a_session(the_store, "one")
        the_store.delete(session.id)

        async def scenario():
            async with open_store() as store:
                for call in (
                    store.append(session.id, []),
                    store.rename(session.id, "x"),
                    store.get_messages(session.id),
                ):
                    with pytest.raises(SessionNotFound):
                        await call
                results = await asyncio.gather(
                    *(store.create("" if number % 2 else "demo", []) for number in range(10)), return_exceptions=True
                )
                assert [isinstance(result, StoreError) for result in results] == [False, True] * 5

        asyncio.run(scenario())

    def test_loses_none_of_many_appends_to_one_session(self, the_store):
        session = a_session(the_store)

        async def scenario():
            async with open_store() as one, open_store() as other:
                await asyncio.gather(
                    *((one, other)[n % 2].append(session.id, [a_message(str(n))]) for n in range(50)),
                    *(store.get(session.id) for store in (one, other) * 10),
                )

        asyncio.run(scenario())
        found = the_store.get(session.id)
        assert sorted(map(int, texts(found))) == list(range(50))
        assert found.version == 51

    def test_serves_200_tasks_at_once(self, the_store):
        shared = a_session(the_store)

        async def task(store, number):
            own = await store.create("tasks", [a_message(str(number))])
            for turn in range(3):
                await store.append(own.id, [a_message(f"turn {turn}")], turns=turn)
            await store.append(shared.id, [a_message(str(number))])
            return texts(await store.get(own.id))

        async def scenario():
            async with open_store() as store:
                return await asyncio.gather(*(task(store, number) for number in range(200)))

        assert asyncio.run(scenario()) == [[str(n), "turn 0", "turn 1", "turn 2"] for n in range(200)]
        found = the_store.get(shared.id)
        assert sorted(map(int, texts(found))) == list(range(200))
        assert found.version == 201
        storage.check()

    def test_hands_a_bounded_number_of_calls_to_its_threads(self, the_store, either_database):
        """However many wait for the database: the others stay with their callers, and can still be given up."""
        session = a_session(the_store)
        handed = []

        async def scenario(let_go):
            async with open_store() as store:
                now = 0

                def counting(hand):
                    def counted(*given):
                        nonlocal now
                        call = hand(*given)
                        now += 1
                        handed.append(now)
                        call.add_done_callback(done)
                        return call

                    return counted

                def done(call):
                    nonlocal now
                    now -= 1

                store._writers.threads.put = counting(store._writers.threads.put)
                tasks = [asyncio.create_task(store.append(session.id, [a_message(str(n))])) for n in range(200)]
                await asyncio.sleep(0.3)
                assert now == WAITING
                for task in tasks[150:]:
                    task.cancel()
                let_go()
                await asyncio.gather(*tasks[:150])

        with locked(either_database, session.id) as let_go:
            asyncio.run(scenario(let_go))
        assert max(handed) == WAITING
        assert len(handed) == 150
        assert sorted(map(int, texts(the_store.get(session.id)))) == list(range(150))

    def test_leaves_no_thread_behind(self, the_store):
        before = set(threading.enumerate())

        async def scenario():
            async with open_store() as store:
                await asyncio.gather(*(store.create("demo", []) for _ in range(20)))
                assert set(threading.enumerate()) > before

        asyncio.run(scenario())
        assert set(threading.enumerate()) == before


class Cancelling:
    def test_leaves_nothing_half_done(self, the_store):
        async def scenario():
            async with open_store() as store:
                session = await store.create("demo", [])
                for number in range(1, 25):
                    contents = [a_message(str(number))] * (number * 20)
                    task = asyncio.create_task(store.update(session.id, contents, number))
                    await asyncio.sleep(number % 6 * 0.001)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    found = await store.get(session.id)
                    assert found.turns in range(number + 1)
                    assert texts(found) == [str(found.turns)] * found.turns * 20
                await store.append(session.id, [a_message("still works")])
                return await store.get(session.id)

        found = asyncio.run(scenario())
        assert texts(found)[-1] == "still works"
        storage.check()

    def test_many_calls_that_wait_in_line_leaves_the_store_at_work(self, the_store):
        async def scenario():
            async with open_store() as store:
                session = await store.create("demo", [])
                tasks = [asyncio.create_task(store.append(session.id, [a_message(str(n))])) for n in range(40)]
                await asyncio.sleep(0.005)
                for task in tasks[::2]:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                await store.append(session.id, [a_message("last")])
                return results, await store.get(session.id)

        results, found = asyncio.run(scenario())
        acknowledged = {str(number) for number, result in enumerate(results) if result is None}
        assert len(texts(found)) == len(set(texts(found)))
        assert acknowledged <= set(texts(found))
        assert set(texts(found)) <= {*map(str, range(40)), "last"}
        assert found.version == 1 + found.message_count

    def test_by_a_timeout_is_no_different(self, the_store):
        session = a_session(the_store, "one")

        async def scenario():
            async with open_store() as store:
                for _ in range(5):
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(store.update(session.id, [a_message("x")] * 3000, 1), 0.0001)
                return await store.get(session.id)

        assert texts(asyncio.run(scenario())) in (["one"], ["x"] * 3000)


class Closing:
    def test_lets_writes_that_are_under_way_come_to_their_end(self, the_store):
        session = a_session(the_store)

        async def scenario():
            async with open_store() as store:
                tasks = [asyncio.create_task(store.append(session.id, [a_message(str(n))])) for n in range(200)]
                await asyncio.sleep(0)
            assert [task.done() for task in tasks] == [True] * 200
            await asyncio.gather(*tasks)

        asyncio.run(scenario())
        assert sorted(map(int, texts(the_store.get(session.id)))) == list(range(200))

    def test_ends_who_watches(self, the_store):
        async def scenario():
            async with open_store() as store:
                watching = asyncio.create_task(anext(store.watch(await store.newest_change()), "ended"))
                await asyncio.sleep(0.05)
            return await asyncio.wait_for(watching, 5)

        assert asyncio.run(scenario()) == "ended"

    def test_ends_the_use(self, the_store):
        async def scenario():
            async with open_store() as store:
                await store.latest("demo")
            with pytest.raises(RuntimeError):
                await store.latest("demo")

        asyncio.run(scenario())


@contextmanager
def locked(alias, id):
    """A connection that holds what a write of the session waits for; yields what lets go of it."""
    if connections[alias].vendor == "sqlite":
        other = sqlite3.connect(connections[alias].settings_dict["NAME"], isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
    else:
        other = psycopg.connect(database_url(alias))
        other.execute("SELECT 1 FROM forklore_session WHERE id = %s FOR UPDATE", [id])
    try:
        yield other.rollback
    finally:
        other.close()


class TheEventLoop:
    def test_goes_on_while_a_write_waits_for_a_lock(self, the_store, either_database):
        session = a_session(the_store, "one")
        looks = []

        async def look():
            while True:
                looks.append(time.monotonic())
                await asyncio.sleep(0.005)

        async def scenario(let_go):
            async with open_store() as store:
                write = asyncio.create_task(store.append(session.id, [a_message("two")]))
                looking = asyncio.create_task(look())
                await asyncio.sleep(0.8)
                assert not write.done()
                assert texts(await store.get(session.id)) == ["one"]  # reading does not wait
                let_go()
                await write
                looking.cancel()
                assert texts(await store.get(session.id)) == ["one", "two"]

        with locked(either_database, session.id) as let_go:
            asyncio.run(scenario(let_go))
        assert max(after - before for before, after in pairwise(looks)) < 0.4  # seconds

    def test_writes_beside_another_process(self, the_store, either_database):
        shared = a_session(the_store)

        async def scenario():
            async with open_store() as store:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "tests.store.writers", "append_and_update", str(shared.id), "2", "1"),
                    env=environment(either_database, DJANGO_SETTINGS_MODULE="sessions_site.settings"),
                    cwd=CHECKOUT,
                    stdout=subprocess.PIPE,
                )
                other = asyncio.create_task(process.communicate())
                count = 0
                while not other.done():
                    await asyncio.gather(*(store.append(shared.id, [{"ours": count + n}]) for n in range(3)))
                    count += 3
                return count, (await other)[0].decode().split("\n"), process.returncode

        count, lines, code = asyncio.run(scenario())
        found = the_store.get(shared.id).messages
        assert code == 0
        assert sorted(message["ours"] for message in found if "ours" in message) == list(range(count))
        acknowledged = [line for line in lines if line.startswith("appended")]
        assert len(acknowledged) == len([message for message in found if "writer" in message]) > 0
        storage.check()

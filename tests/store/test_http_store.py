"""What the store of a server does besides asking it: it tries again, keeps to a bound, and ends cleanly."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.conf import settings
from django.db import connections

from sessions_app import http_store
from sessions_app.access import token_file
from sessions_app.errors import KeyReused, SessionNotFound, VersionConflict
from sessions_app.http_store import AT_ONCE, HttpStore
from sessions_app.models import Session
from sessions_app.records import Origin
from sessions_site import asgi
from sessions_site.guard import Guard, Rules
from tests.builders import a_message, a_session, database_url, texts
from tests.streaming import Streaming

from . import storage


@pytest.fixture
def door():
    """The tests open the store of a server themselves; beside it they look with the sync one."""
    return "sync"


class Between(httpx.AsyncBaseTransport):
    """What stands between; counts what goes through at once, and loses what it is told to."""

    def __init__(self):
        application = asgi.http(workers=1)
        self.threads = application.inner
        self._server = Streaming(Guard(application, Rules()))
        self.loses = None  # "answer" or "request": of each write the first
        self.now = self.most = self.tries = 0
        self._seen = set()

    async def handle_async_request(self, request):
        self.now, self.tries = self.now + 1, self.tries + 1
        self.most = max(self.most, self.now)
        try:
            return await self._handled(request)
        finally:
            self.now -= 1

    async def _handled(self, request):
        sent = (request.method, str(request.url), request.headers.get("idempotency-key"), await request.aread())
        lost = self.loses and request.method != "GET" and sent not in self._seen
        self._seen.add(sent)
        if lost and self.loses == "request":
            raise httpx.ConnectError("nobody there", request=request)
        response = await self._server.handle_async_request(request)
        body = await response.aread()
        if lost:
            raise httpx.ReadError("gone", request=request)
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))


@pytest.fixture
def between(the_store):
    made = Between()
    yield made
    made.threads._free.get_nowait().submit(connections.close_all).result()


@pytest.fixture
def run(between, monkeypatch):
    """Run a scenario with an open store of a server."""
    monkeypatch.setattr(http_store, "PAUSE", 0.0)
    token_file.ensure(settings.DATA_DIR)
    token = (settings.DATA_DIR / token_file.NAME).read_text().strip()

    def go(scenario):
        async def within():
            async with HttpStore("http://127.0.0.1:8000", token, between) as store:
                return await asyncio.wait_for(scenario(store), 60)

        return asyncio.run(within())

    return go


async def write_everything(store, record):
    """Every verb once; what each gave, without times and made-up ids."""
    one = await store.create("demo", [a_message("one")])
    await store.append(one.id, [a_message("two")], turns_added=1)
    await store.append(one.id, [a_message("three")], expected_version=2)
    await store.update(one.id, [a_message("one"), a_message("other")], 5, expected_version=3)
    await store.truncate(one.id, 1, expected_version=4)
    forks = [await store.fork_at(one.id, 1), await store.fork("demo", one.id, [a_message("one")], 1)]
    await store.rename(one.id, "title")
    await store.suggest_title(forks[0].id, "suggested")
    await store.pin(one.id)
    await store.archive(one.id)
    await store.set_tags(one.id, ["x", "y"])
    await store.tag(one.id, "z")
    await store.untag(one.id, "x")
    written = await store.put(record)
    name = Origin("sdk", "demo", "a")
    named, created = await store.open_named(name, "demo", [a_message("named")])
    await store.keep_detail(name, {"a": 1})
    branch = await store.fork_named(Origin("sdk", "demo", "b"), named.id)
    for fork in forks:
        await store.delete(fork.id)
    await store.restore(forks[0].id)
    await store.purge(forks[1].id)
    ended = await store.get(one.id), await store.get(forks[0].id), await store.get(forks[1].id)
    return written, created, branch.fork_point, [each and (each.version, each.turns, texts(each)) for each in ended]


class AWrite:
    @pytest.mark.parametrize("lost", ["answer", "request"])
    def test_is_done_once_however_often_it_is_sent(self, the_store, between, run, lost):
        record = a_session(the_store, "whole", project="other")
        record = replace(record, id=uuid4(), project="demo")
        between.loses = lost
        written, created, fork_point, ended = run(lambda store: write_everything(store, record))

        assert (written or lost == "answer", created, fork_point) == (True, True, 1)
        assert ended == [(5, 5, ["one"]), (1, 5, ["one"]), None]
        assert Session.objects.filter(project__name="demo").exclude(relation="revision").count() == 5
        assert between.tries > 40
        storage.check()

    @pytest.mark.parametrize("either_database", ["postgresql"], indirect=True)
    @pytest.mark.django_db(transaction=True, databases=["postgresql"])
    def test_is_done_where_the_database_went_away_since_the_last_one(self, the_store, between, run):
        """Within the second in which the server does not ask whether its connection still works."""
        id = a_session(the_store, "one").id

        async def scenario(store):
            await store.append(id, [a_message("two")])
            with psycopg.connect(database_url("postgresql")) as other:
                (ended,) = other.execute(
                    # The one that served the last request; those of other tests' threads are left alone.
                    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " ORDER BY query_start DESC NULLS LAST LIMIT 1) newest"
                ).fetchone()
            before = between.tries
            await store.append(id, [a_message("three")])
            return ended, between.tries - before

        ended, tries = run(scenario)
        connections["postgresql"].close()  # it was ended, too
        assert ended >= 1
        assert tries == 2  # the first was answered 503, and the next one had a connection
        assert texts(the_store.get(id)) == ["one", "two", "three"]

    def test_that_was_refused_is_refused_again(self, the_store, between, run):
        session = a_session(the_store, "one")
        between.loses = "answer"

        async def scenario(store):
            with pytest.raises(VersionConflict):
                await store.update(session.id, [], 0, expected_version=7)
            with pytest.raises(SessionNotFound):
                await store.restore(session.id)
            await store.truncate(session.id, 0, once="k")
            with pytest.raises(KeyReused):
                await store.truncate(session.id, 0, 3, once="k")

        run(scenario)
        assert the_store.get(session.id).version == 2

    def test_of_a_key_is_no_other(self, the_store):
        session = a_session(the_store, "one")
        more = [a_message("one"), a_message("two")]
        the_store.update(session.id, more, 1, expected_version=1, once="k")
        the_store.append(session.id, [a_message("three")])
        the_store.update(session.id, more, 1, expected_version=1, once="k")
        assert texts(the_store.get(session.id)) == ["one", "two", "three"]
        with pytest.raises(KeyReused):
            the_store.update(session.id, more[:1], 1, once="k")

    def test_gives_up_where_nobody_ever_answers(self, run, between, the_store):
        async def scenario(store):
            store._client._transport = httpx.MockTransport(refuse)
            await store.latest("demo")

        tries = []

        def refuse(request):
            tries.append(request)
            raise httpx.ConnectError("nobody there")

        with pytest.raises(httpx.ConnectError):
            run(scenario)
        assert len(tries) == http_store.TRIES


class Calls:
    def test_of_200_tasks_are_all_done_and_at_most_32_at_once(self, the_store, between, run):
        shared = a_session(the_store)

        async def task(store, number):
            own = await store.create("tasks", [a_message(str(number))])
            await store.append(shared.id, [a_message(str(number))])
            return (await store.get(own.id)).message_count

        async def scenario(store):
            return await asyncio.gather(*(task(store, number) for number in range(200)))

        assert run(scenario) == [1] * 200
        assert between.most == AT_ONCE
        assert sorted(map(int, texts(the_store.get(shared.id)))) == list(range(200))

    def test_that_were_begun_come_to_their_end_before_it_is_closed(self, the_store, between, run):
        shared = a_session(the_store)
        tasks = []

        async def scenario(store):
            tasks.extend(asyncio.create_task(store.append(shared.id, [a_message(str(n))])) for n in range(50))
            await asyncio.sleep(0)
            await store.__aexit__(None, None, None)
            assert [task.exception() for task in tasks if task.done()] == [None] * 50
            with pytest.raises(RuntimeError, match="not open"):
                await store.latest("demo")

        run(scenario)
        assert len(the_store.get(shared.id).messages) == 50


@pytest.mark.parametrize(("url", "coding"), [("http://127.0.0.1:8000", "identity"), ("http://a.example", "gzip")])
def test_answers_are_compressed_only_on_their_way_to_another_machine(url, coding):
    asked = []

    def answer(request):
        asked.append(request.headers["Accept-Encoding"])
        return httpx.Response(200, json={"until": 7})

    async def scenario():
        async with HttpStore(url, "t", httpx.MockTransport(answer)) as store:
            return await store.newest_change()

    assert (asyncio.run(scenario()), asked) == (7, [coding])


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ({"messages": [a_message("x" * 1000)] * 10, "turns": None}, True),
        ({"messages": [a_message("x" * 20_000)]}, False),
        ({"messages": [a_message()] * 300}, False),
        ({"messages": [{"content": [[["x"] * 600]]}]}, False),
    ],
)
def test_what_is_written_in_the_event_loop_is_short(value, short):
    assert http_store._is_short(value) == short

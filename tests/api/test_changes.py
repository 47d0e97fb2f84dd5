"""Changes over HTTP: as a page of JSON, and as a stream that goes on where it was and ends with its credential.

What the changes are is tested through the store's doors (tests/store/test_changes.py).
"""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import transaction

from sessions_app import change_log, databases
from sessions_app.access import roles, tokens
from sessions_app.actors import Role
from sessions_app.api import streams
from sessions_app.errors import ChangesForgotten
from sessions_app.http_store import HttpStore
from sessions_app.models import Project
from sessions_site import asgi
from sessions_site.guard import Guard, Rules
from tests.builders import a_session, environment
from tests.servers import Server
from tests.store.storage import newest, settled
from tests.streaming import Streaming
from tests.web.conftest import Visitor

ROOT = "/api/v1/changes"
WITHIN = 30  # seconds; on PostgreSQL a change waits for transactions of other tests on that server


def by_token(token):
    return {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}


@pytest.fixture
def headers(the_store):
    return by_token(tokens.create("follower"))


@pytest.fixture
def run(the_store):
    """Run a coroutine function with a client of the whole server but for the socket."""

    def go(scenario):
        async def within():
            application = Guard(asgi.http(workers=1), Rules())
            async with httpx.AsyncClient(transport=Streaming(application), base_url="http://127.0.0.1:8000") as client:
                return await asyncio.wait_for(scenario(client), WITHIN)

        return asyncio.run(within())

    return go


@asynccontextmanager
async def following(client, headers, **asked):
    """The blocks of a stream, as they come."""
    async with client.stream("GET", ROOT, params=asked, headers=headers) as response:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")

        async def blocks():
            rest = ""
            async for text in response.aiter_text():
                *whole, rest = (rest + text).split("\n\n")
                for block in whole:
                    yield dict(line.split(": ", 1) for line in block.split("\n"))

        yield blocks()


async def next_change(blocks):
    async for block in blocks:
        if block.get("event") == "change":
            return block
    return None


class APage:
    def test_is_gone_on_from_by_its_last_number(self, the_store, headers):
        client = Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=headers["Authorization"])
        settled()
        start = client.get(ROOT).json()
        id = a_session(the_store, "one").id
        the_store.rename(id, "title")
        settled()
        first = client.get(ROOT, {"since": start["until"], "limit": 1}).json()
        second = client.get(ROOT, {"since": first["until"]}).json()

        assert start["changes"] == []
        assert [(each["session"], each["kind"]) for each in first["changes"] + second["changes"]] == [
            (str(id), "created"),
            (str(id), "renamed"),
        ]

    def test_of_what_is_forgotten_is_gone(self, the_store, headers):
        client = Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=headers["Authorization"])
        for _ in range(4):
            a_session(the_store, "one")
        settled()
        with transaction.atomic(using=databases.current()):
            change_log.prune(1)
        for asked in ({"since": 0}, {"since": 2**63 - 1}):
            answer = client.get(ROOT, asked)
            assert (answer.status_code, answer.json()["error"]) == (410, "ChangesForgotten")


class AStream:
    def test_goes_on_after_the_last_event_that_came(self, the_store, headers, run):
        since = newest(the_store)
        id = a_session(the_store, "one").id
        the_store.rename(id, "title")
        the_store.rename(id, "another")

        async def scenario(client):
            async with following(client, headers, since=since) as blocks:
                first = await next_change(blocks)
            found = []
            async with following(client, {**headers, "Last-Event-ID": first["id"]}, since=since) as blocks:
                found += [await next_change(blocks), await next_change(blocks)]
            return first, found

        first, found = run(scenario)
        assert [json.loads(each["data"])["kind"] for each in (first, *found)] == ["created", "renamed", "renamed"]
        assert json.loads(first["data"]) == {
            "number": int(first["id"]),
            "session": str(id),
            "project": "demo",
            "kind": "created",
        }

    def test_begins_now_and_says_where(self, the_store, headers, run):
        a_session(the_store, "before")
        since = newest(the_store)

        async def scenario(client):
            async with following(client, headers) as blocks:
                return await anext(blocks)

        assert int(run(scenario)["id"]) >= since

    def test_shows_what_the_token_may_see_alone(self, the_store, run):
        ada = User.objects.create(username="ada")
        seen, hidden = a_session(the_store, "one", project="open"), a_session(the_store, "one", project="closed")
        roles.grant(ada.pk, Project.objects.get(name="open").pk, Role.VIEWER)
        since = newest(the_store)
        the_store.rename(hidden.id, "secret")
        the_store.rename(seen.id, "known")

        async def scenario(client):
            text = ""
            async with client.stream("GET", ROOT, params={"since": since}, headers=by_token(token)) as response:
                async for part in response.aiter_text():
                    text += part
                    if str(seen.id) in text:
                        return text

        token = tokens.create("t", user_id=ada.pk)
        text = run(scenario)
        assert str(hidden.id) not in text
        assert "closed" not in text

    def test_ends_when_the_token_is_revoked(self, the_store, headers, run):
        async def scenario(client):
            async with following(client, headers) as blocks:
                await anext(blocks)
                await asyncio.to_thread(tokens.revoke, "follower")
                assert [block async for block in blocks if "event" in block] == []
            return (await client.get(ROOT, headers=headers)).status_code

        assert run(scenario) == 401
        assert not streams._open

    def test_says_now_and_then_that_it_is_there(self, the_store, headers, run, monkeypatch):
        monkeypatch.setattr(streams, "HEARTBEAT", 0.0)

        async def scenario(client):
            async with following(client, headers) as blocks:
                return [await anext(blocks) for _ in range(4)]

        assert [sorted(block) for block in run(scenario)] == [["id", "retry"], ["id"], ["id"], ["id"]]

    def test_tells_that_what_comes_next_was_forgotten(self, the_store, headers, run, monkeypatch):
        since = newest(the_store)

        def forget(number, limit):
            raise ChangesForgotten(number)

        async def scenario(client):
            async with following(client, headers, since=since) as blocks:
                await anext(blocks)
                monkeypatch.setattr(change_log, "since", forget)
                return [block async for block in blocks]

        (last,) = [block for block in run(scenario) if "event" in block]
        assert last["event"] == "forgotten"

    def test_is_one_of_twenty_of_an_actor_at_most(self, the_store, headers, run):
        other = by_token(tokens.create("other"))

        async def scenario(client):
            async with AsyncExitStack() as stack:
                for _ in range(streams.MOST):
                    await stack.enter_async_context(following(client, headers))
                refused = await client.get(ROOT, headers=headers)
                async with following(client, other):
                    pass
                return refused

        refused = run(scenario)
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert not streams._open

    @pytest.mark.parametrize("since", ["-1", "x", "٣", "", str(2**63)])
    def test_is_refused_after_what_is_no_number(self, headers, run, since):
        async def scenario(client):
            return (await client.get(ROOT, params={"since": since}, headers=headers)).status_code

        assert run(scenario) == 422

    def test_is_for_nobody_who_is_not_let_in(self, run):
        async def scenario(client):
            return (await client.get(ROOT, headers=by_token("x"))).status_code

        assert run(scenario) == 401


def test_many_streams_leave_the_server_its_threads_and_end_when_it_stops(the_store, either_database, tmp_path):
    settings = environment(
        either_database, FORKLORE_DATA=str(tmp_path), DJANGO_SETTINGS_MODULE="sessions_site.settings"
    )
    command = [sys.executable, "manage.py", "up", "--port", "0"]
    headers = by_token(tokens.create("follower"))

    async def scenario(url):
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=WITHIN))
            followed = [await stack.enter_async_context(following(client, headers)) for _ in range(12)]
            for blocks in followed:
                await anext(blocks)
            made = await client.post("/api/v1/sessions", json={"project": "shop"}, headers=headers)
            told = [json.loads((await next_change(blocks))["data"])["session"] for blocks in followed]
            began = time.monotonic()
            server.process.terminate()
            assert [await next_change(blocks) for blocks in followed] == [None] * 12
            return made.json()["id"], told, time.monotonic() - began

    async def followed(url):
        """By the store of a server, which is closed while it waits."""
        async with HttpStore(url, headers["Authorization"].removeprefix("Bearer ")) as store:
            watching = store.watch(await store.newest_change())
            await store.create("shop", [])
            assert (await anext(watching)).kind == "created"
            waiting = asyncio.create_task(anext(watching, "ended"))
            await asyncio.sleep(0.1)
        return await asyncio.wait_for(waiting, WITHIN)

    with Server(command, Path(__file__).parents[2], settings) as server:
        assert asyncio.run(followed(server.url)) == "ended"
        made, told, seconds = asyncio.run(scenario(server.url))
    assert told == [made] * 12
    assert seconds < 5  # where the server waits for them it is ten

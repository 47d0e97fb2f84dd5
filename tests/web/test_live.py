"""The sockets of live pages: what they tell, to whom, and how little a page can make of them (T33)."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.db.utils import OperationalError

from sessions_app import databases
from sessions_app.access import roles, sockets, tokens
from sessions_app.actors import Role, the_owner
from sessions_app.models import Project
from sessions_app.web import hints, live
from sessions_app.web.hints import Listener
from sessions_site import asgi
from sessions_site.guard import FRAME_BYTES
from tests.builders import a_message, a_session

WITHIN = 30  # seconds; on PostgreSQL a hint waits for transactions of other tests on that server
QUIET = 4 * hints.PAUSE  # in which a hint would have come


class Page:
    """A socket as a page has it: watch, next, quiet."""

    def __init__(self, token):
        headers = {"host": "127.0.0.1:8000", "authorization": f"Bearer {token}"}
        scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": "/live/",
            "server": ("127.0.0.1", 8000),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        alias = databases.current()

        async def application(*arguments):  # which is run in a context of its own
            with databases.using(alias):
                await asgi.application(*arguments)

        self.socket = ApplicationCommunicator(application, scope)

    async def send(self, text):
        await self.socket.send_input({"type": "websocket.receive", "text": text})

    async def answer(self):
        return await self.socket.receive_output(WITHIN)

    async def next(self):
        event = await self.answer()
        assert event["type"] == "websocket.send", event
        return json.loads(event["text"])

    async def watch(self, **watched):
        """And the first frame, which says up to where the page is told of all."""
        await self.send(json.dumps(watched, default=str))
        return await self.next()

    async def is_quiet(self):
        return await self.socket.receive_nothing(QUIET)


@asynccontextmanager
async def a_page(token):
    page = Page(token)
    await page.socket.send_input({"type": "websocket.connect"})
    assert (await page.answer())["type"] == "websocket.accept"
    try:
        yield page
    finally:
        await page.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await page.socket.wait(WITHIN)


def run(scenario):
    try:
        answer = asyncio.run(asyncio.wait_for(scenario(), 4 * WITHIN))
        assert not hints._sources  # nobody listens any more, and so nothing looks
        return answer
    finally:
        hints._sources.clear()


async def do(function, *arguments):
    return await asyncio.to_thread(function, *arguments)


@pytest.fixture
def owner(the_store):
    return tokens.create("owner")


@pytest.fixture
def viewer(the_store):
    """A token of somebody who may look into the project "ours" alone."""
    a_session(the_store, "one", project="ours")
    user = User.objects.create(username="viewer")
    roles.grant(user.pk, Project.objects.get(name="ours").pk, Role.VIEWER)
    return tokens.create("viewer", user_id=user.pk)


def ids(*sessions):
    return sorted(str(each.id) for each in sessions)


class AHint:
    def test_names_what_changed_within_a_second_and_nothing_of_its_content(self, the_store, owner):
        session = a_session(the_store, "one")

        async def scenario():
            async with a_page(owner) as page:
                await page.watch(lists=True)
                taken = WITHIN
                for _ in range(5):  # of which some may wait for other tests
                    await do(the_store.append, session.id, [a_message("a secret")])
                    started = time.monotonic()
                    hint = await page.next()
                    taken = min(taken, time.monotonic() - started)
                return hint, taken

        hint, taken = run(scenario)
        assert hint.keys() == {"since", "sessions"}
        assert hint["sessions"] == ids(session)
        assert taken < 1

    def test_comes_for_the_session_that_a_page_shows_its_children_and_no_other(self, the_store, owner):
        shown, other = a_session(the_store, "one"), a_session(the_store, "two")

        async def scenario():
            async with a_page(owner) as page:
                await page.watch(session=shown.id)
                await do(the_store.rename, other.id, "new")
                assert await page.is_quiet()
                await do(the_store.rename, shown.id, "new")
                renamed = await page.next()
                fork = await do(the_store.fork_at, shown.id, 1)
                return renamed, await page.next(), fork

        renamed, forked, fork = run(scenario)
        assert renamed["sessions"] == ids(shown)
        assert str(fork.id) in forked["sessions"]

    def test_comes_for_the_tree_that_a_page_shows_and_no_other(self, the_store, owner):
        root, other = a_session(the_store, "one"), a_session(the_store, "two")
        fork = the_store.fork_at(root.id, 1)

        async def scenario():
            async with a_page(owner) as page:
                await page.watch(tree=fork.id)
                await do(the_store.fork_at, other.id, 1)
                assert await page.is_quiet()
                cousin = await do(the_store.fork_at, root.id, 1)
                created = await page.next()
                await do(the_store.delete, cousin.id)
                trashed = await page.next()
                await do(the_store.purge, cousin.id)
                return cousin, created, trashed, await page.next()

        cousin, created, trashed, purged = run(scenario)
        assert all(str(cousin.id) in hint["sessions"] for hint in (created, trashed, purged))

    def test_says_what_a_page_missed(self, the_store, owner):
        early, late = a_session(the_store, "one"), a_session(the_store, "two")

        async def scenario():
            async with a_page(owner) as page:
                first = await page.watch(lists=True)
                await do(the_store.rename, early.id, "new")
                second = await page.next()
            await do(the_store.rename, late.id, "new")
            async with a_page(owner) as page:
                return first, await page.watch(lists=True, since=second["since"])

        first, missed = run(scenario)
        assert first["sessions"] == []
        assert missed["sessions"] == ids(late)

    def test_says_to_read_anew_where_more_was_missed_than_is_told(self, the_store, owner, monkeypatch):
        monkeypatch.setattr(hints, "BATCH", 3)
        session = a_session(the_store, "one")

        async def scenario():
            async with a_page(owner) as page:
                since = (await page.watch(lists=True))["since"]
            for number in range(4):
                await do(the_store.rename, session.id, f"title {number}")
            async with a_page(owner) as page:
                missed = await page.watch(lists=True, since=since)
                future = await page.watch(lists=True, since=str(2**62))
                return missed, future

        missed, future = run(scenario)
        assert missed.keys() == future.keys() == {"since", "resync"}

    def test_holds_together_what_happens_at_once(self, the_store, owner):
        sessions = [a_session(the_store, "one") for _ in range(10)]

        async def scenario():
            async with a_page(owner) as page:
                await page.watch(lists=True)
                until, frames = time.monotonic() + 1, 0
                while time.monotonic() < until:
                    for session in sessions:
                        await do(the_store.rename, session.id, str(time.monotonic()))
                while not frames or not await page.is_quiet():
                    await page.next()
                    frames += 1
                return frames

        assert 1 <= run(scenario) <= 1 / hints.PAUSE + 2

    def test_comes_again_after_the_database_was_away(self, the_store, owner, monkeypatch):
        monkeypatch.setattr(hints, "ABSENT", 0.05)
        session = a_session(the_store, "one")
        real, failed = hints.store.changes_until, []

        def away(*arguments):
            if len(failed) < 3:
                failed.append(1)
                raise OperationalError("the database is away")
            return real(*arguments)

        async def scenario():
            async with a_page(owner) as page:
                await page.watch(lists=True)
                monkeypatch.setattr(hints.store, "changes_until", away)
                await do(the_store.rename, session.id, "new")
                return await page.next()

        assert run(scenario)["sessions"] == ids(session)
        assert len(failed) == 3

    @pytest.mark.parametrize("either_database", ["postgresql"], indirect=True)  # which has connections to end
    @pytest.mark.django_db(transaction=True, databases=["postgresql"])
    def test_comes_again_after_the_connection_was_ended(self, the_store, owner, monkeypatch, either_database):
        monkeypatch.setattr(hints, "ABSENT", 0.05)
        session = a_session(the_store, "one")

        def end(pids):
            databases.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", [pids])

        async def scenario():
            async with a_page(owner) as page:
                await page.watch(lists=True)
                source = hints._sources[either_database]
                own = await source._apart(lambda: databases.execute("SELECT pg_backend_pid()").fetchone()[0])
                await do(end, [own])
                await do(the_store.rename, session.id, "new")
                again = await page.next()
                other = await source._apart(lambda: databases.execute("SELECT pg_backend_pid()").fetchone()[0])
                return again, own != other

        again, is_another = run(scenario)
        assert again["sessions"] == ids(session)
        assert is_another


class WhoMayNotSee:
    def test_is_told_nothing(self, the_store, viewer):
        hidden = a_session(the_store, "hidden", project="theirs")
        ours = the_store.latest("ours")
        child = the_store.fork_at(hidden.id, 1, "ours")  # in sight, of a parent that is not

        async def scenario():
            async with a_page(viewer) as page:
                for watched in ({"lists": True}, {"session": hidden.id}, {"tree": hidden.id}, {"tree": ours.id}):
                    await page.watch(**watched)
                    await do(the_store.rename, hidden.id, f"to {watched}")
                    await do(the_store.append, hidden.id, [a_message("more")])
                    assert await page.is_quiet(), watched
                for watched in ({"session": hidden.id}, {"tree": hidden.id}):
                    await page.watch(**watched)
                    await do(the_store.rename, child.id, f"to {watched}")
                    assert await page.is_quiet(), watched
                await page.watch(lists=True)
                await do(the_store.rename, ours.id, "in sight")  # the control: the page is told of what it may see
                return await page.next()

        assert run(scenario)["sessions"] == ids(ours)

    def test_is_told_of_it_without_the_gate(self, the_store, viewer, monkeypatch):
        hidden = a_session(the_store, "hidden", project="theirs")
        monkeypatch.setattr(hints, "acting", lambda actor: __import__("contextlib").nullcontext())

        async def scenario():
            async with a_page(viewer) as page:
                await page.watch(lists=True)
                await do(the_store.rename, hidden.id, "new")
                return await page.next()

        assert run(scenario)["sessions"] == ids(hidden)

    def test_is_told_nothing_of_what_was_missed_either(self, the_store, viewer, owner):
        hidden = a_session(the_store, "hidden", project="theirs")

        async def scenario():
            async with a_page(viewer) as page:
                since = (await page.watch(lists=True))["since"]
                await do(the_store.rename, hidden.id, "new")
                for_viewer = await page.watch(lists=True, since=since)
            async with a_page(owner) as page:
                return for_viewer, await page.watch(lists=True, since=since)

        for_viewer, for_owner = run(scenario)
        assert for_viewer["sessions"] == []
        assert for_owner["sessions"] == ids(hidden)

    def test_any_more_is_told_nothing_from_then_on(self, the_store, viewer):
        ours = the_store.latest("ours")

        def take_away():
            roles.grant(User.objects.get().pk, Project.objects.get(name="ours").pk, Role.NONE)
            the_store.rename(ours.id, "new")

        async def scenario():
            async with a_page(viewer) as page:
                await page.watch(lists=True)
                await do(the_store.rename, ours.id, "before")
                before = await page.next()
                await do(take_away)
                return before, await page.is_quiet()

        before, quiet = run(scenario)
        assert before["sessions"] == ids(ours)
        assert quiet


class ASocket:
    def test_is_closed_when_its_token_is_revoked(self, the_store, owner):
        async def scenario():
            async with a_page(owner) as page:
                await page.watch(lists=True)
                await do(tokens.revoke, "owner")
                return await page.answer()

        assert run(scenario) == {"type": "websocket.close", "code": sockets.NOBODY}

    @pytest.mark.parametrize(
        "frame",
        [
            "",
            "not JSON",
            "[]",
            "null",
            '{"lists": 1}',
            '{"lists": true, "more": 1}',
            '{"session": "x"}',
            '{"session": 5}',
            '{"tree": ["00000000-0000-0000-0000-000000000000"]}',
            '{"since": 1}',
            '{"since": "-1"}',
            '{"since": "²"}',
            '{"since": "9223372036854775808"}',
            '{"since": "' + "9" * 4000 + '"}',
            "[" * 4000,
        ],
        ids=lambda frame: frame[:24] or "empty",
    )
    def test_is_closed_by_a_frame_that_is_none(self, the_store, owner, frame):
        async def scenario():
            async with a_page(owner) as page:
                await page.send(frame)
                return await page.answer()

        assert run(scenario) == {"type": "websocket.close", "code": live.INVALID}

    def test_is_closed_by_a_binary_frame(self, the_store, owner):
        async def scenario():
            async with a_page(owner) as page:
                await page.socket.send_input({"type": "websocket.receive", "bytes": b"{}"})
                return await page.answer()

        assert run(scenario) == {"type": "websocket.close", "code": live.INVALID}

    def test_is_closed_by_a_frame_that_is_too_large(self, the_store, owner):
        async def scenario(size):
            async with a_page(owner) as page:
                await page.send("{}" + " " * (size - 2))
                return (await page.answer()).get("code")

        assert run(lambda: scenario(FRAME_BYTES)) is None
        assert run(lambda: scenario(FRAME_BYTES + 1)) == sockets.TOO_LARGE

    def test_is_closed_by_more_frames_than_anybody_sends(self, the_store, owner):
        async def scenario():
            async with a_page(owner) as page:
                for _ in range(live.FRAMES + 1):
                    await page.send("{}")
                answers = [await page.answer()]
                while answers[-1]["type"] == "websocket.send":
                    answers.append(await page.answer())
                return answers[-1]

        assert run(scenario) == {"type": "websocket.close", "code": live.TOO_FAST}

    def test_of_another_address_is_closed(self, the_store, owner):
        async def scenario():
            page = Page(owner)
            page.socket.scope["path"] = "/lively/"
            await page.socket.send_input({"type": "websocket.connect"})
            return await page.answer()

        assert run(scenario)["code"] == sockets.NO_SUCH_SOCKET


class ASlowReader:
    def test_is_told_to_read_anew_instead_of_a_backlog(self):
        listener = Listener(the_owner())
        listener.has_caught_up()

        async def scenario():
            await listener.next()
            for number in range(10 * hints.OUTBOX):
                listener.tell(number, {uuid4()})
                assert len(listener._waiting or ()) <= hints.OUTBOX
            last = await listener.next()
            listener.tell(5000, {uuid4()})
            return last, await listener.next()

        last, following = asyncio.run(scenario())
        assert (last.since, last.sessions) == (10 * hints.OUTBOX - 1, None)
        assert len(following.sessions) == 1

    def test_holds_nobody_else_back(self, the_store, owner):
        sessions = [a_session(the_store, "one") for _ in range(hints.OUTBOX + 1)]
        taken = []

        async def scenario():
            blocked = asyncio.Event()

            async def slow_send(event):
                if event["type"] == "websocket.send":
                    taken.append(json.loads(event["text"]))
                    if len(taken) == 2:
                        await blocked.wait()

            events: asyncio.Queue = asyncio.Queue()
            events.put_nowait({"type": "websocket.connect"})
            events.put_nowait({"type": "websocket.receive", "text": '{"lists": true}'})
            slow = asyncio.create_task(live.socket({"actor": the_owner()}, events.get, slow_send))
            async with a_page(owner) as quick:
                await quick.watch(lists=True)
                for some in (sessions[: hints.OUTBOX // 2], sessions[hints.OUTBOX // 2 :]):
                    told: set = set()
                    for session in some:
                        await do(the_store.rename, session.id, "new")
                    while told != set(ids(*some)):
                        told |= set((await quick.next())["sessions"])
                assert len(taken) == 2
                blocked.set()
                until = time.monotonic() + WITHIN
                while len(taken) < 3 and time.monotonic() < until:
                    await asyncio.sleep(0.01)
            events.put_nowait({"type": "websocket.disconnect", "code": 1001})
            await slow

        run(scenario)
        assert len(taken) == 3
        assert len(taken[1]["sessions"]) < len(sessions)  # what it was being sent when it stopped reading

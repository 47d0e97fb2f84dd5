"""The Claude Agent SDK's own package on our store: its conformance suite, its helpers, and what it does not test."""

import asyncio
import itertools
from pathlib import Path
from uuid import uuid4

import pytest
from claude_agent_sdk import (
    delete_session_via_store,
    fork_session_via_store,
    get_session_info_from_store,
    get_session_messages_from_store,
    list_sessions_from_store,
    list_subagents_from_store,
    project_key_for_directory,
    rename_session_via_store,
    tag_session_via_store,
)
from claude_agent_sdk.testing import run_session_store_conformance
from claude_agent_sdk.types import SessionStore

from sessions_app.integrations.claude import ClaudeSessionStore

DIRECTORY = str(Path("/code/shop"))
KEY = project_key_for_directory(DIRECTORY)


def entry(text, role="user", **more):
    return {
        "type": role,
        "uuid": str(uuid4()),
        "sessionId": "s",
        "cwd": DIRECTORY,
        "timestamp": "2026-11-01T10:00:00.000Z",
        "message": {"role": role, "content": text},
        **more,
    }


def conversation(count):
    entries, parent = [], None
    for turn in range(count):
        for role in ("user", "assistant"):
            entries.append(entry(f"{role} {turn}", role, parentUuid=parent))
            parent = entries[-1]["uuid"]
    return entries


def key(session, **more):
    return {"project_key": KEY, "session_id": session, **more}


@pytest.fixture
def run(opened_either_way):
    """Run a coroutine function with an adapter on the store of the test."""

    def go(scenario):
        async def within():
            async with opened_either_way() as store:
                return await scenario(ClaudeSessionStore(store), store)

        return asyncio.run(within())

    return go


class Conformance:
    def test_to_the_suite_that_is_in_the_package(self, run):
        prefixes = itertools.count()

        async def scenario(adapter, store):
            class Apart(ClaudeSessionStore):
                """A fresh store for each contract, in a database that holds those before it."""

                def __init__(self):
                    super().__init__(store)
                    self._prefix = f"{next(prefixes)}:"

                def _of(self, key):
                    return {**key, "project_key": self._prefix + key["project_key"]}

                async def append(self, key, entries):
                    await super().append(self._of(key), entries)

                async def load(self, key):
                    return await super().load(self._of(key))

                async def list_sessions(self, project_key):
                    return await super().list_sessions(self._prefix + project_key)

                async def list_session_summaries(self, project_key):
                    return await super().list_session_summaries(self._prefix + project_key)

                async def delete(self, key):
                    await super().delete(self._of(key))

                async def list_subkeys(self, key):
                    return await super().list_subkeys(self._of(key))

            await run_session_store_conformance(Apart)

        run(scenario)
        assert next(prefixes) >= 14  # contracts

    def test_with_all_six_methods(self):
        names = ("append", "load", "list_sessions", "list_session_summaries", "delete", "list_subkeys")
        assert all(getattr(ClaudeSessionStore, name) is not getattr(SessionStore, name) for name in names)


class Appending:
    def test_writes_an_entry_with_a_uuid_once(self, run):
        entries = conversation(3)

        async def scenario(adapter, store):
            await adapter.append(key("s"), entries[:4])
            await adapter.append(key("s"), entries[2:])  # tried again, with more
            other = ClaudeSessionStore(store)  # as another process would
            await other.append(key("s"), entries)
            await adapter.append(key("s"), [entries[0], {"type": "x"}, {"type": "x"}])
            return await adapter.load(key("s"))

        assert run(scenario) == [*entries, {"type": "x"}, {"type": "x"}]

    def test_from_many_tasks_loses_and_doubles_nothing(self, run):
        entries = [entry(str(number)) for number in range(60)]

        async def scenario(adapter, store):
            others = [adapter, ClaudeSessionStore(store), ClaudeSessionStore(store)]
            await asyncio.gather(
                *(others[at % 3].append(key("s"), entries[at : at + 2]) for at in range(59)),
            )
            return await adapter.load(key("s"))

        found = run(scenario)
        assert sorted(each["uuid"] for each in found) == sorted(each["uuid"] for each in entries)

    def test_takes_batches_of_any_size(self, run):
        entries = [entry("x" * 500) for _ in range(3000)]

        async def scenario(adapter, store):
            await adapter.append(key("s"), entries)
            return await adapter.load(key("s"))

        assert run(scenario) == entries

    def test_of_nothing_makes_no_session(self, run):
        async def scenario(adapter, store):
            await adapter.append(key("s"), [])
            return await adapter.load(key("s")), await store.list_by_project(DIRECTORY, 9)

        assert run(scenario) == (None, [])


class WhatTheSdksHelpersDo:
    def test_is_seen_in_forklore(self, run):
        session = str(uuid4())
        entries = [{**each, "sessionId": session} for each in conversation(2)]

        async def scenario(adapter, store):
            await adapter.append(key(session), entries)
            await adapter.append(key(session, subpath="subagents/agent-a1"), [entry("look", isSidechain=True)])
            derived = (await store.list_by_project(DIRECTORY, 9))[-1]
            await rename_session_via_store(adapter, session, "Mend the cart", directory=DIRECTORY)
            await tag_session_via_store(adapter, session, "shop", directory=DIRECTORY)
            forked = await fork_session_via_store(adapter, session, directory=DIRECTORY, title="Another way")
            listed = await list_sessions_from_store(adapter, directory=DIRECTORY)
            info = await get_session_info_from_store(adapter, session, directory=DIRECTORY)
            messages = await get_session_messages_from_store(adapter, forked.session_id, directory=DIRECTORY)
            subagents = await list_subagents_from_store(adapter, session, directory=DIRECTORY)
            ours = {each.title: each for each in await store.list_by_project(DIRECTORY, 9)}
            tags = await store.tags(ours["Mend the cart"].id)
            hits = await store.search("assistant 1", 9)
            return derived, listed, info, messages, subagents, ours, tags, hits

        derived, listed, info, messages, subagents, ours, tags, hits = run(scenario)
        assert (derived.title, derived.turns) == ("user 0", 2)
        assert {each.custom_title for each in listed} == {"Mend the cart", "Another way"}
        assert (info.custom_title, info.tag) == ("Mend the cart", "shop")
        assert len(messages) == 4
        assert subagents == ["a1"]
        root = ours["Mend the cart"]
        assert (ours["Another way"].parent_id, ours["Another way"].relation) == (root.id, "fork")
        assert [each.relation for each in ours.values() if each.parent_id == root.id].count("subagent") == 1
        assert tags == ["shop"]
        assert {hit.id for hit in hits} == {root.id, ours["Another way"].id}

    def test_deletes_to_the_trash_and_leaves_the_name_free(self, run):
        session = str(uuid4())

        async def scenario(adapter, store):
            await adapter.append(key(session), conversation(1))
            (before,) = await store.list_by_project(DIRECTORY, 9)
            await delete_session_via_store(adapter, session, directory=DIRECTORY)
            gone = await adapter.load(key(session)), await adapter.list_sessions(KEY)
            await adapter.append(key(session), conversation(2))
            await store.restore(before.id)
            return gone, len(await adapter.load(key(session))), (await store.get(before.id)).message_count

        assert run(scenario) == ((None, []), 4, 2)


class Summaries:
    def test_are_folded_once(self, run, monkeypatch):
        async def scenario(adapter, store):
            await adapter.append(key("s"), conversation(1))
            first = await adapter.list_session_summaries(KEY)
            monkeypatch.setattr(type(store), "get_messages", None)  # of which more would be folded
            again = await ClaudeSessionStore(store).list_session_summaries(KEY)
            return first, again

        first, again = run(scenario)
        assert first == again
        assert first[0]["data"]

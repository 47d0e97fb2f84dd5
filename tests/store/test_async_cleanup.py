"""Clean-up from an event loop."""

import asyncio

import pytest

from sessions_app.async_cleanup import AsyncCleanup
from sessions_app.async_store import open_store
from sessions_app.cleanup import Policy
from sessions_app.errors import InvalidPolicy
from tests.builders import a_message


def test_clean_up_is_awaited(tmp_path, django_db_blocker):
    async def story():
        async with open_store(f"sqlite:///{tmp_path}/agent.db") as store:
            clean_up = AsyncCleanup(store)
            root = await store.create("demo", [a_message("one")])
            fork = await store.fork_at(root.id, 1)
            ids = await clean_up.with_forks([root.id])
            assert set(ids) == {root.id, fork.id}
            assert (await clean_up.act("trash", ids)).done == 2
            assert await store.get(fork.id) is None
            await clean_up.undo()
            assert (await store.get(fork.id)).id == fork.id
            assert (await clean_up.preview(Policy("old", "before:90d", "trash"))).sessions == []
            with pytest.raises(InvalidPolicy):
                await clean_up.policy("none")
            assert [entry.action for entry in await clean_up.entries()] == ["trash", "fork"]

    with django_db_blocker.unblock():  # a database of its own
        asyncio.run(story())


def test_it_is_for_a_database():
    with pytest.raises(TypeError, match="/api/v1/cleanup"):
        AsyncCleanup(open_store("http://localhost:1", token="x"))

"""Clean-up for code that runs in an event loop, on an open store of a database.

async with open_store("sqlite:///agent.db") as store:
    clean_up = AsyncCleanup(store)
    found = await clean_up.preview(Policy("old", "before:90d", "trash"))
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sessions_app.async_store import AsyncStore
from sessions_app.protocol import SessionStore

if TYPE_CHECKING:
    from sessions_app.cleanup import Action, Entry, Policy, PolicyAction, Preview


class AsyncCleanup:
    """Every method does what the function of that name in cleanup.py does, and raises what it raises.

    A run is one call: other writes of the same store wait for it on SQLite, those of other processes do not.
    """

    def __init__(self, store: SessionStore):
        if not isinstance(store, AsyncStore):
            raise TypeError("Clean-up from Python is for a store of a database; a server has it under /api/v1/cleanup.")
        self._store = store

    async def act(self, action: Action, ids: Iterable[UUID], value: str = "") -> Entry:
        return await self._call("act", action, list(ids), value)

    async def with_forks(self, ids: Iterable[UUID]) -> list[UUID]:
        return await self._call("with_forks", list(ids))

    async def matching(self, query: str) -> list[UUID]:
        return await self._call("matching", query)

    async def save_policy(self, name: str, query: str, action: PolicyAction, *, enabled: bool = False) -> Policy:
        return await self._call("save_policy", name, query, action, enabled=enabled)

    async def policy(self, name: str) -> Policy:
        return await self._call("policy", name)

    async def preview(self, policy: Policy) -> Preview:
        return await self._call("preview", policy)

    async def run(self, policy: Policy) -> Entry:
        return await self._call("run", policy)

    async def entries(self, limit: int = 50) -> list[Entry]:
        return await self._call("entries", limit)

    async def undo(self, number: int | None = None) -> Entry:
        return await self._call("undo", number)

    async def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        def call() -> Any:
            from sessions_app import cleanup  # its models are not there before the store is open

            return getattr(cleanup, name)(*arguments, **options)

        return await self._store._do(call)

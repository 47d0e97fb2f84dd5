"""OpenAI Agents SDK: a Session on Forklore, which keeps every branch as a fork.

    async with open_store() as store:
        session = OpenAISession("support-17", store, project="shop")
        await Runner.run(agent, "hello", session=session)

It follows agents.memory.Session by its methods alone and imports nothing of the SDK.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sessions_app.errors import SessionNotFound, VersionConflict
from sessions_app.integrations.named import TRIES, Writer
from sessions_app.protocol import SessionStore
from sessions_app.records import Message, Origin, SessionRecord

SOURCE = "openai-agents"


class OpenAISession:
    """One conversation, by a name of the caller's own in a project; made at the first item.

    Two of the same name in one project are the same session. `session_settings` with a limit counts as in the SDK.
    """

    def __init__(self, session_id: str, store: SessionStore, *, project: str, session_settings: Any = None):
        self.session_id = session_id
        self.session_settings = session_settings
        self._store = store
        self._project = project
        self._origin = Origin(SOURCE, project, session_id)
        self._writer = Writer(store, SOURCE)

    async def get_items(self, limit: int | None = None) -> list[Message]:
        """The latest `limit` items, oldest first; all of them without a limit."""
        if limit is None:
            limit = getattr(self.session_settings, "limit", None)
        id = self._writer.remembered(self._origin)
        if limit is None and id:
            try:
                return await self._store.get_messages(id)
            except SessionNotFound:  # the name may stand for another one by now
                self._writer.forget(self._origin)
        found = await self.record()
        if found is None or (limit is not None and limit <= 0):
            return []
        self._writer.remember(self._origin, found)
        start = 0 if limit is None else max(0, found.message_count - limit)
        return await self._store.get_messages(found.id, start)

    async def add_items(self, items: list[Message]) -> None:
        await self._writer.append(self._origin, self._project, items)

    async def pop_item(self) -> Message | None:
        """Take the most recent item away and give it; None where there is none. Forks keep it."""
        for _ in range(TRIES):
            found = await self.record()
            if found is None or not found.message_count:
                return None
            last = await self._store.get_messages(found.id, found.message_count - 1)
            try:
                await self._store.truncate(found.id, found.message_count - 1, expected_version=found.version)
            except VersionConflict as error:
                failed = error
                continue
            self._writer.forget(self._origin)
            return last[0]
        raise failed

    async def clear_session(self) -> None:
        """Empty the session; its forks keep what they share with it."""
        if found := await self.record():
            await self._store.truncate(found.id, 0, 0)
            self._writer.forget(self._origin)

    async def record(self) -> SessionRecord | None:
        """The session in Forklore, without its messages; None before the first item."""
        return await self._store.find_named(self._origin)

    async def fork(self, position: int | None = None, session_id: str | None = None) -> OpenAISession:
        """A branch that starts with the first `position` items, or with all; nothing is copied.

        Its name is `session_id`, or made up. Raises InvalidLineage for a position beyond the end, and
        NameTaken.
        """
        found, _ = await self._store.open_named(self._origin, self._project, agent=SOURCE)
        branch = OpenAISession(
            session_id or str(uuid4()), self._store, project=self._project, session_settings=self.session_settings
        )
        await self._store.fork_named(branch._origin, found.id, position)
        return branch

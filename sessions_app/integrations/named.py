"""One session that an SDK knows by a name of its own, as its adapter writes it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import random
from uuid import UUID

from sessions_app.errors import SessionNotFound, VersionConflict
from sessions_app.projection import Kind, project
from sessions_app.protocol import SessionStore
from sessions_app.records import Message, Origin, ParentLink, SessionRecord

WINDOW = 500  # messages read at once
REMEMBERED = 256  # sessions
TRIES = 100  # at a session that others write too
PAUSE = 0.02  # seconds between two of them, at most


@dataclass(slots=True)
class Known:
    """A session as this process last saw it."""

    id: UUID
    version: int
    keys: set[str] = field(default_factory=set)  # by which a message is told from one that is there already


class Writer:
    """Appends to named sessions, each message with a key of its own once, in the order of the calls."""

    def __init__(self, store: SessionStore, agent: str, key_name: str | None = None):
        self._store = store
        self._agent = agent
        self._key_name = key_name
        self._known: OrderedDict[Origin, Known] = OrderedDict()
        self._locks: dict[Origin, asyncio.Lock] = {}

    async def append(
        self, origin: Origin, project_name: str, messages: Sequence[Message], link: ParentLink | None = None
    ) -> Known | None:
        """The session after it, or None where there was nothing to write. A missing one is made of the messages."""
        if not messages:
            return None
        async with self._lock(origin):
            for _ in range(TRIES):
                try:
                    return await self._appended(origin, project_name, messages, link)
                except (VersionConflict, SessionNotFound) as error:
                    self.forget(origin)
                    failed = error
                    await asyncio.sleep(random() * PAUSE)
        raise failed

    async def known(self, origin: Origin) -> Known | None:
        """What the store has under that name now; None if there is none, or none with messages."""
        found = await self._store.find_named(origin)
        if found is None:
            self.forget(origin)
            return None
        before = self._known.get(origin)
        if before is None or (before.id, before.version) != (found.id, found.version):
            # Another writer may have dropped messages as well as added some.
            keys = await self._keys_of(found.id, found.message_count) if self._key_name else set()
            before = Known(found.id, found.version, keys)
            self._remember(origin, before)
        return before

    def remembered(self, origin: Origin) -> UUID | None:
        """The session that the name stood for when it was last asked for or written."""
        known = self._known.get(origin)
        return known.id if known else None

    def remember(self, origin: Origin, record: SessionRecord) -> None:
        """Only for messages without keys, which this does not read."""
        if origin not in self._known:
            self._remember(origin, Known(record.id, record.version))

    def forget(self, origin: Origin) -> None:
        self._known.pop(origin, None)

    async def _appended(
        self, origin: Origin, project_name: str, messages: Sequence[Message], link: ParentLink | None
    ) -> Known | None:
        known = self._known.get(origin) or await self.known(origin)
        fresh = self._fresh(messages, known.keys if known else set())
        if not fresh:
            return None
        prompts = sum(project(message).kind == Kind.PROMPT for message in fresh)
        if known is None:
            record, created = await self._store.open_named(
                origin, project_name, fresh, prompts, agent=self._agent, link=link
            )
            if not created:
                raise VersionConflict(record.id, 0, record.version)
            known = Known(record.id, record.version)
        else:
            # Without keys there is nothing that another writer could have written already.
            expected = known.version if self._key_name else None
            await self._store.append(known.id, fresh, turns_added=prompts, expected_version=expected)
            known.version += 1
        known.keys.update(self._keys(fresh))
        self._remember(origin, known)
        return known

    def _fresh(self, messages: Iterable[Message], seen: set[str]) -> list[Message]:
        found, seen = [], set(seen) if self._key_name else set()
        for message in messages:
            key = message.get(self._key_name) if self._key_name else None
            if isinstance(key, str):
                if key in seen:
                    continue
                seen.add(key)
            found.append(message)
        return found

    def _keys(self, messages: Iterable[Message]) -> set[str]:
        if not self._key_name:
            return set()
        return {key for message in messages if isinstance(key := message.get(self._key_name), str)}

    async def _keys_of(self, id: UUID, count: int) -> set[str]:
        keys: set[str] = set()
        for start in range(0, count, WINDOW):
            keys |= self._keys(await self._store.get_messages(id, start, start + WINDOW))
        return keys

    def _remember(self, origin: Origin, known: Known) -> None:
        self._known[origin] = known
        self._known.move_to_end(origin)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _lock(self, origin: Origin) -> asyncio.Lock:
        if len(self._locks) > REMEMBERED:
            self._locks = {of: lock for of, lock in self._locks.items() if lock.locked()}
        return self._locks.setdefault(origin, asyncio.Lock())

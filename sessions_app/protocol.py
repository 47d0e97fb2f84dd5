"""SessionStore: what an agent's code may call, whichever store it was given.

    from sessions_app.protocol import SessionStore

`open_store` gives one on SQLite, on PostgreSQL or over HTTP. store.py says of each operation what it promises, its
bounds and its errors, and has the same ones for code that is not asynchronous.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self
from uuid import UUID

from sessions_app.records import Change, Message, NamedSession, Origin, ParentLink, SearchHit, SessionRecord

if TYPE_CHECKING:
    from sessions_app.search.indexed import Distinct


class SessionStore(Protocol):
    """To be used with `async with`, by any number of tasks of one event loop."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def create(
        self, project: str, messages: Sequence[Message], *, agent: str = "", once: str | None = None
    ) -> SessionRecord: ...

    async def fork(
        self, project: str, parent: UUID, messages: Sequence[Message], turns: int, *, once: str | None = None
    ) -> SessionRecord: ...

    async def fork_at(
        self, parent: UUID, position: int, project: str | None = None, *, once: str | None = None
    ) -> SessionRecord: ...

    async def update(
        self,
        id: UUID,
        messages: Sequence[Message],
        turns: int,
        *,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None: ...

    async def append(
        self,
        id: UUID,
        messages: Sequence[Message],
        turns: int | None = None,
        *,
        turns_added: int = 0,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None: ...

    async def truncate(
        self,
        id: UUID,
        count: int,
        turns: int | None = None,
        *,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None: ...

    async def rename(self, id: UUID, title: str) -> None: ...

    async def suggest_title(self, id: UUID, title: str) -> None: ...

    async def pin(self, id: UUID) -> None: ...

    async def unpin(self, id: UUID) -> None: ...

    async def archive(self, id: UUID) -> None: ...

    async def unarchive(self, id: UUID) -> None: ...

    async def tag(self, id: UUID, name: str) -> None: ...

    async def untag(self, id: UUID, name: str) -> None: ...

    async def set_tags(self, id: UUID, names: Sequence[str]) -> None: ...

    async def tags(self, id: UUID) -> list[str]: ...

    async def delete(self, id: UUID) -> None: ...

    async def restore(self, id: UUID) -> None: ...

    async def purge(self, id: UUID) -> None: ...

    async def get(self, id: UUID) -> SessionRecord | None: ...

    async def get_messages(self, id: UUID, start: int = 0, stop: int | None = None) -> list[Message]: ...

    async def prompt_positions(self, id: UUID) -> list[int]: ...

    async def prompts(self, id: UUID, start: int = 0, stop: int | None = None) -> list[tuple[int, str]]: ...

    async def list_by_project(self, project: str, limit: int, *, with_messages: bool = True) -> list[SessionRecord]: ...

    async def list_sessions(
        self,
        limit: int,
        *,
        project: str | None = None,
        after: tuple[datetime, UUID] | None = None,
        with_messages: bool = False,
    ) -> list[SessionRecord]: ...

    async def latest(self, project: str) -> SessionRecord | None: ...

    async def find_by_id_prefix(
        self, prefix: str, limit: int, *, with_messages: bool = True
    ) -> list[SessionRecord]: ...

    async def search(
        self, query: str, limit: int, *, filters: str = "", distinct: Distinct = "session"
    ) -> list[SearchHit]: ...

    async def find(self, id: UUID, query: str) -> list[int]: ...

    async def newest_change(self) -> int: ...

    async def changes(self, since: int, limit: int = 1000) -> list[Change]: ...

    async def changes_until(self, since: int, limit: int = 1000) -> tuple[list[Change], int]: ...

    def watch(self, since: int | None = None) -> AsyncGenerator[Change, None]: ...

    async def tidy(self, written: int) -> None: ...

    async def put(self, record: SessionRecord, *, agent: str = "") -> bool: ...

    async def open_named(
        self,
        origin: Origin,
        project: str,
        messages: Sequence[Message] = (),
        turns: int = 0,
        *,
        agent: str = "",
        link: ParentLink | None = None,
    ) -> tuple[SessionRecord, bool]: ...

    async def fork_named(self, origin: Origin, parent: UUID, position: int | None = None) -> SessionRecord: ...

    async def find_named(self, origin: Origin) -> SessionRecord | None: ...

    async def named(self, source: str, project_key: str) -> list[NamedSession]: ...

    async def keep_detail(self, origin: Origin, detail: dict[str, Any]) -> None: ...

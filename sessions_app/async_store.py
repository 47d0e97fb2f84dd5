"""The store for code that runs in an event loop: the functions of store.py, awaitable.

    async with open_store("sqlite:///agent.db") as store:
        session = await store.create("my-project", [{"role": "user", "content": "hello"}])

Every call is one hop to a thread that keeps its database connection, so the loop never waits for the database.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sessions_app import actors
from sessions_app.actors import Actor
from sessions_app.calls import NOT_OPEN, Calls
from sessions_app.one_writer import OneWriter
from sessions_app.protocol import SessionStore
from sessions_app.records import (
    Change,
    ImportBatch,
    ImportState,
    Message,
    NamedSession,
    Origin,
    ParentLink,
    SearchHit,
    SessionRecord,
)
from sessions_app.threads import Call, Threads

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from sessions_app.search.indexed import Distinct

READERS = 4  # threads
CALLERS = 8  # threads, on PostgreSQL
WAITING = 64  # calls handed over to threads at once; more wait with their callers
CHANGES = 1000  # read at once, as in store.py
PAUSE = 0.2  # seconds between two looks at what changed
# What is left out takes long, or is more than one transaction.
MAY_JOIN = frozenset(
    "create fork fork_at update append truncate rename suggest_title pin unpin archive unarchive tag untag set_tags "
    "delete restore open_named fork_named keep_detail".split()
)


def open_store(url: str | None = None, *, token: str | None = None) -> SessionStore:
    """A store on the database at `url`, or on the configured one; use it with `async with`.

    `url` is sqlite:///relative.db, sqlite:////absolute.db, postgresql://user:password@host:port/name, or the http:// or
    https:// address of a server, which takes a `token` unless it is this machine's own. A new database is created
    (SQLite) and migrated; one that is damaged is read only. Raises ValueError for any other address, DatabaseTooNew for a
    database that a newer Forklore has written, and DatabaseDamaged for a file that cannot be read.
    """
    if url and url.startswith(("http://", "https://")):
        from sessions_app.http_store import HttpStore

        return HttpStore(url, token)
    return AsyncStore(url)


@dataclass(frozen=True, slots=True)
class _Line:
    """Threads, and the calls that wait for them."""

    threads: Threads
    calls: Calls


class AsyncStore:
    """Every method does what the function of that name in store.py does, and raises what it raises.

    Besides those of SessionStore it has the ones that importers need, which read files where the database is.
    """

    def __init__(self, url: str | None = None):
        self._url = url
        self._alias = ""
        self._own_alias = False
        self._writers: _Line | None = None
        self._readers: _Line | None = None
        self._connections: list[BaseDatabaseWrapper] = []

    async def __aenter__(self) -> AsyncStore:
        await asyncio.to_thread(self._open)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Every call that was begun comes to its end first; further ones are refused."""
        await asyncio.shield(self._end())

    async def create(
        self, project: str, messages: Sequence[Message], *, agent: str = "", once: str | None = None
    ) -> SessionRecord:
        return await self._write("create", project, messages, agent=agent, once=once)

    async def fork(
        self, project: str, parent: UUID, messages: Sequence[Message], turns: int, *, once: str | None = None
    ) -> SessionRecord:
        return await self._write("fork", project, parent, messages, turns, once=once)

    async def fork_at(
        self, parent: UUID, position: int, project: str | None = None, *, once: str | None = None
    ) -> SessionRecord:
        return await self._write("fork_at", parent, position, project, once=once)

    async def update(
        self,
        id: UUID,
        messages: Sequence[Message],
        turns: int,
        *,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None:
        await self._write("update", id, messages, turns, expected_version=expected_version, once=once)

    async def append(
        self,
        id: UUID,
        messages: Sequence[Message],
        turns: int | None = None,
        *,
        turns_added: int = 0,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None:
        await self._write(
            "append", id, messages, turns, turns_added=turns_added, expected_version=expected_version, once=once
        )

    async def truncate(
        self,
        id: UUID,
        count: int,
        turns: int | None = None,
        *,
        expected_version: int | None = None,
        once: str | None = None,
    ) -> None:
        await self._write("truncate", id, count, turns, expected_version=expected_version, once=once)

    async def rename(self, id: UUID, title: str) -> None:
        await self._write("rename", id, title)

    async def suggest_title(self, id: UUID, title: str) -> None:
        await self._write("suggest_title", id, title)

    async def pin(self, id: UUID) -> None:
        await self._write("pin", id)

    async def unpin(self, id: UUID) -> None:
        await self._write("unpin", id)

    async def archive(self, id: UUID) -> None:
        await self._write("archive", id)

    async def unarchive(self, id: UUID) -> None:
        await self._write("unarchive", id)

    async def tag(self, id: UUID, name: str) -> None:
        await self._write("tag", id, name)

    async def untag(self, id: UUID, name: str) -> None:
        await self._write("untag", id, name)

    async def set_tags(self, id: UUID, names: Sequence[str]) -> None:
        await self._write("set_tags", id, names)

    async def tags(self, id: UUID) -> list[str]:
        return await self._read("tags", id)

    async def delete(self, id: UUID) -> None:
        await self._write("delete", id)

    async def restore(self, id: UUID) -> None:
        await self._write("restore", id)

    async def purge(self, id: UUID) -> None:
        await self._write("purge", id)

    async def get(self, id: UUID) -> SessionRecord | None:
        return await self._read("get", id)

    async def get_messages(self, id: UUID, start: int = 0, stop: int | None = None) -> list[Message]:
        return await self._read("get_messages", id, start, stop)

    async def prompt_positions(self, id: UUID) -> list[int]:
        return await self._read("prompt_positions", id)

    async def prompts(self, id: UUID, start: int = 0, stop: int | None = None) -> list[tuple[int, str]]:
        return await self._read("prompts", id, start, stop)

    async def list_by_project(self, project: str, limit: int, *, with_messages: bool = True) -> list[SessionRecord]:
        return await self._read("list_by_project", project, limit, with_messages=with_messages)

    async def list_sessions(
        self,
        limit: int,
        *,
        project: str | None = None,
        after: tuple[datetime, UUID] | None = None,
        with_messages: bool = False,
    ) -> list[SessionRecord]:
        return await self._read("list_sessions", limit, project=project, after=after, with_messages=with_messages)

    async def latest(self, project: str) -> SessionRecord | None:
        return await self._read("latest", project)

    async def find_by_id_prefix(self, prefix: str, limit: int, *, with_messages: bool = True) -> list[SessionRecord]:
        return await self._read("find_by_id_prefix", prefix, limit, with_messages=with_messages)

    async def search(
        self, query: str, limit: int, *, filters: str = "", distinct: Distinct = "session"
    ) -> list[SearchHit]:
        return await self._read("search", query, limit, filters=filters, distinct=distinct)

    async def find(self, id: UUID, query: str) -> list[int]:
        return await self._read("find", id, query)

    async def newest_change(self) -> int:
        return await self._read("newest_change")

    async def changes(self, since: int, limit: int = CHANGES) -> list[Change]:
        return await self._read("changes", since, limit)

    async def changes_until(self, since: int, limit: int = CHANGES) -> tuple[list[Change], int]:
        return await self._read("changes_until", since, limit)

    async def watch(self, since: int | None = None) -> AsyncGenerator[Change, None]:
        """Ends when the store is closed."""
        since = await self.newest_change() if since is None else since
        while self._readers and not self._readers.calls.closed:
            found, since = await self.changes_until(since)
            for change in found:
                yield change
            if not found:
                await asyncio.sleep(PAUSE)

    async def tidy(self, written: int) -> None:
        await self._write("tidy", written)

    async def put(self, record: SessionRecord, *, agent: str = "") -> bool:
        return await self._write("put", record, agent=agent)

    async def open_named(
        self,
        origin: Origin,
        project: str,
        messages: Sequence[Message] = (),
        turns: int = 0,
        *,
        agent: str = "",
        link: ParentLink | None = None,
    ) -> tuple[SessionRecord, bool]:
        return await self._write("open_named", origin, project, messages, turns, agent=agent, link=link)

    async def fork_named(self, origin: Origin, parent: UUID, position: int | None = None) -> SessionRecord:
        return await self._write("fork_named", origin, parent, position)

    async def find_named(self, origin: Origin) -> SessionRecord | None:
        return await self._read("find_named", origin)

    async def named(self, source: str, project_key: str) -> list[NamedSession]:
        return await self._read("named", source, project_key)

    async def keep_detail(self, origin: Origin, detail: dict[str, Any]) -> None:
        await self._write("keep_detail", origin, detail)

    async def import_state(self, origin: Origin) -> tuple[UUID, ImportState] | None:
        return await self._read("import_state", origin)

    async def import_batch(self, origin: Origin, batch: ImportBatch, *, agent: str) -> SessionRecord:
        return await self._write("import_batch", origin, batch, agent=agent)

    async def link_parent(self, child: Origin, link: ParentLink) -> bool:
        return await self._write("link_parent", child, link)

    async def archive_before_rewrite(self, origin: Origin) -> UUID | None:
        return await self._write("archive_before_rewrite", origin)

    async def _write(self, name: str, *arguments: Any, **options: Any) -> Any:
        return await self._call(self._writers, name, arguments, options)

    async def _read(self, name: str, *arguments: Any, **options: Any) -> Any:
        return await self._call(self._readers, name, arguments, options)

    async def _do(self, call: Callable[[], Any]) -> Any:
        """Call something that writes, on the thread and the database of this store."""
        return await self._call(self._writers, call, (), {})

    async def _call(
        self, line: _Line | None, name: str | Callable[[], Any], arguments: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        if line is None:
            raise RuntimeError(NOT_OPEN)
        await line.calls.begin()
        run = partial(self._run, actors.current(), name, arguments, options)
        # A call that was handed over goes through to its end, even when its caller is cancelled: a write is never half
        # done, and the connection is left as the next call needs it.
        return await line.threads.put(Call(run, line.calls.end, name in MAY_JOIN))

    @contextmanager
    def _together(self) -> Iterator[None]:
        from sessions_app import databases, session_rows

        with databases.using(self._alias), session_rows.writing():
            yield

    def _is_lost(self, error: BaseException | None) -> bool:
        """Whether the transaction around a call ended with it, or nobody knows."""
        from django.db import Error, connections

        return isinstance(error, Error) or connections[self._alias].needs_rollback

    def _run(
        self,
        actor: Actor | None,
        name: str | Callable[[], Any],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> Any:
        from sessions_app import database_faults, databases, store

        with databases.using(self._alias), actors.acting(actor):
            try:
                return (getattr(store, name) if isinstance(name, str) else name)(*arguments, **options)
            except database_faults.UNAVAILABLE as error:
                found = database_faults.fault(error, self._alias)
                # The next call on this thread gets a connection that works, say after the server was restarted.
                databases.connection().close_if_unusable_or_obsolete()
                if found:
                    raise found from error
                raise

    def _open(self) -> None:
        _set_up_django()
        from sessions_app import databases, opening
        from sessions_site.configuration import database_from_url

        self._own_alias = self._url is not None
        self._alias = opening.add(database_from_url(self._url)) if self._url is not None else databases.current()
        try:
            opening.migrate(self._alias)
            one_writer = opening.has_one_writer(self._alias)
        except BaseException:
            self._close()
            raise
        finally:
            databases.close(self._alias)
        if one_writer:
            # SQLite lets one write at a time: one thread queues them in order, where several would wait by sleeping.
            writer = OneWriter("forklore-write", self._keep_connection, self._together, self._is_lost)
            self._writers = _Line(writer, Calls(WAITING))
            self._readers = self._line(READERS, "read")
        else:
            self._writers = self._readers = self._line(CALLERS, "call")
        _spare_long_collections()

    def _line(self, count: int, purpose: str) -> _Line:
        return _Line(Threads(count, f"forklore-{purpose}", self._keep_connection), Calls(WAITING))

    def _keep_connection(self) -> None:
        from django.db import connections

        self._connections.append(connections[self._alias])

    async def _end(self) -> None:
        for line in (self._writers, self._readers):
            if line:
                await line.calls.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        from sessions_app import opening

        for line in (self._writers, self._readers):
            if line:
                line.threads.end()
        self._writers = self._readers = None
        for connection in self._connections:
            connection.inc_thread_sharing()  # its thread is gone; it may be closed from this one
            connection.close()
        self._connections.clear()
        if self._own_alias:
            opening.remove(self._alias)


def _set_up_django() -> None:
    import django
    from django.apps import apps
    from django.conf import settings

    if not settings.configured:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sessions_site.settings")
    if not apps.ready:
        django.setup()


@cache
def _spare_long_collections() -> None:
    """Let the garbage collector pass over what is there when the first store of a process was opened.

    Every thread stands still while it looks through all objects, and of Django's alone, none of which ever goes, there
    are 60,000: 30 ms, now and then. What was garbage in cycles at that moment stays, which is little and once.
    """
    gc.freeze()

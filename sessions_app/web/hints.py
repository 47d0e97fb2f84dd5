"""Tells the open sockets of this process which sessions changed, in whatever process: one look for all of them.

A hint names sessions and says up to which number of the log of changes (decision 0013) it goes. It carries nothing
that a page shows: the page asks for that anew, and so a hint that is lost, or held back, loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sessions_app import databases, store
from sessions_app.actors import Actor, acting
from sessions_app.errors import ChangesForgotten
from sessions_app.models import Project, Session
from sessions_app.records import Change

PAUSE = 0.25  # seconds between two looks at the database, and so between two hints of one socket
ABSENT = 1.0  # seconds until the next look at a database that did not answer
BATCH = 1000  # changes that one look reads; where there are more, every page is to read anew
OUTBOX = 100  # sessions that wait to be told to one socket; where there are more, its page is to read anew

T = TypeVar("T")

_log = logging.getLogger(__name__)
_sources: dict[str, Source] = {}  # by the alias of the database


@dataclass(frozen=True, slots=True)
class Watch:
    """What a page shows: lists of sessions, one session with its children, the tree that a session belongs to."""

    lists: bool = False
    session: UUID | None = None
    tree: UUID | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """These sessions changed; None for whichever. `since` is the number to ask with next."""

    since: int
    sessions: frozenset[UUID] | None


class Listener:
    """One open socket: who has it, what its page shows, and what it has yet to be told, which is never much."""

    def __init__(self, actor: Actor):
        self.actor = actor
        self.watch = Watch()
        self._since = 0
        self._waiting: set[UUID] | None = set()  # None: more than are named
        self._caught_up = False  # before, a number would pass by what is still being looked up
        self._something = asyncio.Event()

    def tell(self, since: int, sessions: Iterable[UUID] | None) -> None:
        if sessions is None:
            self._waiting = None
        elif self._waiting is not None:
            self._waiting.update(sessions)
            if len(self._waiting) > OUTBOX:
                self._waiting = None
        self._since = max(self._since, since)
        if self._caught_up:
            self._something.set()

    def catches_up(self) -> None:
        """Hold back what comes from now on until `tell` was told of what came before, and `has_caught_up`."""
        self._caught_up = False

    def has_caught_up(self) -> None:
        self._caught_up = True
        self._something.set()

    async def next(self) -> Hint:
        """Waits for the next hint, which holds all that gathered while the one before was being sent."""
        await self._something.wait()
        self._something.clear()
        hint = Hint(self._since, None if self._waiting is None else frozenset(self._waiting))
        self._waiting = set()
        return hint


def join(actor: Actor) -> Listener:
    """Begin to listen on the current database; `leave` ends it. The first one starts the looking, the last ends it."""
    alias = databases.current()
    if alias not in _sources:
        _sources[alias] = Source(alias)
    return _sources[alias].add(Listener(actor))


async def watch(listener: Listener, watch: Watch, since: int | None) -> None:
    """Tell a listener from now on what concerns what its page shows, and first what did since a number."""
    await _sources[databases.current()].watch(listener, watch, since)


def leave(listener: Listener) -> None:
    alias = databases.current()
    if not _sources[alias].remove(listener):
        _sources.pop(alias).stop()


class Source:
    """Looks at the log of changes in a thread of its own, for the event loop has pages to serve."""

    def __init__(self, alias: str):
        self._alias = alias
        self._listeners: set[Listener] = set()
        self._thread = ThreadPoolExecutor(1, "forklore-hints")
        self._number: int | None = None  # up to which it was looked; None before the first look
        self._version: int | None = None  # of the SQLite file at the last look
        self._work = asyncio.create_task(self._follow())

    def add(self, listener: Listener) -> Listener:
        self._listeners.add(listener)
        return listener

    def remove(self, listener: Listener) -> int:
        """How many are left."""
        self._listeners.discard(listener)
        return len(self._listeners)

    def stop(self) -> None:
        self._work.cancel()
        self._thread.submit(databases.close, self._alias)
        self._thread.shutdown(wait=False)

    async def watch(self, listener: Listener, watch: Watch, since: int | None) -> None:
        listener.catches_up()
        listener.watch = watch
        while True:
            try:
                number, sessions = await self._apart(lambda: self._since(listener.actor, watch, since))
                break
            except Exception as error:
                await self._pause_for(error)
        listener.tell(number, sessions)
        listener.has_caught_up()

    async def _follow(self) -> None:
        while True:
            try:
                wishes = [(listener, listener.watch) for listener in self._listeners]
                told = await self._apart(lambda wishes=wishes: self._look(wishes))  # type: ignore[misc]
            except Exception as error:
                await self._pause_for(error)
                continue
            for listener, sessions in told:
                listener.tell(self._number or 0, sessions)
            await asyncio.sleep(PAUSE)

    async def _pause_for(self, error: Exception) -> None:
        """Whatever it was, most likely a database that is away for a while: pages stay open, and follow again later."""
        _log.warning("Open pages cannot be told of changes for now: %s", error)
        self._version = None
        await self._apart(lambda: databases.close(self._alias))
        await asyncio.sleep(ABSENT)

    async def _apart(self, function: Callable[[], T]) -> T:
        def run() -> T:
            with databases.using(self._alias), acting(None):
                return function()

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _look(self, wishes: list[tuple[Listener, Watch]]) -> list[tuple[Listener, set[UUID] | None]]:
        """Who is to be told of what happened since the last look."""
        if not self._may_have_changed():
            return []
        if self._number is None:
            self._number = store.newest_change()
            return []
        found, self._number = _changes(self._number)
        if found is None:
            return [(listener, None) for listener, _ in wishes]
        told: list[tuple[Listener, set[UUID] | None]] = []
        for actor in {listener.actor for listener, _ in wishes} if found else ():
            theirs = [(listener, watch) for listener, watch in wishes if listener.actor == actor]
            concerned = _concerned(actor, [watch for _, watch in theirs], found)
            told += [(one, ids) for (one, _), ids in zip(theirs, concerned, strict=True) if ids]
        return told

    def _may_have_changed(self) -> bool:
        """On SQLite the file says whether anybody committed to it since, without a question to any table."""
        if databases.connection().vendor != "sqlite":
            return True
        # Before the log is read, so that what is committed meanwhile is seen the next time.
        version = databases.execute("PRAGMA data_version").fetchone()[0]
        changed, self._version = version != self._version, version
        return changed or self._number is None

    def _since(self, actor: Actor, watch: Watch, since: int | None) -> tuple[int, set[UUID] | None]:
        if since is None:
            return store.newest_change(), set()
        found, number = _changes(since)
        return number, None if found is None else _concerned(actor, [watch], found)[0]


def _changes(since: int) -> tuple[list[Change] | None, int]:
    """What changed since, None where that is more than is told, and up to which number that is all."""
    try:
        found, number = store.changes_until(since, BATCH)
    except ChangesForgotten:
        return None, store.newest_change()
    return (None, store.newest_change()) if len(found) == BATCH else (found, number)


def _concerned(actor: Actor, watches: list[Watch], found: list[Change]) -> list[set[UUID]]:
    """For each page of one actor, those of the changed sessions that it shows and that the actor may see."""
    with acting(actor):
        names = {change.project for change in found}
        visible = set(Project.objects.visible().filter(name__in=names).values_list("name", flat=True))
        seen = [change for change in found if change.project in visible]
        changed = {change.session for change in seen}
        if not changed:
            return [set() for _ in watches]
        purged = {change.session for change in seen if change.kind == "purged"}
        pages = {id for watch in watches for id in (watch.session, watch.tree) if id}
        parents = dict(Session.objects.visible().filter(pk__in=changed | pages).values_list("pk", "parent_id"))
        trees = {watch.tree for watch in watches if watch.tree in parents}
        roots = Session.objects.visible().roots_of({*changed, *filter(None, trees)}) if trees else {}

    def concern(watch: Watch) -> set[UUID]:
        ids = set(changed) if watch.lists else set()
        if watch.session in parents:  # what is out of sight has no children
            ids |= {id for id in changed if parents.get(id) == watch.session}
        if watch.session in changed:
            ids.add(watch.session)
        if watch.tree in trees:
            root = roots.get(watch.tree)
            ids |= purged | {id for id in changed if roots.get(id) == root}
        return ids

    return [concern(watch) for watch in watches]

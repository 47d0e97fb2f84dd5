"""WebSockets open only for somebody, stay open only while that holds, and take little at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.http import parse_cookie

from sessions_app import databases
from sessions_app.access import finding
from sessions_app.actors import Actor, acting
from sessions_app.database_faults import UNAVAILABLE
from sessions_site.guard import FRAME_BYTES

NOBODY = 4401  # close codes that applications may give; a browser sees them only on a socket that was open
NO_SUCH_SOCKET = 4404
TOO_MANY = 4429
TOO_LARGE = 1009
MOST = 20  # open at once by one actor, in this process
PAUSE = 1.0  # seconds between two looks at whether the credential is still good
SHARED = 0.5  # seconds for which what one socket found holds for the others of the same credential

Found = tuple[float, "asyncio.Future[Actor | None]"]  # when it was asked for, and what will be the answer

_found: dict[tuple[str, str, str | None], Found] = {}  # by database, cookie and authorization
_open: Counter[tuple[str, int | None, str]] = Counter()


class ActorsOnly:
    """Wraps the routes of the sockets; to them, scope["actor"] is an Actor, whom the store obeys."""

    def __init__(self, application: Any):
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        actor = await _find(scope)
        if actor is None:
            await send({"type": "websocket.close", "code": NOBODY})
            return
        key = (actor.kind, actor.user_id, actor.name)
        if _open[key] >= MOST:
            await send({"type": "websocket.close", "code": TOO_MANY})
            return
        _open[key] += 1
        try:
            await _Watched(scope, receive, send).run(self._application, actor)
        finally:
            _open[key] -= 1
            if not _open[key]:
                del _open[key]


class _Watched:
    """One open socket, which ends by itself, by its credential, or by too large a frame."""

    def __init__(self, scope: dict[str, Any], receive: Any, send: Any):
        self._scope, self._receive, self._send = scope, receive, send
        self._code: int | None = None  # with which it is closed, when not by the application
        self._stopped = asyncio.Event()

    async def run(self, application: Any, actor: Actor) -> None:
        with acting(actor):
            work = asyncio.ensure_future(application({**self._scope, "actor": actor}, self._limited, self._guarded))
        helpers = [asyncio.ensure_future(self._watch(actor)), asyncio.ensure_future(self._stopped.wait())]
        try:
            await asyncio.wait([work, *helpers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, *helpers):
                if not task.done():
                    task.cancel()
            await asyncio.gather(work, *helpers, return_exceptions=True)
        if self._code is not None:
            with suppress(Exception):  # the other side may be gone by now
                await self._send({"type": "websocket.close", "code": self._code})
        elif not work.cancelled():
            work.result()  # raises what the application raised

    async def _watch(self, actor: Actor) -> None:
        """Until the credential ends, or stands for less or more than it did."""
        while True:
            await asyncio.sleep(PAUSE)
            try:
                found = await _find_together(self._scope)
            except UNAVAILABLE:
                continue  # a database that is away for a while takes no credential away, and tells no secret
            if found != actor:
                self._stop(NOBODY)
                return

    async def _limited(self) -> dict[str, Any]:
        event = await self._receive()
        size = len(event.get("bytes") or b"") or len((event.get("text") or "").encode())
        if size > FRAME_BYTES:
            self._stop(TOO_LARGE)
            await asyncio.Event().wait()  # until it is cancelled
        return event

    async def _guarded(self, event: dict[str, Any]) -> None:
        if self._code is None:
            await self._send(event)

    def _stop(self, code: int) -> None:
        self._code = code
        self._stopped.set()


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "websocket.close", "code": NO_SUCH_SOCKET})


async def _find_together(scope: dict[str, Any]) -> Actor | None:
    """As `_find`, asked once for all sockets of a credential; a page each of many tabs would else ask every second."""
    key = (databases.current(), *_credential(scope))
    asked, found = _found.get(key, (float("-inf"), None))
    if found is None or time.monotonic() - asked > SHARED or found.get_loop() is not asyncio.get_running_loop():
        for old in [each for each, (then, _) in _found.items() if time.monotonic() - then > SHARED]:
            del _found[old]
        found = asyncio.ensure_future(_find(scope))
        _found[key] = (time.monotonic(), found)
    return await asyncio.shield(found)  # one socket that is closed meanwhile ends it for no other


async def _find(scope: dict[str, Any]) -> Actor | None:
    cookie, authorization = _credential(scope)
    return await sync_to_async(_look)(cookie, authorization)


def _look(cookie: str, authorization: str | None) -> Actor | None:
    try:
        return finding.find(parse_cookie(cookie), authorization)
    except UNAVAILABLE:
        databases.close(databases.current())  # a broken connection stays so
        raise


def _credential(scope: dict[str, Any]) -> tuple[str, str | None]:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return headers.get("cookie", ""), headers.get("authorization")

"""Changes as they happen: the answer to GET /api/v1/changes for whoever accepts text/event-stream.

It stands before Django, whose requests each take one of a few threads, and a stream lasts for hours: all streams share
one thread that asks. Whatever is refused is handed on, and so refused in the same words as anywhere else.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from django.http import parse_cookie

from sessions_app import databases, store
from sessions_app.access import finding
from sessions_app.actors import Actor, acting
from sessions_app.database_faults import UNAVAILABLE
from sessions_app.errors import ChangesForgotten
from sessions_app.records import Change
from sessions_site import stopping

PATH = "/api/v1/changes"
MOST = 20  # open at once by one actor, in this process
MOST_OF_ALL = 200  # open at once by all
AT_ONCE = 500  # changes in one piece; the next are read when these were taken
PAUSE = 0.2  # seconds between two looks at what changed
CREDENTIAL_PAUSE = 1.0  # seconds between two looks at whether the credential is still good
HEARTBEAT = 15.0  # seconds after which something is sent, so that nothing between takes it for dead
RETRY = 1000  # milliseconds after which a client comes again
LARGEST = 2**63 - 1  # of a number, as both databases have it
NOW = -1  # stands for the newest number

_open: Counter[tuple[str, int | None, str]] = Counter()
_thread = ThreadPoolExecutor(1, "forklore-changes")


class Streams:
    """Wraps the application; takes from it what it can answer by a stream."""

    def __init__(self, application: Any):
        self.inner = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if not _is_asked_for(scope):
            await self.inner(scope, receive, send)
            return
        actor, since = await _actor(scope), _since(scope)
        if actor is not None and since is not None:
            with acting(actor):
                begun = await _begun(since)
            if begun is not None:
                await _answer(scope, receive, send, actor, begun)
                return
        await self.inner(scope, receive, send)


async def _answer(scope: dict[str, Any], receive: Any, send: Any, actor: Actor, since: int) -> None:
    key = (actor.kind, actor.user_id, actor.name)
    if _open[key] >= MOST or _open.total() >= MOST_OF_ALL:
        await _refuse(send)
        return
    _open[key] += 1
    try:
        await _stream(scope, receive, send, actor, since)
    finally:
        _open[key] -= 1
        if not _open[key]:
            del _open[key]


async def _stream(scope: dict[str, Any], receive: Any, send: Any, actor: Actor, since: int) -> None:
    """Until the client goes, its credential ends, the server stops, or changes were forgotten meanwhile."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    with acting(actor):
        work = asyncio.ensure_future(_send_all(send, since))
    ends = [work, *map(asyncio.ensure_future, (_gone(receive), _no_longer(scope, actor), _stopped()))]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
    with suppress(Exception):  # the other side may be gone by now
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_all(send: Any, since: int) -> None:
    async for piece in _pieces(since):
        await send({"type": "http.response.body", "body": piece, "more_body": True})  # waits for a slow client


async def _pieces(since: int) -> AsyncIterator[bytes]:
    """What is sent: a number alone moves the place from which a client goes on, and is no event to it."""
    yield f"retry: {RETRY}\nid: {since}\n\n".encode()
    sent = time.monotonic()
    while True:
        try:
            found, since = await _ask(since)
        except ChangesForgotten as error:
            yield _event("forgotten", {"detail": str(error), "since": since})
            return
        except UNAVAILABLE:
            return  # the client comes again, and is told as long as the database is away
        if found or time.monotonic() - sent >= HEARTBEAT:
            events = [_event("change", change.facts(), change.number) for change in found]
            yield b"".join(events) + f"id: {since}\n\n".encode()
            sent = time.monotonic()
        if len(found) < AT_ONCE:
            await asyncio.sleep(PAUSE)


def _event(name: str, value: dict[str, Any], id: int | None = None) -> bytes:
    """ASCII, for some take other characters for the end of a line."""
    number = "" if id is None else f"id: {id}\n"
    return f"{number}event: {name}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode("ascii")


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _no_longer(scope: dict[str, Any], actor: Actor) -> None:
    """Until the credential ends, or stands for less or more than it did."""
    with suppress(*UNAVAILABLE):
        while await _actor(scope) == actor:
            await asyncio.sleep(CREDENTIAL_PAUSE)


async def _stopped() -> None:
    while not stopping.is_set():
        await asyncio.sleep(PAUSE)


async def _refuse(send: Any) -> None:
    detail = f"One actor follows the changes {MOST} times at once, and all together {MOST_OF_ALL} times."
    value = {"type": "about:blank", "title": "Refused", "status": 429, "detail": detail}
    headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"60")]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


def _is_asked_for(scope: dict[str, Any]) -> bool:
    asked = (scope["type"], scope.get("method"), scope["path"]) == ("http", "GET", PATH)
    return asked and "text/event-stream" in _headers(scope).get("accept", "")


def _since(scope: dict[str, Any]) -> int | None:
    """After which number to begin; None for what is no number. A client that comes again says in a header where it was."""
    asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("since", [None])[-1]
    text = _headers(scope).get("last-event-id", asked)
    if text is None:
        return NOW
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST else None


def _headers(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _begun(since: int) -> int | None:
    """The number to begin with; None where the other application is to say what is wrong."""
    try:
        return (await _ask(since, 0))[1]
    except (ChangesForgotten, *UNAVAILABLE):
        return None


async def _actor(scope: dict[str, Any]) -> Actor | None:
    headers = _headers(scope)
    return await _in_thread(finding.find, parse_cookie(headers.get("cookie", "")), headers.get("authorization"))


async def _ask(since: int, limit: int = AT_ONCE) -> tuple[list[Change], int]:
    return await _in_thread(_changes, since, limit)


def _changes(since: int, limit: int) -> tuple[list[Change], int]:
    return ([], store.newest_change()) if since == NOW else store.changes_until(since, limit)


async def _in_thread(function: Any, *arguments: Any) -> Any:
    return await sync_to_async(_with_connection, thread_sensitive=False, executor=_thread)(function, *arguments)


def _with_connection(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except UNAVAILABLE:
        databases.connection().close_if_unusable_or_obsolete()  # the next call gets one that works
        raise

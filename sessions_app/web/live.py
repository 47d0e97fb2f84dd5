"""The WebSocket of a page: it says what it shows, and is told which of that changed.

From the page, one frame of JSON: {"lists": true, "session": ID, "tree": ID, "since": NUMBER}, each left out where it
has none. To the page: {"since": NUMBER, "sessions": [ID, …]}, or {"since": NUMBER, "resync": true} where it is to read
all of itself anew. Numbers are strings, for JavaScript's end at 2**53.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import Any
from uuid import UUID

from sessions_app import store
from sessions_app.web import hints
from sessions_app.web.hints import Hint, Listener, Watch

INVALID = 4400  # close codes, beside those of access/sockets.py
TOO_FAST = 4408
FRAMES, SECONDS = 10, 1.0  # frames that a page may send in so many seconds
LARGEST_NUMBER = 2**63 - 1


class Refused(Exception):
    """The code that the socket is closed with."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


def marks(**watched: Any) -> dict[str, Any]:
    """What a page that is live has in its context; to be asked for before all that the page shows is read.

    lists=True, session=ID, tree=ID, as in Watch.
    """
    return {"live": {"since": store.newest_change(), **watched}}


async def socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The application of one socket, within access.sockets.ActorsOnly, which ends it with its credential."""
    await receive()  # that it connects
    await send({"type": "websocket.accept"})
    listener = hints.join(scope["actor"])
    work = [asyncio.create_task(_read(listener, receive)), asyncio.create_task(_write(listener, send))]
    try:
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in work:
            task.cancel()
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        hints.leave(listener)
    for outcome in outcomes:
        if isinstance(outcome, Refused):
            await send({"type": "websocket.close", "code": outcome.code})


async def _read(listener: Listener, receive: Any) -> None:
    """Until the page is gone. Raises Refused."""
    times: deque[float] = deque([float("-inf")] * FRAMES, maxlen=FRAMES)
    while (event := await receive())["type"] == "websocket.receive":
        if time.monotonic() - times[0] < SECONDS:
            raise Refused(TOO_FAST)
        times.append(time.monotonic())
        await hints.watch(listener, *_understood(event.get("text")))


async def _write(listener: Listener, send: Any) -> None:
    """One hint at a time: a page that reads slowly is sent the next one when it has read this one."""
    while True:
        await send({"type": "websocket.send", "text": _text(await listener.next())})


def _understood(text: str | None) -> tuple[Watch, int | None]:
    """Raises Refused for all that is no such frame."""
    try:
        frame = json.loads(text or "")
        if not isinstance(frame, dict) or frame.keys() - {"lists", "session", "tree", "since"}:
            raise ValueError(text)
        lists = frame.get("lists", False)
        if not isinstance(lists, bool):
            raise ValueError(text)
        return Watch(lists, _id(frame.get("session")), _id(frame.get("tree"))), _number(frame.get("since"))
    except (ValueError, RecursionError):
        raise Refused(INVALID) from None


def _id(value: Any) -> UUID | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(value)
    return UUID(value) if value is not None else None


def _number(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or int(value[:20]) > LARGEST_NUMBER:
        raise ValueError(value)
    return int(value)


def _text(hint: Hint) -> str:
    if hint.sessions is None:
        return json.dumps({"since": str(hint.since), "resync": True})
    return json.dumps({"since": str(hint.since), "sessions": sorted(map(str, hint.sessions))})

"""MCP at /mcp of the running server, where its package is installed; made at the first request for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings

from sessions_app.async_store import open_store
from sessions_site.guard import Receive, Scope, Send

PATH = "/mcp"
MISSING = (
    "MCP needs a package of its own here: pip install 'forklore[mcp]'. Or start a server for it: {program} mcp --http"
)

_address: ContextVar[str] = ContextVar("forklore_mcp_address", default="http://127.0.0.1:8000")


class Mounted:
    """Wraps the application behind the guard; takes from it what is sent to /mcp."""

    def __init__(self, inner: Any):
        self.inner = inner
        self._made: asyncio.Future[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH:
            await self.inner(scope, receive, send)
            return
        application = await self._application()
        token = _address.set(_address_of(scope))
        try:
            await application({**scope, "path": PATH}, receive, send)
        finally:
            _address.reset(token)

    async def _application(self) -> Any:
        """The one of this event loop; a task holds it, for what it opens is closed by who opened it."""
        loop = asyncio.get_running_loop()
        if self._made is None or self._made.get_loop() is not loop:
            self._made = loop.create_future()
            self._task = loop.create_task(self._hold(self._made))
        return await asyncio.shield(self._made)

    async def _hold(self, made: asyncio.Future[Any]) -> None:
        async with AsyncExitStack() as stack:
            try:
                made.set_result(await stack.enter_async_context(_served()))
            except Exception as error:
                self._made = None  # the next request tries again
                made.set_exception(error)
                return
            await asyncio.Event().wait()  # until the loop ends


@asynccontextmanager
async def _served() -> AsyncIterator[Any]:
    try:
        from sessions_app.integrations import mcp, mcp_http
    except ImportError:
        yield _missing
        return
    async with open_store() as store:
        reading = mcp.server(store, _address.get)
        writing = mcp.server(store, _address.get, may_write=True)
        async with mcp_http.behind_tokens(reading, writing) as application:
            yield application


async def _missing(scope: Scope, receive: Receive, send: Send) -> None:
    words = MISSING.format(program=settings.FORKLORE_PROGRAM)
    head = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 501, "headers": head})
    await send({"type": "http.response.body", "body": f"{words}\n".encode()})


def _address_of(scope: Scope) -> str:
    """Of the pages, as the guard has let it pass."""
    headers = dict(scope["headers"])
    behind_https = settings.FORKLORE_PROXY and headers.get(b"x-forwarded-proto") == b"https"
    scheme = "https" if behind_https else scope.get("scheme", "http")
    return f"{scheme}://{headers.get(b'host', b'127.0.0.1:8000').decode('latin-1')}"

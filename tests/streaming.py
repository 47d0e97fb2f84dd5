"""A transport of httpx to an ASGI application in this process that hands on each part of an answer as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx


class Streaming(httpx.AsyncBaseTransport):
    """httpx's own waits for the end of an answer, and a stream has none."""

    def __init__(self, application: Any):
        self._application = application

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(await request.aread())
        exchange.work = asyncio.ensure_future(self._run(_scope(request), exchange))
        start = await exchange.sent.get()
        if start is None:
            raise httpx.ReadError("The application gave no answer.", request=request)
        return httpx.Response(start["status"], headers=start["headers"], stream=exchange)

    async def _run(self, scope: dict[str, Any], exchange: _Exchange) -> None:
        try:
            await self._application(scope, exchange.receive, exchange.sent.put)
        finally:
            exchange.sent.put_nowait(None)


class _Exchange(httpx.AsyncByteStream):
    work: asyncio.Future[None]

    def __init__(self, body: bytes):
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self._given = [{"type": "http.request", "body": body, "more_body": False}]
        self._closed = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._given:
            return self._given.pop()
        await self._closed.wait()
        return {"type": "http.disconnect"}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (event := await self.sent.get()) is not None:
            yield event.get("body", b"")
            if not event.get("more_body"):
                return

    async def aclose(self) -> None:
        self._closed.set()
        await asyncio.gather(self.work, return_exceptions=True)


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 123),
        "root_path": "",
    }

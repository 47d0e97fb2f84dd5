"""Threads that serve requests and keep their database connections."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import ThreadSensitiveContext

WORKERS = 8  # requests served at once; more wait their turn


class KeptThreads:
    """Runs an ASGI application with each request in one of a few threads that live as long as the server.

    Django by itself starts a thread for every request, and with it a database connection that nobody closes.
    """

    def __init__(self, application, workers: int = WORKERS):
        self._application = application
        self._free: asyncio.Queue[ThreadPoolExecutor] = asyncio.Queue()
        for number in range(workers):
            self._free.put_nowait(ThreadPoolExecutor(1, f"forklore-request-{number}"))

    async def __call__(self, scope, receive, send) -> None:
        thread = await self._free.get()
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self._application(scope, receive, send)
        finally:
            self._free.put_nowait(thread)

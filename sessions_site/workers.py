"""Threads that serve requests and keep their database connections."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler

WORKERS = 8  # requests served at once; more wait their turn


class OneHop(ASGIHandler):
    """Django's handler with the whole request in the request's thread, where Django would hand it over at each layer.

    A layer that knows async comes to the event loop and one that does not, as every view of ours, goes to the thread;
    with ten layers that takes longer than what the API does in between. Not for static files, which are read in pieces.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request):
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)


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

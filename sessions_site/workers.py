"""Threads that serve requests and keep their database connections."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from asgiref.sync import ThreadSensitiveContext, iscoroutinefunction, sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import connections
from django.urls import set_script_prefix
from django.utils.decorators import sync_and_async_middleware

WORKERS = 8  # requests served at once; more wait their turn
FRESH = 1.0  # seconds for which a connection that has served is not asked whether it still works


@sync_and_async_middleware
def static_files(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Those of the pages. OneHop has none: a layer that is asynchronous alone would cost each request four more hops."""
    from servestatic.middleware import ServeStaticMiddleware

    return ServeStaticMiddleware(get_response) if iscoroutinefunction(get_response) else get_response


class OneHop(ASGIHandler):
    """Django's handler with the whole request in the request's thread, where Django would hand it over at each layer.

    A layer that knows async comes to the event loop and one that does not, as every view of ours, goes to the thread;
    with ten layers that takes longer than what the API does in between.
    """

    _served = threading.local()

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        response = await sync_to_async(self._respond, thread_sensitive=True)(scope, body)
        if not response.streaming:
            await self.send_response(response, send)
            return
        sending = asyncio.ensure_future(self.send_response(response, send))
        leaving = asyncio.ensure_future(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
            for task in (leaving, sending):
                task.cancel()
                with suppress(RequestAborted, asyncio.CancelledError):
                    await task
        finally:
            await sync_to_async(response.close, thread_sensitive=True)()

    def _respond(self, scope: Any, body: Any) -> Any:
        """The response, of which nothing has yet to be read from the database unless it is a stream."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        self._trust_fresh_connections()
        request, refusal = self.create_request(scope, body)
        response: Any = refusal if request is None else self.get_response(request)
        response._handler_class = self.__class__
        if not response.streaming:
            response.close()
            body.close()
        return response

    def _trust_fresh_connections(self) -> None:
        """Spare a question to PostgreSQL. Where it was restarted within that second, the answer is a 503."""
        now = time.monotonic()
        if now - getattr(self._served, "at", -FRESH) < FRESH:
            for connection in connections.all(initialized_only=True):
                connection.health_check_done = True  # type: ignore[attr-defined]  # of Django, that its stubs lack
        self._served.at = now


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
        free = _Once(partial(self._free.put_nowait, thread))

        async def sending(event: Any) -> None:
            if event.get("more_body"):  # all is made that is to be: who takes it slowly keeps no thread from others
                free()
            await send(event)

        try:
            async with ThreadSensitiveContext(executor=thread):
                await self._application(scope, receive, sending)
        finally:
            free()


class _Once:
    def __init__(self, call: Callable[[], object]):
        self._call: Callable[[], object] | None = call

    def __call__(self) -> None:
        call, self._call = self._call, None
        if call:
            call()

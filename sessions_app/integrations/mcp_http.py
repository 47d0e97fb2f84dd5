"""MCP over HTTP: the same tools behind the guard, for whoever sends a token, who finds what that token may see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from sessions_app import databases
from sessions_app.access import finding
from sessions_app.actors import Actor, acting
from sessions_app.database_faults import UNAVAILABLE
from sessions_site.guard import Guard, Receive, Rules, Scope, Send

PATH = "/mcp"
BODY_BYTES = 1024 * 1024  # of a request; a tool is asked in a few lines

_thread = ThreadPoolExecutor(1, "forklore-mcp")


@asynccontextmanager
async def application(tools: MCPServer, hosts: tuple[str, ...] = ()) -> AsyncIterator[Guard]:
    """An ASGI application, while the context lasts. It keeps nothing between two requests: each brings its token."""
    async with _lasting(tools) as inner:
        yield Guard(_TokensOnly(inner, inner), Rules(hosts=hosts, body_bytes=BODY_BYTES))


@asynccontextmanager
async def behind_tokens(reading: MCPServer, writing: MCPServer) -> AsyncIterator[Any]:
    """The same for what stands behind a guard already; a token that may not write is shown the tools that read."""
    async with _lasting(reading) as reads, _lasting(writing) as writes:
        yield _TokensOnly(reads, writes)


@asynccontextmanager
async def _lasting(tools: MCPServer) -> AsyncIterator[Any]:
    inner = tools.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        # Hosts and origins are the guard's, which knows more of them.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    async with inner.router.lifespan_context(inner):
        yield inner


class _TokensOnly:
    def __init__(self, reading: Any, writing: Any):
        self._reading = reading
        self._writing = writing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await _say(send, 404, f"MCP is at {PATH}.")
        elif scope["method"] != "POST":
            await _say(send, 405, "MCP is spoken by POST here.", (b"allow", b"POST"))
        elif (actor := await _actor(scope)) is None:
            words = "Nobody is let in without a token: Authorization: Bearer …"
            await _say(send, 401, words, (b"www-authenticate", b"Bearer"))
        else:
            with acting(actor):  # the tasks that answer have this context too
                await (self._writing if actor.may("write") else self._reading)(scope, receive, send)


async def _actor(scope: Scope) -> Actor | None:
    """By a token alone: a cookie, which a browser sends by itself, is for its pages."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    find = sync_to_async(_find, thread_sensitive=False, executor=_thread)
    return await find(headers.get(b"authorization"))


def _find(authorization: str | None) -> Actor | None:
    try:
        return finding.find({}, authorization)
    except UNAVAILABLE:
        databases.connection().close_if_unusable_or_obsolete()  # the next call gets one that works
        raise


async def _say(send: Send, status: int, words: str, *headers: tuple[bytes, bytes]) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind, *headers]})
    await send({"type": "http.response.body", "body": f"{words}\n".encode()})

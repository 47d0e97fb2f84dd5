"""WebSockets open only for somebody: the actor is found before they are accepted."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import parse_cookie

from sessions_app.access import finding

NOBODY = 4401  # close codes that applications may give; a browser sees them only on a socket that was open
NO_SUCH_SOCKET = 4404


class ActorsOnly:
    """Wraps the routes of the sockets; to them, scope["actor"] is an Actor."""

    def __init__(self, application: Any):
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        cookie = parse_cookie(headers.get("cookie", "")).get(settings.FORKLORE_COOKIE)
        actor = await sync_to_async(finding.find)(cookie, headers.get("authorization"))
        if actor is None:
            await send({"type": "websocket.close", "code": NOBODY})
            return
        await self._application({**scope, "actor": actor}, receive, send)


async def no_such_socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "websocket.close", "code": NO_SUCH_SOCKET})

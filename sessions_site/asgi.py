"""The ASGI application: the guard around everything, HTTP by Django, and the WebSocket of live pages."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

from sessions_site.guard import Guard, Rules
from sessions_site.workers import WORKERS, KeptThreads, OneHop

API = "/api/v1/"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sessions_site.settings")

_pages = get_asgi_application()

from sessions_app.access.sockets import ActorsOnly, no_such_socket  # noqa: E402  # these need Django to be set up
from sessions_app.api.streams import Streams  # noqa: E402
from sessions_app.integrations.mcp_mounted import Mounted  # noqa: E402
from sessions_app.web import live  # noqa: E402

SOCKETS = [path("live/", live.socket)]  # type: ignore[arg-type]  # Django knows no sockets

_api = OneHop()


async def _django(scope, receive, send) -> None:
    await (_api if scope["path"].startswith(API) else _pages)(scope, receive, send)


def http(workers: int = WORKERS) -> Streams:
    """All of the site but the guard and sockets, with so many threads."""
    return Streams(KeptThreads(_django, workers))


_http = http()
_sockets = ActorsOnly(URLRouter([*SOCKETS, re_path("", no_such_socket)]))  # type: ignore[arg-type]
_routes = ProtocolTypeRouter({"http": Mounted(_http), "websocket": _sockets})
application = Guard(
    _routes,
    Rules(
        hosts=settings.FORKLORE_HOSTS,
        body_bytes=settings.FORKLORE_BODY_LIMIT,
        loopback_only=settings.FORKLORE_MODE != "team",
        program=settings.FORKLORE_PROGRAM,
    ),
)

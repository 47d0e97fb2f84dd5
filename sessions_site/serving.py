"""Serves the site: takes a port, starts uvicorn, tells the address, opens a browser."""

import errno
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import uvicorn

from sessions_site import stopping
from sessions_site.guard import FRAME_BYTES

LOOPBACK = {"127.0.0.1": socket.AF_INET, "localhost": socket.AF_INET, "::1": socket.AF_INET6}
FIRST_PORT = 8000
PORTS_TRIED = 100
# Connections that wait to be taken; asyncio tries, and fails, as often in a row where no descriptor is left.
BACKLOG = 128


def listen(host: str, ports: Iterable[int]) -> socket.socket:
    """A socket that listens on the first free port, so that nobody can take the port before the server does.

    Raises OSError, with errno EADDRINUSE when all are taken.
    """
    for port in ports:
        family = LOOPBACK.get(host) or (socket.AF_INET6 if ":" in host else socket.AF_INET)
        # asyncio turns Nagle's algorithm off, which holds the second part of an answer back for 40 ms, only where the
        # protocol is named: https://github.com/python/cpython/blob/3.13/Lib/asyncio/base_events.py (_set_nodelay)
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if os.name == "posix":  # elsewhere the option would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return listener
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def address(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def launch_link(url: str, code: str) -> str:
    """The code stands in the fragment, which a browser keeps to itself: in no request, log or Referer."""
    return f"{url}/enter/#{code}"


def serve(application: str, listener: socket.socket, when_ready: Callable[[], None]) -> None:
    """Answer requests until SIGINT or SIGTERM; open pages have ten seconds to finish.

    Raises SystemExit(0) after a SIGTERM, which uvicorn sends once more when all is finished.
    """
    signal.signal(signal.SIGTERM, _leave)
    _server(application, when_ready).run(sockets=[listener])


def _leave(*_: object) -> None:
    raise SystemExit(0)


async def serve_within(application: Any, listener: socket.socket, when_ready: Callable[[], None]) -> None:
    """The same for an ASGI application that was made in this event loop."""
    await _server(application, when_ready).serve(sockets=[listener])


def _server(application: Any, when_ready: Callable[[], None]) -> "_Server":
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,  # ours are in the settings
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        proxy_headers=False,  # any local program could claim another address or scheme by them
        ws_max_size=FRAME_BYTES,
        ws_ping_interval=20.0,  # seconds; who does not answer as long again is gone
        ws_ping_timeout=20.0,
        timeout_graceful_shutdown=10,  # seconds; without it open WebSockets keep the server from stopping
    )
    return _Server(config, when_ready)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]):
        super().__init__(config)
        self.when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        stopping.tell()
        await super().shutdown(sockets)


def wants_browser(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a person sits at this machine's screen: a terminal, no SSH, and a display where one is needed."""
    remote = any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "CI"))
    display = sys.platform in ("darwin", "win32") or any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return sys.stdin.isatty() and sys.stdout.isatty() and display and not remote


def open_browser(url: str) -> None:
    """Without waiting: some browsers keep the call until they are closed."""
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

"""Serves agents by MCP, on standard input and output, or over HTTP."""

import asyncio
import socket
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from sessions_app.access import token_file
from sessions_app.async_store import open_store
from sessions_site import serving


class Command(BaseCommand):
    help = (
        "Let agents search, list and open sessions by MCP (stdio, or --http); it changes nothing unless --write allows"
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true", help="let agents fork sessions, too")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the pages, for links (%(default)s)")
        parser.add_argument("--http", action="store_true", help="serve over HTTP, to whoever sends a token")
        parser.add_argument("--port", type=int, default=8765, help="with --http; 0 takes any free one (%(default)s)")

    def handle(self, *args: Any, write: bool, url: str, http: bool, port: int, **options: Any) -> None:
        try:
            from sessions_app.integrations import mcp, mcp_http
        except ImportError as error:
            raise CommandError("MCP needs a package of its own: pip install 'forklore[mcp]'") from error

        async def serve() -> None:
            async with open_store() as store:
                tools = mcp.server(store, url.rstrip("/"), may_write=write)
                if not http:
                    await tools.run_stdio_async()
                    return
                async with mcp_http.application(tools, settings.FORKLORE_HOSTS) as application:
                    await serving.serve_within(application, listener, lambda: self._tell(listener))

        if http:
            token_file.ensure(settings.DATA_DIR)
            listener = self._listen(port)
        with suppress(KeyboardInterrupt):
            asyncio.run(serve())

    def _listen(self, port: int) -> socket.socket:
        try:
            return serving.listen("127.0.0.1", [port])
        except (OSError, OverflowError) as error:
            raise CommandError(f"Port {port} cannot be listened at: {error}.") from error

    def _tell(self, listener: socket.socket) -> None:
        self.stdout.write(f"Forklore is at {serving.address('127.0.0.1', listener)}/mcp for MCP (Ctrl-C stops it)")
        self.stdout.flush()

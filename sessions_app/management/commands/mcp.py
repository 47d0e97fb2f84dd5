"""Serves agents by MCP, on standard input and output."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from sessions_app.async_store import open_store


class Command(BaseCommand):
    help = "Let an agent search, list and open sessions by MCP (stdio); it changes nothing unless --write allows forks"
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true", help="let it fork sessions, too")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the pages, for links (%(default)s)")

    def handle(self, *args: Any, write: bool, url: str, **options: Any) -> None:
        try:
            from sessions_app.integrations.mcp import server
        except ImportError as error:
            raise CommandError("MCP needs a package of its own: pip install 'forklore[mcp]'") from error

        async def serve() -> None:
            async with open_store() as store:
                await server(store, url.rstrip("/"), may_write=write).run_stdio_async()

        asyncio.run(serve())

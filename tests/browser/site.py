"""A running Forklore for browser tests, on a database of its own that a test fills through the store."""

import subprocess
import sys
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db import connections

from sessions_app import databases, opening, store
from sessions_app.access import codes
from sessions_site.configuration import database_from_url
from tests import emptying
from tests.builders import user_environment
from tests.servers import Server

CHECKOUT = Path(__file__).parent.parent.parent
MANAGE = [sys.executable, "manage.py"]

T = TypeVar("T")


class Site:
    """`python3 run.py` as a person starts it, but for the port. `store` is the store on its database."""

    def __init__(self, directory: Path, database: str = ""):
        """On a new SQLite file in the directory, unless the address of an empty database is given."""
        self.environment = user_environment(DATABASE_URL=database or f"sqlite:///{directory}/site.sqlite3")
        self.server = Server([*MANAGE, "up", "--port=0", "--no-browser"], CHECKOUT, self.environment)
        self.url = self.server.url
        self.store: Any = _StoreElsewhere(self)
        self.alias = opening.add(database_from_url(self.environment["DATABASE_URL"]))
        # Playwright keeps an event loop running in the test's thread, and Django refuses to work beside one.
        self._thread = ThreadPoolExecutor(1)
        self.let_in = self._enter()

    def run(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call it in a thread whose queries go to the site's database."""
        return self._thread.submit(self._on_database, partial(function, *arguments, **named)).result()

    def command(self, *arguments: str) -> str:
        """What a management command printed, run as a person would beside the server."""
        done = subprocess.run(
            [*MANAGE, *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,  # seconds
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def empty(self) -> None:
        """Of everything but the browser that was let in, whose row was emptied too."""
        self.run(emptying.empty, self.alias)
        self.let_in = self._enter()

    def close(self) -> None:
        self.run(connections.close_all)
        self._thread.shutdown()
        opening.remove(self.alias)
        self.server.stop()

    def _enter(self) -> dict[str, Any]:
        """What a new browser context needs to be one that a launch code has let in; the code is what `open` prints."""
        form = urlencode({"code": self.run(codes.make)}).encode()
        opener = urllib.request.build_opener(_StayHere)
        with opener.open(self.url + "/enter/", form) as answer:
            (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
        kept = {"name": cookie.key, "value": cookie.value, "url": self.url, "httpOnly": True, "sameSite": "Strict"}
        return {"base_url": self.url, "storage_state": {"cookies": [kept], "origins": []}}

    def _on_database(self, function: Callable[[], T]) -> T:
        with databases.using(self.alias):
            return function()


class _StayHere(urllib.request.HTTPRedirectHandler):
    def http_error_303(self, request: Any, answer: Any, *rest: Any) -> Any:
        return answer


class _StoreElsewhere:
    def __init__(self, site: Site):
        self._site = site

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._site.run, getattr(store, name))

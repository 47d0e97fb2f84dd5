"""A running Forklore for browser tests, on a database of its own that a test fills through the store."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from django.db import connections

from sessions_app import databases, opening, store
from sessions_site.configuration import database_from_url
from tests import emptying
from tests.builders import user_environment

CHECKOUT = Path(__file__).parent.parent.parent
STARTED = "Forklore is at "

T = TypeVar("T")


class Site:
    """`python3 run.py` as a person starts it, but for the port. `store` is the store on its database."""

    def __init__(self, directory: Path):
        self.environment = user_environment(DATABASE_URL=f"sqlite:///{directory}/site.sqlite3")
        self.process = self._start("up", "--port=0", "--no-browser", stdout=subprocess.PIPE)
        self.url = self._wait_for_address()
        self.store: Any = _StoreElsewhere(self)
        self.alias = opening.add(database_from_url(self.environment["DATABASE_URL"]))
        # Playwright keeps an event loop running in the test's thread, and Django refuses to work beside one.
        self._thread = ThreadPoolExecutor(1)

    def run(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call it in a thread whose queries go to the site's database."""
        return self._thread.submit(self._on_database, partial(function, *arguments, **named)).result()

    def command(self, *arguments: str) -> str:
        """What a management command printed, run as a person would beside the server."""
        process = self._start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate(timeout=120)  # seconds
        assert process.returncode == 0, output
        return output

    def empty(self) -> None:
        self.run(emptying.empty, self.alias)

    def close(self) -> None:
        self.run(connections.close_all)
        self._thread.shutdown()
        opening.remove(self.alias)
        self.process.terminate()
        self.process.wait(timeout=20)  # seconds

    def _on_database(self, function: Callable[[], T]) -> T:
        with databases.using(self.alias):
            return function()

    def _start(self, *arguments: str, **streams: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(
            command, cwd=CHECKOUT, env=self.environment, stdin=subprocess.DEVNULL, text=True, **streams
        )

    def _wait_for_address(self) -> str:
        output = self.process.stdout
        assert output
        for line in output:
            if line.startswith(STARTED):
                threading.Thread(target=output.read, daemon=True).start()  # a full pipe would stop the server
                return line.removeprefix(STARTED).split()[0]
        raise RuntimeError(f"Forklore did not start: exit code {self.process.wait()}.")


class _StoreElsewhere:
    def __init__(self, site: Site):
        self._site = site

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._site.run, getattr(store, name))

"""The store through its three doors, and a clock that tests set.

`the_store` is the sync module, the async store and the store over HTTP, on SQLite and then on PostgreSQL: one test body
serves all six. Over HTTP is the whole server, guard and gate included, but for the socket.
A module that needs one door only says `pytestmark = SYNC_DOOR`.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connections
from hypothesis import HealthCheck, Phase, settings

from sessions_app import databases, store
from sessions_app.access import token_file
from sessions_app.async_store import open_store
from sessions_app.http_store import HttpStore
from sessions_site import asgi
from sessions_site.guard import Guard, Rules
from tests.streaming import Streaming

_OPTIONS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
# Shrinking a failure may take minutes, so only the long form does.
_QUICK = [phase for phase in Phase if phase not in (Phase.shrink, Phase.explain)]
settings.register_profile("short", max_examples=20, stateful_step_count=25, phases=_QUICK, **_OPTIONS)
settings.register_profile("long", max_examples=1500, stateful_step_count=60, **_OPTIONS)
settings.register_profile("campaign", max_examples=10_000, stateful_step_count=50, **_OPTIONS)  # takes hours


class AsyncDoor:
    """The async store for tests that are not: every method runs its coroutine to the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._store = open_store()  # on the database of `using`: Django keeps a test from any that it did not name
        self._loop.run_until_complete(self._store.__aenter__())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        return lambda *arguments, **options: self._loop.run_until_complete(method(*arguments, **options))

    def watch(self, since: int | None = None) -> Iterator[Any]:
        watching = self._store.watch(since)
        try:
            while True:
                yield self._loop.run_until_complete(anext(watching))
        finally:
            self._loop.run_until_complete(watching.aclose())  # type: ignore[attr-defined]

    def close(self) -> None:
        self._loop.run_until_complete(self._store.__aexit__(None, None, None))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


class HttpDoor(AsyncDoor):
    """The same over HTTP; what only importers need is not offered there."""

    def __init__(self) -> None:
        token_file.ensure(django_settings.DATA_DIR)
        token = (django_settings.DATA_DIR / token_file.NAME).read_text().strip()
        # One thread, whose connections can be closed in the end.
        application = asgi.http(workers=1)
        self._threads = application.inner
        transport = Streaming(Guard(application, Rules()))
        self._loop = asyncio.new_event_loop()
        self._store = HttpStore("http://127.0.0.1:8000", token, transport)  # type: ignore[assignment]
        self._loop.run_until_complete(self._store.__aenter__())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ("import_state", "import_batch", "link_parent", "archive_before_rewrite"):
            pytest.skip("not over HTTP")
        return super().__getattr__(name)

    def close(self) -> None:
        self._threads._free.get_nowait().submit(connections.close_all).result()
        super().close()


class Clock:
    """Stands in for store.now: a second later at each look, unless it stands still."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.step = timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.moment += self.step
        return self.moment

    def stop_at(self, moment: datetime) -> None:
        self.moment, self.step = moment, timedelta(0)

    def turn_back(self, by: timedelta) -> None:
        self.moment -= by


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(store, "now", clock)
    return clock


@pytest.fixture(scope="session")
def async_doors(django_db_setup: None) -> Iterator[dict[str, AsyncDoor]]:
    """One open async store a database; to open one for each test would take longer than the tests."""
    doors: dict[str, AsyncDoor] = {}
    yield doors
    for door in doors.values():
        door.close()


@pytest.fixture(params=["sync", "async", "http"])
def door(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def the_store(either_database: str, door: str, async_doors: dict[str, AsyncDoor]) -> Iterator[Any]:
    """The store on an empty database; what a test asks the ORM goes to the same one."""
    with databases.using(either_database):
        name = f"{door} {either_database}"
        if door != "sync" and name not in async_doors:
            async_doors[name] = AsyncDoor() if door == "async" else HttpDoor()
        yield store if door == "sync" else async_doors[name]

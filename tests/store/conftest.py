"""The store through both its doors, and a clock that tests set.

`the_store` is the sync module and then the async store, on SQLite and then on PostgreSQL: one test body serves all four.
A module that needs one door only says `pytestmark = SYNC_DOOR`.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from sessions_app import databases, store
from sessions_app.async_store import open_store

_OPTIONS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
# Shrinking a failure may take minutes, so only the long form does.
_QUICK = [phase for phase in Phase if phase not in (Phase.shrink, Phase.explain)]
settings.register_profile("short", max_examples=20, stateful_step_count=25, phases=_QUICK, **_OPTIONS)
settings.register_profile("long", max_examples=1500, stateful_step_count=60, **_OPTIONS)


class AsyncDoor:
    """The async store for tests that are not: every method runs its coroutine to the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._store = open_store()  # on the database of `using`: Django keeps a test from any that it did not name
        self._loop.run_until_complete(self._store.__aenter__())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)
        return lambda *arguments, **options: self._loop.run_until_complete(method(*arguments, **options))

    def close(self) -> None:
        self._loop.run_until_complete(self._store.__aexit__(None, None, None))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


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


@pytest.fixture(params=["sync", "async"])
def door(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def the_store(either_database: str, door: str, async_doors: dict[str, AsyncDoor]) -> Iterator[Any]:
    """The store on an empty database; what a test asks the ORM goes to the same one."""
    with databases.using(either_database):
        if door == "async" and either_database not in async_doors:
            async_doors[either_database] = AsyncDoor()
        yield async_doors[either_database] if door == "async" else store

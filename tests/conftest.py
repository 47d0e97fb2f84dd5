"""Two databases under every test that asks for them, and the order in which tests run.

`the_store` gives the store on SQLite and on PostgreSQL, one after the other. TEST_DATABASE_URL names a PostgreSQL
server to use instead of a throwaway one. FORKLORE_REQUIRE=postgresql,chromium,observatory makes what is missing of them an error.
"""

import inspect
import os
import unittest
from collections.abc import Iterator
from types import ModuleType

import pytest
from pytest_django import DjangoDbBlocker

from tests import postgres, rundirectory
from tests.browser import chromium

POSTGRESQL_MISSING = None if os.environ.get("TEST_DATABASE_URL") or postgres.binaries() else postgres.HOW_TO_GET


def pytest_configure(config: pytest.Config) -> None:
    # The Observatory's test says by itself what is missing.
    missing = {"postgresql": POSTGRESQL_MISSING, "chromium": chromium.missing(), "observatory": None}
    for name in filter(None, os.environ.get("FORKLORE_REQUIRE", "").split(",")):
        if missing[name]:
            raise pytest.UsageError(missing[name])


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> pytest.Collector | None:
    """Collect a class by what it holds, so that it can be named for its subject: class Forking, not TestForking."""
    if not (isinstance(collector, pytest.Module) and inspect.isclass(obj)) or issubclass(obj, unittest.TestCase):
        return None
    if obj.__module__ != collector.obj.__name__ or not any(member.startswith("test_") for member in dir(obj)):
        return None
    return pytest.Class.from_parent(collector, name=name, obj=obj)


@pytest.hookimpl(trylast=True)  # after pytest-django's own order
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: after Playwright has had its event loop, asynchronous tests fail."""
    items.sort(key=lambda item: "tests/browser/" in item.nodeid)


def _on(alias: str, name: str, missing: str | None) -> object:
    """A parameter that goes with the permission to use that one database, or is skipped."""
    mark = pytest.mark.skip(missing) if missing else pytest.mark.django_db(transaction=True, databases=[alias])
    return pytest.param(alias, marks=mark, id=name)


@pytest.fixture(params=[_on("default", "sqlite", None), _on("postgresql", "postgresql", POSTGRESQL_MISSING)])
def either_database(request: pytest.FixtureRequest) -> str:
    """The alias of an empty database, on SQLite and then on PostgreSQL."""
    return request.param


@pytest.fixture
def the_store(either_database: str) -> Iterator[ModuleType]:
    """The store on an empty database; all queries of the test go there, the ORM's too."""
    from sessions_app import databases, store

    with databases.using(either_database):
        yield store


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Start PostgreSQL when this process has a test on it, and so not for a test of SQLite alone."""
    marks = [mark for item in request.session.items for mark in item.iter_markers("django_db")]
    wanted = any("postgresql" in (mark.kwargs.get("databases") or ()) for mark in marks)
    if wanted and not os.environ.get("TEST_DATABASE_URL"):
        rundirectory.cluster().start()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Databases in the directory of the run go with it; only those on somebody's server are dropped."""
    return not os.environ.get("TEST_DATABASE_URL")


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, django_db_keepdb: bool
) -> Iterator[None]:
    from tests import emptying

    emptying.use()
    yield
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            emptying.end_other_connections()

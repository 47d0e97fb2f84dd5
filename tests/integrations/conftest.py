from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from sessions_app.access import token_file
from sessions_app.api.streams import Streams
from sessions_app.async_store import AsyncStore, open_store
from sessions_app.http_store import HttpStore
from sessions_site import asgi
from sessions_site.guard import Guard, Rules
from tests.streaming import Streaming


@pytest.fixture
def opened(the_store) -> Callable[[], AsyncStore]:
    """What an agent's program calls, on the test's database: SQLite's, and then PostgreSQL's."""
    return open_store


@pytest.fixture(params=["database", "http"])
def opened_either_way(the_store, request) -> Iterator[Callable[[], Any]]:
    """The same, and then over HTTP by the whole server but for the socket."""
    if request.param == "database":
        yield open_store
        return
    token_file.ensure(settings.DATA_DIR)
    token = (settings.DATA_DIR / token_file.NAME).read_text().strip()
    applications: list[Streams] = []

    def over_http() -> HttpStore:
        applications.append(asgi.http(workers=1))
        return HttpStore("http://127.0.0.1:8000", token, Streaming(Guard(applications[-1], Rules())))

    yield over_http
    for each in applications:
        each.inner._free.get_nowait().submit(connections.close_all).result()

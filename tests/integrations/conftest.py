from collections.abc import Callable

import pytest

from sessions_app.async_store import AsyncStore, open_store


@pytest.fixture
def opened(the_store) -> Callable[[], AsyncStore]:
    """What an agent's program calls, on the test's database: SQLite's, and then PostgreSQL's."""
    return open_store

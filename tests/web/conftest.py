"""A visitor of the pages, on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from django.test import Client

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Visitor(Client):
    """`fragment` and `send` ask as htmx does; `get` and `post` as a browser without scripts."""

    def fragment(self, path: str, *arguments, **named):
        return self.get(path, *arguments, headers=HTMX, **named)

    def send(self, path: str, *arguments, **named):
        return self.post(path, *arguments, headers=HTMX, **named)


@pytest.fixture
def visitor(the_store: ModuleType) -> Visitor:
    return Visitor(HTTP_HOST="127.0.0.1")


@pytest.fixture
def clock(the_store: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """The store's clock: clock(timedelta(days=2)) sets it to two days ago."""
    moment = [datetime.now(UTC)]
    monkeypatch.setattr(the_store, "now", lambda: moment[0])

    def set_back(ago: timedelta) -> None:
        moment[0] = datetime.now(UTC) - ago

    return set_back

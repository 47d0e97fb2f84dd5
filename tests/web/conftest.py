"""A visitor of the pages, on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from django.test import Client

from sessions_app.access import codes

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Visitor(Client):
    """`fragment` and `send` ask as htmx does; `get` and `post` as a browser without scripts."""

    def enter(self) -> "Visitor":
        """Be let in, by a launch code as a person is."""
        answer = self.post("/enter/", {"code": codes.make()})
        assert answer.status_code == 303
        return self

    def fragment(self, path: str, *arguments, **named):
        return self.get(path, *arguments, headers=HTMX, **named)

    def send(self, path: str, *arguments, **named):
        return self.post(path, *arguments, headers=HTMX, **named)


@pytest.fixture
def stranger(the_store: ModuleType) -> Visitor:
    """Somebody who was not let in."""
    return Visitor(HTTP_HOST="127.0.0.1")


@pytest.fixture
def visitor(stranger: Visitor) -> Visitor:
    return stranger.enter()


@pytest.fixture
def clock(the_store: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """The store's clock: clock(timedelta(days=2)) sets it to two days ago."""
    moment = [datetime.now(UTC)]
    monkeypatch.setattr(the_store, "now", lambda: moment[0])

    def set_back(ago: timedelta) -> None:
        moment[0] = datetime.now(UTC) - ago

    return set_back

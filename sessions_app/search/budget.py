"""How long a search may take: looked at between batches, and by the database within a statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from django.db import DatabaseError

from sessions_app.databases import command, connection

_STEPS = 20_000  # of SQLite's machine between two looks at the clock; about a millisecond


class OutOfTime(Exception):
    """The budget is spent; what was found so far stands."""


class Budget:
    def __init__(self, seconds: float | None):
        self._end = None if seconds is None else monotonic() + seconds

    @property
    def spent(self) -> bool:
        return self._end is not None and monotonic() >= self._end

    def check(self) -> None:
        """Raises OutOfTime."""
        if self.spent:
            raise OutOfTime

    @contextmanager
    def within(self) -> Iterator[None]:
        """Ends statements that outlast the budget; raises OutOfTime for one that was."""
        if self._end is None:
            yield
            return
        database: Any = connection()
        try:
            with _limited(self):
                yield
        except (
            DatabaseError,
            database.Database.Error,
        ):  # Django wraps them where a cursor executes, not where it fetches
            if self.spent:
                raise OutOfTime from None
            raise

    @property
    def milliseconds(self) -> int:
        """Rounded up, so that it is spent by our clock too when the server says so."""
        return 0 if self._end is None else max(0, int((self._end - monotonic()) * 1000)) + 1


@contextmanager
def _limited(budget: Budget) -> Iterator[None]:
    database = connection()
    if database.vendor == "sqlite":
        database.ensure_connection()
        driver = database.connection
        driver.set_progress_handler(lambda: budget.spent, _STEPS)
        try:
            yield
        finally:
            driver.set_progress_handler(None, 0)
        return
    # A savepoint, because a statement that was ended leaves its transaction unusable.
    command(f"SAVEPOINT budget; SET LOCAL statement_timeout = {budget.milliseconds}")
    try:
        yield
    except BaseException:
        command("ROLLBACK TO SAVEPOINT budget; SET LOCAL statement_timeout = 0")
        raise
    command("RELEASE SAVEPOINT budget; SET LOCAL statement_timeout = 0")

"""Lets writes that follow each other share a transaction: an import of many small sessions waits less for the disk."""

from __future__ import annotations

import time
from contextlib import ExitStack

from sessions_app.session_rows import writing

LONGEST = 0.05  # seconds that a group keeps others from writing, beyond the write that was begun within them


class GroupedWrites:
    """One transaction after the other, each of the calls that began within LONGEST.

    A call that fails is taken back alone. What was done is durable from `end_if_due` on, if that ends the group, or
    else from the end of the block on, which keeps it whatever ends the block; a kill before takes back the group.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._began = 0.0

    def __enter__(self) -> GroupedWrites:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def begin(self) -> None:
        """From here on, unless a group is open already; reads belong to it, too."""
        if not self._began:
            self._open.enter_context(writing())
            self._began = time.monotonic()

    def end_if_due(self) -> None:
        if self._began and time.monotonic() - self._began > LONGEST:
            self.end()

    def end(self) -> None:
        self._began = 0.0
        self._open.close()

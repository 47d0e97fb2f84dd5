"""The thread that writes for an asynchronous store on SQLite: what waits for it is committed together (decision 0022).

SQLite lets one write at a time, and a commit that a power cut cannot undo takes longer than the write before it. So
the calls that came while one was committed share the next commit. Each is a transaction of its own within, a savepoint:
one that fails takes nothing of the others with it, and each is answered only after the commit that holds its write.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from queue import Empty
from typing import Any

from sessions_app.threads import Call, Threads, tell

HELD = 0.02  # seconds after which no further call joins: other processes wait for the lock meanwhile

Transaction = Callable[[], AbstractContextManager[Any]]


class Undone(Exception):
    """A transaction of several calls was given up; nothing of it is in the database."""


class OneWriter(Threads):
    """One thread, which does calls one after the other in the order in which they came.

    `together` opens a transaction for several calls; leaving it raises where nothing of them was kept, and Undone may
    be raised within. A call is done again by itself then, so that it is told its own error.
    """

    def __init__(
        self,
        name: str,
        prepare: Callable[[], None],
        together: Transaction,
        is_lost: Callable[[BaseException | None], bool],
    ):
        super().__init__(1, name, prepare)
        self._together = together
        self._is_lost = is_lost
        self._ahead: deque[Call | None] = deque()  # what was taken to see whether it may join

    def _work(self) -> None:
        self._prepare()
        while first := self._next():
            done = [first]
            if first.may_join and self._following():
                self._do_together(done)
            else:
                first.do()
            tell(done)

    def _do_together(self, done: list[Call]) -> None:
        """Do the first call and those behind it that may join, which `done` gains."""
        until = time.monotonic() + HELD
        try:
            with self._together():
                call: Call | None = done[0]
                while call:
                    call.do()
                    if self._is_lost(call.error):
                        raise Undone
                    call = self._next_to_join() if time.monotonic() < until else None
                    if call:
                        done.append(call)
        except Exception:
            for call in done:
                call.do()

    def _next(self) -> Call | None:
        return self._ahead.popleft() if self._ahead else self._queue.get()

    def _following(self) -> Call | None:
        """The next call, if one waits, which is left to be taken."""
        if not self._ahead:
            try:
                self._ahead.append(self._queue.get_nowait())
            except Empty:
                return None
        return self._ahead[0]

    def _next_to_join(self) -> Call | None:
        following = self._following()
        return self._next() if following and following.may_join else None

"""The thread that writes for an asynchronous store on SQLite: what waits for it is committed together (decision 0022).

SQLite lets one write at a time, and a commit that a power cut cannot undo takes longer than the write before it. So
the calls that came while one was committed share the next commit. Each is a transaction of its own within, a savepoint:
one that fails takes nothing of the others with it, and each is answered only after the commit that holds its write.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any

HELD = 0.02  # seconds after which no further call joins: other processes wait for the lock meanwhile

Transaction = Callable[[], AbstractContextManager[Any]]


class Undone(Exception):
    """A transaction of several calls was given up; nothing of it is in the database."""


class Call:
    """One call, and whom its end is told."""

    __slots__ = ("answer", "error", "future", "may_join", "run")

    def __init__(self, run: Callable[[], Any], may_join: bool):
        self.run = run
        self.may_join = may_join
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.answer: Any = None
        self.error: BaseException | None = None

    def do(self) -> None:
        self.answer = self.error = None
        try:
            self.answer = self.run()
        except BaseException as error:
            self.error = error


class OneWriter:
    """Does calls one after the other in the order in which they came, in one thread that is the caller's to end.

    `together` opens a transaction for several calls; leaving it raises where nothing of them was kept, and Undone may
    be raised within. A call is done again by itself then, so that it is told its own error.
    """

    def __init__(
        self, thread: ThreadPoolExecutor, together: Transaction, is_lost: Callable[[BaseException | None], bool]
    ):
        self._thread = thread
        self._together = together
        self._is_lost = is_lost
        self._waiting: deque[Call] = deque()
        self._lock = threading.Lock()
        self._at_work = False

    def put(self, call: Call) -> asyncio.Future[Any]:
        with self._lock:
            self._waiting.append(call)
            idle, self._at_work = not self._at_work, True
        if idle:
            self._thread.submit(self._work)
        return call.future

    def _work(self) -> None:
        while first := self._next():
            done = [first]
            if first.may_join and self._waiting:
                self._do_together(done)
            else:
                first.do()
            _tell(done)

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
        with self._lock:
            self._at_work = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None

    def _next_to_join(self) -> Call | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting and self._waiting[0].may_join else None


def _tell(done: list[Call]) -> None:
    """Tell each loop of all its calls at once, for to wake it takes longer than to tell one more."""
    for loop in {call.future.get_loop() for call in done}:
        with suppress(RuntimeError):  # a loop that was closed before its store
            loop.call_soon_threadsafe(_settle, [call for call in done if call.future.get_loop() is loop])


def _settle(done: list[Call]) -> None:
    for call in done:
        if call.future.done():
            continue
        if call.error is None:
            call.future.set_result(call.answer)
        else:
            call.future.set_exception(call.error)

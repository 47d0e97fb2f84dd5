"""Threads that do the calls of an event loop, and tell the loop of each when it is done.

What concurrent.futures does for as much takes longer than a small write of SQLite: a future of its own, which a second
one of the loop follows, and a thread that asks for a lock to see whether it goes on.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any


class Call:
    """One call, and whom its end is told. Whoever waits may give it up; it is done all the same, and `ended` called."""

    __slots__ = ("answer", "ended", "error", "future", "may_join", "run")

    def __init__(self, run: Callable[[], Any], ended: Callable[[], None], may_join: bool = False):
        self.run = run
        self.ended = ended
        self.may_join = may_join  # with others, what only OneWriter does
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.answer: Any = None
        self.error: BaseException | None = None

    def do(self) -> None:
        self.answer = self.error = None
        try:
            self.answer = self.run()
        except BaseException as error:
            self.error = error


class Threads:
    """At most so many threads, begun as they are needed; each takes what has waited longest. `end` ends them.

    `prepare` is called in each before its first call.
    """

    def __init__(self, most: int, name: str, prepare: Callable[[], None]):
        self._most = most
        self._name = name
        self._prepare = prepare
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._waiting = 0  # calls that no thread has taken
        self._idle = 0
        atexit.register(self.end)  # of a store that nobody closes

    def put(self, call: Call) -> asyncio.Future[Any]:
        with self._lock:
            if self._waiting >= self._idle and len(self._threads) < self._most:
                self._begin_one()
            self._waiting += 1
        self._queue.put(call)
        return call.future

    def end(self) -> None:
        """Wait for what was put, to which nothing may be added, and for the threads."""
        atexit.unregister(self.end)
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _begin_one(self) -> None:
        # A daemon, for Python waits for all others before it calls what is registered to be done at its end.
        thread = threading.Thread(target=self._work, name=f"{self._name}_{len(self._threads)}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self) -> None:
        self._prepare()
        self._be_idle()
        while call := self._next():
            call.do()
            self._be_idle()
            tell([call])

    def _be_idle(self) -> None:
        """Before the answer is told, for it may bring the next call."""
        with self._lock:
            self._idle += 1

    def _next(self) -> Call | None:
        call = self._queue.get()
        self._taken()
        return call

    def _taken(self) -> None:
        with self._lock:
            self._idle -= 1
            self._waiting -= 1


def tell(done: Sequence[Call]) -> None:
    """Tell each loop of all its calls at once, for to wake it takes longer than to tell one more."""
    for loop in {call.future.get_loop() for call in done}:
        with suppress(RuntimeError):  # a loop that was closed before its store
            loop.call_soon_threadsafe(_settle, [call for call in done if call.future.get_loop() is loop])


def _settle(done: Sequence[Call]) -> None:
    for call in done:
        if not call.future.done():  # as it is where the caller was cancelled, who hears of no error either
            if call.error is None:
                call.future.set_result(call.answer)
            else:
                call.future.set_exception(call.error)
        call.ended()

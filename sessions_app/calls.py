"""The calls of an asynchronous store that are under way: a bounded number at work, and a close that waits for all."""

from __future__ import annotations

import asyncio

NOT_OPEN = "The store is not open; use it with `async with open_store(…) as store:`."


class Calls:
    """At most `at_once` are at work; more wait in the order in which they came, each with its caller."""

    def __init__(self, at_once: int):
        self._free = asyncio.Semaphore(at_once)
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()
        self.closed = False

    async def begin(self) -> None:
        """Wait for its turn; `end` gives it back. Raises RuntimeError after the close."""
        if self.closed:
            raise RuntimeError(NOT_OPEN)
        self._count += 1
        self._none.clear()
        try:
            await self._free.acquire()
        except BaseException:  # cancelled while it waited
            self._leave()
            raise

    def end(self) -> None:
        self._free.release()
        self._leave()

    async def close(self) -> None:
        """Take no more, and wait for those that were begun."""
        self.closed = True
        await self._none.wait()

    def _leave(self) -> None:
        self._count -= 1
        if not self._count:
            self._none.set()

"""Counts what went wrong lately, in this process, so that guessing is slow."""

from __future__ import annotations

import threading
import time
from collections import deque


class Throttle:
    """At most `most` faults in `seconds`; after that all wait until the first of them is that old."""

    def __init__(self, most: int, seconds: float):
        self._most, self._seconds = most, seconds
        self._faults: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Seconds until the next try; 0 when it may be now."""
        with self._lock:
            now = time.monotonic()
            while self._faults and self._faults[0] <= now - self._seconds:
                self._faults.popleft()
            return self._faults[0] + self._seconds - now if len(self._faults) >= self._most else 0

    def count(self) -> None:
        with self._lock:
            self._faults.append(time.monotonic())

    def forget(self) -> None:
        with self._lock:
            self._faults.clear()

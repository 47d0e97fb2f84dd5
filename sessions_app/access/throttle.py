"""Counts what went wrong lately, in this process, so that guessing is slow."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque


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


class ThrottleOfEach:
    """One of these limits for each key, of the `keys` that were counted last, so that many names cost no memory."""

    def __init__(self, most: int, seconds: float, keys: int = 10_000):
        self._most, self._seconds, self._keys = most, seconds, keys
        self._throttles: OrderedDict[str, Throttle] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: str) -> float:
        with self._lock:
            throttle = self._throttles.get(key)
        return throttle.wait() if throttle else 0

    def count(self, key: str) -> None:
        with self._lock:
            throttle = self._throttles.setdefault(key, Throttle(self._most, self._seconds))
            self._throttles.move_to_end(key)
            if len(self._throttles) > self._keys:
                self._throttles.popitem(last=False)
        throttle.count()

    def forget(self) -> None:
        with self._lock:
            self._throttles.clear()

"""How many requests, and how many bytes, an actor may send in a minute; counted in this process.

Each has a store of them that fills up all the time, so that a burst is taken and a flood is not. The owner of the machine
is not counted. A user and all tokens of theirs share one store.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from django.conf import settings

from sessions_app.actors import Actor

MOST_ACTORS = 10_000  # remembered; who was counted longest ago is forgotten first


class Allowance:
    """At most `a_minute` of something for each key, all at once or one after the other."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and as of when
        self._lock = threading.Lock()

    def take(self, key: str, count: int, a_minute: int) -> float:
        """Take some of it: 0, or with nothing taken the seconds until so much is there again.

        What is more than a minute's is taken from a full store, for else it would never be.
        """
        with self._lock:
            now = time.monotonic()
            left, since = self._left.get(key, (float(a_minute), now))
            left = min(float(a_minute), left + max(now - since, 0.0) * a_minute / 60)
            wanted = min(count, a_minute)
            if left < wanted:
                return (wanted - left) * 60 / a_minute
            self._left[key] = left - wanted, now
            self._left.move_to_end(key)
            while len(self._left) > MOST_ACTORS:
                self._left.popitem(last=False)
            return 0.0

    def forget(self) -> None:
        with self._lock:
            self._left.clear()


requests, sent = Allowance(), Allowance()


def wait(actor: Actor, size: int) -> float:
    """Count a request of `size` bytes; the seconds to wait where it is one too many, else 0."""
    if actor.kind == "owner" or (actor.unrestricted and actor.user_id is None):
        return 0.0
    key = f"user {actor.user_id}" if actor.user_id is not None else f"{actor.kind} {actor.name}"
    return max(
        requests.take(key, 1, settings.FORKLORE_REQUESTS) if settings.FORKLORE_REQUESTS else 0.0,
        sent.take(key, size, settings.FORKLORE_SENT) if settings.FORKLORE_SENT and size else 0.0,
    )

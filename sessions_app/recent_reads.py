"""Keeps what sessions hold that are read whole again and again, as an agent does at every turn (decision 0026).

Nothing of it is believed but what the database confirms: digests are of a message and all before it, so one digest
says that all that is kept still stands. Callers get dictionaries of their own, which they may change.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sessions_app import bodies
from sessions_app.records import Message

MOST = 64 * 1024 * 1024  # bytes of memory that all of it takes
MOST_OF_ONE = 16 * 1024 * 1024  # bytes of a session; a larger one is read anew each time
SESSIONS = 4096  # remembered at most, most of them only as read once

_UNCHANGEABLE = frozenset((str, int, float, bool, type(None)))

Place = tuple[str, UUID]  # alias of a database, and a session


@dataclass(frozen=True, slots=True)
class Read:
    """What a session held. To copy a dictionary of strings takes a tenth of the time of reading it as JSON."""

    tail: bytes  # the digest of all
    parts: list[Message | bytes]  # messages without lists and dictionaries in them, and bodies of all others
    size: int  # bytes of memory

    @property
    def count(self) -> int:
        return len(self.parts)

    def messages(self) -> list[Message]:
        return [bodies.decode(part) if isinstance(part, bytes) else part.copy() for part in self.parts]


_reads: OrderedDict[Place, Read | None] = OrderedDict()  # None: read once, and perhaps never again
_held = 0  # bytes
_era = 0  # how often something was forgotten
_lock = threading.Lock()


def known(place: Place) -> tuple[Read | None, int]:
    """What is kept of a session, and the era in which that was asked, for `remember`."""
    with _lock:
        found = _reads.get(place)
        if found:
            _reads.move_to_end(place)
        return found, _era


def remember(
    place: Place, era: int, tail: bytes, written: Sequence[bytes], messages: Sequence[Message], before: Read | None
) -> None:
    """That a session holds these messages behind those of `before`; kept from the second time on that it is read.

    `written` are their bodies. Not where anything was forgotten since the era, for it may be what was read here.
    """
    with _lock:
        if place not in _reads:
            _put(place, None, era)
            return
    parts = [_part(*each) for each in zip(messages, written, strict=True)]
    size = sum(map(_size, parts))
    fresh = Read(tail, before.parts + parts, before.size + size) if before else Read(tail, parts, size)
    with _lock:
        _put(place, fresh if fresh.size <= MOST_OF_ONE else None, era)


def forget(alias: str, sessions: Collection[UUID] | None = None) -> None:
    """Let go of all of a database, or of some sessions, and of whatever is being read just now."""
    global _era
    with _lock:
        _era += 1
        for place in [each for each in _reads if each[0] == alias and (sessions is None or each[1] in sessions)]:
            _drop(place)


def held() -> int:
    """The bytes of memory that are in use."""
    return _held


def _put(place: Place, read: Read | None, era: int) -> None:
    global _held
    if era != _era:
        return
    _drop(place)
    _reads[place] = read
    _held += read.size if read else 0
    while _held > MOST or len(_reads) > SESSIONS:
        _drop(next(iter(_reads)))


def _drop(place: Place) -> None:
    global _held
    if read := _reads.pop(place, None):
        _held -= read.size


def _part(message: Message, body: bytes) -> Message | bytes:
    return message.copy() if _UNCHANGEABLE.issuperset(map(type, message.values())) else body


def _size(part: Message | bytes) -> int:
    if isinstance(part, bytes):
        return sys.getsizeof(part)
    return sys.getsizeof(part) + sum(map(sys.getsizeof, part)) + sum(map(sys.getsizeof, part.values()))

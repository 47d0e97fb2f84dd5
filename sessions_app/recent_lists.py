"""Remembers with which list a session was last updated here, so that the next one, which goes on from it, costs less.

An agent hands over all messages at every turn. To encode and digest each of 5,000 anew takes three times as long as to
write them as one text and digest that. Nothing is believed of what is remembered but what the session's row confirms.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sessions_app import bodies
from sessions_app.records import Message

SESSIONS = 256  # remembered at most; each takes about a kilobyte

_lists: OrderedDict[Hashable, KnownList | None] = OrderedDict()  # None: updated once, and perhaps never again
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class KnownList:
    count: int  # messages
    tail: bytes  # their chained digest, as the session's row has it
    nulls: tuple[int, ...]  # positions of those with a null in it, for NaN is written so, too
    text: Any  # the digest of their bodies with a comma between them, as an object that can take more


def known(session: Hashable, messages: Sequence[Message]) -> KnownList | None:
    """What the list begins with, if that is the whole list with which the session was last updated."""
    with _lock:
        entry = _lists.get(session)
    if entry is None or not 0 < entry.count <= len(messages):
        return None
    try:
        text = orjson.dumps(list(messages[: entry.count]), option=bodies.PLAIN_ONLY)
    except TypeError:  # what the standard library has to write
        return None
    return entry if hashlib.sha256(memoryview(text)[1:-1]).digest() == entry.text.digest() else None


def remember(session: Hashable, tail: bytes, encoded: Sequence[bytes], before: KnownList | None = None) -> None:
    """That the session now holds the bodies, behind those of `before`; from the second time on, if without `before`.

    Only bodies that orjson wrote are comparable as one text.
    """
    with _lock:
        is_second = session in _lists
        _lists[session] = None
        _lists.move_to_end(session)
        while len(_lists) > SESSIONS:
            _lists.popitem(last=False)
    if not encoded or not (before or is_second) or any(body[:1] != b"{" for body in encoded):
        return
    text = before.text.copy() if before else hashlib.sha256()
    text.update((b"," if before else b"") + b",".join(encoded))
    first = before.count if before else 0
    nulls = tuple(position for position, body in enumerate(encoded, first) if b"null" in body)
    entry = KnownList(first + len(encoded), tail, (before.nulls if before else ()) + nulls, text)
    with _lock:
        _lists[session] = entry


def forget_all() -> None:
    with _lock:
        _lists.clear()

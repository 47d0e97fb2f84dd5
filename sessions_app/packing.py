"""Packs the bodies of sessions that lie still, and unpacks them (decision 0021).

Bodies are read and packed outside of any transaction, and put in their place in short ones: a body never changes but
for this, and a message that went meanwhile, or another that came to stand in its place, is known by its digest.
Only cleanup.py calls this module.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from sessions_app import bodies, piece_table
from sessions_app.databases import connection, execute
from sessions_app.session_rows import writing

READ = 25  # messages looked at once
MEASURED = 4_000_000  # bytes of bodies that are packed to tell what packing saves
MEASURING = 0.3  # seconds in which that ends, of what is estimated
PARTS, PART = 400, 4  # places of which an estimate is made, and messages of each
HELD = 1_000_000  # bytes put in their place in one transaction, or one body
_COUNT = "SELECT message_count FROM forklore_session WHERE id = %s"
_ROWS = (
    "SELECT position, digest, body FROM forklore_message WHERE strand_id = %s AND position >= %s AND position < %s"
    " ORDER BY position"
)
_PUT = "UPDATE forklore_message SET body = %s WHERE strand_id = %s AND position = %s AND digest = %s"


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed, in bytes of bodies before and after."""

    before: int = 0
    after: int = 0

    def __add__(self, other: Packed) -> Packed:
        return Packed(self.before + other.before, self.after + other.after)


@dataclass(frozen=True, slots=True)
class Run:
    """Messages of a strand that sessions show, and the bytes of their bodies as they were written."""

    strand: int
    start: int
    stop: int
    size: int


@dataclass(frozen=True, slots=True)
class Saving:
    saved_bytes: int
    of_bytes: int  # that were packed to know it
    estimated: bool  # from these, for there are more


def saving(runs: Sequence[Run]) -> Saving:
    """What packing would save: measured, or of much estimated from messages here and there, of large strands more."""
    total = sum(run.size for run in runs)
    if total <= MEASURED:
        found = _saved_of(_bodies_of(runs))
        return Saving(found.before - found.after, total, estimated=False)
    found = _saved_of(_some_bodies(runs))
    share = (found.before - found.after) / max(found.before, 1)
    return Saving(round(share * total), found.before, estimated=True)


def pack(id: UUID) -> Packed:
    """Pack what a session shows and is worth it; what is packed already is left out."""
    return _change(id, bodies.pack)


def unpack(id: UUID) -> Packed:
    return _change(id, _unpacked)


def _saved_of(some: Iterator[str]) -> Packed:
    found = Packed()
    for body in some:
        packed = bodies.pack(body)
        before = len(bodies.plain(body).encode())
        found += Packed(before, before if packed is None else len(packed.encode()))
    return found


def _bodies_of(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        for first in range(run.start, run.stop, READ):
            for *_, body in execute(_ROWS, [run.strand, first, min(first + READ, run.stop)]).fetchall():
                yield body


def _some_bodies(runs: Sequence[Run]) -> Iterator[str]:
    """Of places that are as likely as their strands are large; the same ones at each look."""
    until, read, chance = time.monotonic() + MEASURING, 0, random.Random(0)
    ends = list(accumulate(run.size for run in runs))
    for _ in range(PARTS):
        run = runs[bisect_right(ends, chance.randrange(ends[-1]))]
        first = chance.randrange(run.start, run.stop)
        for *_, body in execute(_ROWS, [run.strand, first, min(first + PART, run.stop)]).fetchall():
            yield body
            read += len(body)
        if read >= MEASURED or time.monotonic() > until:
            return


def _unpacked(body: str) -> str | None:
    found = bodies.plain(body)
    return None if found is body else found


def _change(id: UUID, change: Callable[[str], str | None]) -> Packed:
    found = execute(_COUNT, [piece_table.key(id)]).fetchone()
    done = Packed()
    for piece in piece_table.pieces(id, found[0]) if found else ():
        for first in range(piece.start, piece.stop, READ):
            done += _change_some(piece.strand, first, min(first + READ, piece.stop), change)
    return done


def _change_some(strand: int, start: int, stop: int, change: Callable[[str], str | None]) -> Packed:
    waiting, done = list[tuple[str, int, int, bytes]](), Packed()
    held = 0
    for position, digest, body in execute(_ROWS, [strand, start, stop]).fetchall():
        changed = change(body)
        if changed is None:
            continue
        waiting.append((changed, strand, position, bytes(digest)))
        done += Packed(len(body.encode()), len(changed.encode()))
        held += len(body) + len(changed)
        if held >= HELD:
            _put(waiting)
            waiting, held = [], 0
    _put(waiting)
    return done


def _put(waiting: list[tuple[str, int, int, bytes]]) -> None:
    if waiting:
        with writing(), connection().cursor() as cursor:
            cursor.executemany(_PUT, waiting)

"""Packs the bodies of sessions that lie still, and unpacks them (decision 0021).

Bodies are read and packed outside of any transaction, and put in their place in short ones: a body never changes but
for this, and a message that went meanwhile, or another that came to stand in its place, is known by its digest.
Only cleanup.py calls this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sessions_app import bodies, piece_table
from sessions_app.databases import connection, execute
from sessions_app.session_rows import writing

READ = 25  # messages looked at once
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


def pack(id: UUID) -> Packed:
    """Pack what a session shows and is worth it; what is packed already is left out."""
    return _change(id, bodies.pack)


def unpack(id: UUID) -> Packed:
    return _change(id, _unpacked)


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

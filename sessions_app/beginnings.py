"""What an imported session has in common with another one is shown of that one, and not stored again.

Only store.py calls this module, inside of its transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sessions_app import bodies, piece_table, session_rows
from sessions_app.errors import SessionNotFound
from sessions_app.piece_table import Tail
from sessions_app.session_rows import SessionRow


def share(row: SessionRow, beside: Sequence[UUID], added: Sequence[bytes]) -> int:
    """Show of another session what a new one has in common with it; gives how many of the messages that are.

    As long as it has nothing of its own: batch by batch.
    """
    if not beside or row.tail.strand is not None or not added:
        return 0
    digests = bodies.chain(row.tail.digest, added)
    found = [(_goes_on(row.tail, origin.tail, digests), origin) for origin in map(_beside, beside) if origin]
    shared, origin = max(found, key=lambda one: one[0], default=(0, None))
    if origin is None or not shared:
        return 0
    count = row.tail.count + shared
    of = piece_table.pieces(origin.id, origin.tail.count, 0, count)
    piece_table.forget(row.id)
    row.tail = piece_table.tail_at(of, row.id, count, origin.tail.first_prompt)
    piece_table.share(row.tail, of, count)
    return shared


def _beside(id: UUID) -> SessionRow | None:
    try:
        return session_rows.locked(id, where="either", share=True)
    except SessionNotFound:
        return None


def _goes_on(tail: Tail, other: Tail, digests: Sequence[bytes]) -> int:
    """How many of the messages behind a session's last one another session has there too, if it has all before them."""
    if tail.session == other.session or other.count <= tail.count:
        return 0
    if tail.count:
        of = piece_table.pieces(other.session, other.count, 0, tail.count)
        if piece_table.tail_at(of, tail.session, tail.count, None).digest != tail.digest:
            return 0
    return _common_from(other, tail.count, digests)


def _common_from(other: Tail, start: int, digests: Sequence[bytes]) -> int:
    low, high = 0, min(other.count - start, len(digests))
    of = piece_table.pieces(other.session, other.count, start, start + high)
    while low < high:
        middle = (low + high + 1) // 2
        if piece_table.tail_at(of, other.session, start + middle, None).digest == digests[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low

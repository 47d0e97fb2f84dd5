"""What a rewrite of a session drops is kept: a revision, which waits in the trash as the session was (decision 0020).

Only store.py and journal.py call this module, inside of their transactions.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sessions_app import piece_table, session_rows
from sessions_app.piece_table import Tail
from sessions_app.session_rows import SessionRow

# What is copied lets the session go on in its strand; what is more stays where it is, and the session goes on in another.
COPIED, COPIED_BYTES = 32, 256_000  # messages, and bytes of them


def keep(row: SessionRow, position: int, moment: datetime) -> UUID:
    """Keep a session as it is, before its messages from `position` on are dropped; the revision's id."""
    of = row.pieces()
    kept = _beside(row, position)
    kept.tail = piece_table.tail_at(of, kept.id, position, row.tail.first_prompt)
    few = row.tail.count - position <= COPIED and row.tail.size - kept.tail.size <= COPIED_BYTES
    if not few:
        kept.tail = piece_table.tail_at(of, kept.id, row.tail.count, row.tail.first_prompt)
    piece_table.share(kept.tail, of, kept.tail.count)
    if few:
        piece_table.copy_behind(kept.tail, of, row.tail)
    session_rows.insert(kept, trashed_at=moment)
    return kept.id


def put_back(id: UUID, revision: UUID, moment: datetime) -> UUID | None:
    """Let a session be what its revision is; the revision becomes what the session was, or goes if that was no more
    than a beginning of it. Gives the revision if it can go."""
    row, kept = session_rows.locked(id), session_rows.locked(revision, where="trash")
    piece_table.swap(row.id, kept.id)
    row.tail, kept.tail = kept.tail, row.tail
    row.tail.session, kept.tail.session = row.id, kept.id
    row.turns, kept.turns = kept.turns, row.turns
    if row.tail.first_prompt is not None:
        row.retitle(row.tail.first_prompt, row.messages(row.tail.first_prompt, row.tail.first_prompt + 1))
    else:
        row.retitle(0, [])
    row.touch(moment)
    session_rows.save(row)
    session_rows.save_revision(kept, moment)
    return revision if kept.tail.count == kept.fork_point else None


def _beside(row: SessionRow, position: int) -> SessionRow:
    id = uuid4()
    return SessionRow(
        id=id,
        project_id=row.project_id,
        project=row.project,
        created_at=row.created_at,
        updated_at=row.updated_at,
        tail=Tail(id),
        parent_id=row.id,
        relation="revision",
        fork_point=position,
        title=row.title,
        title_source=row.title_source,
        agent=row.agent,
        turns=row.turns,
    )

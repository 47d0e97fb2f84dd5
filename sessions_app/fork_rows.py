"""The rows of forks that are made together: copies of those of one, for forking.py alone."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sessions_app import change_log, search_index
from sessions_app.databases import execute
from sessions_app.piece_table import key

CHUNK = 400  # sessions of a statement

_SESSION = """INSERT INTO forklore_session (id, project_id, parent_id, relation, relation_inferred, fork_point, title,
    title_source, first_prompt, agent, turns, message_count, prompt_count, size_bytes, version, created_at, updated_at,
    strand_id, tail_digest)
WITH twin(id) AS (VALUES {})
SELECT twin.id, project_id, parent_id, relation, relation_inferred, fork_point, title,
    title_source, first_prompt, agent, turns, message_count, prompt_count, size_bytes, version, created_at, updated_at,
    strand_id, tail_digest FROM twin, forklore_session session WHERE session.id = %s"""
_PIECES = """INSERT INTO forklore_piece (session_id, start, stop, strand_id)
WITH twin(id) AS (VALUES {})
SELECT twin.id, start, stop, strand_id FROM twin, forklore_piece piece WHERE piece.session_id = %s"""


def copy(fork: UUID, title: str, ids: Sequence[UUID]) -> None:
    """Make sessions of these ids that are what a fork is which nobody has written to yet."""
    for start in range(0, len(ids), CHUNK):
        keys = [key(id) for id in ids[start : start + CHUNK]]
        placeholders = ", ".join(["(%s)"] * len(keys))
        for statement in (_SESSION, _PIECES):
            execute(statement.format(placeholders), [*keys, key(fork)])
        for each in keys:
            search_index.set_title(each, title, new=True)
        change_log.note_where(f"id IN ({', '.join(['%s'] * len(keys))})", keys, "created")

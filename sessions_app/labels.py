"""What people put on a session to find it or to have it out of the way: a pin, the archive, tags.

Only store.py calls this module. None of it touches messages, `version` or `updated_at`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from sessions_app import session_rows
from sessions_app.databases import execute
from sessions_app.piece_table import key

_TAGS = "SELECT name FROM forklore_tag WHERE session_id = %s"

Mark = Literal["pinned", "archived"]


def mark(id: UUID, what: Mark, moment: datetime | None) -> None:
    """Note since when a live session is pinned or archived, or that it no longer is; a moment that stands stays."""
    value = "NULL" if moment is None else f"COALESCE({what}_at, %s)"
    values = [] if moment is None else [session_rows.moment_for_database(moment)]
    with session_rows.writing():
        session_rows.change_one(id, f"{what}_at = {value}", values, "labelled")


def tag(id: UUID, name: str) -> None:
    """Put a tag on a session of which the transaction holds the row."""
    execute("INSERT INTO forklore_tag (session_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING", [key(id), name])


def untag(id: UUID, name: str) -> None:
    execute("DELETE FROM forklore_tag WHERE session_id = %s AND name = %s", [key(id), name])


def tags(id: UUID) -> list[str]:
    """In the order of their characters' numbers, whatever the database's collation."""
    return sorted(name for (name,) in execute(_TAGS, [key(id)]).fetchall())


def forget(id: UUID) -> None:
    execute("DELETE FROM forklore_tag WHERE session_id = %s", [key(id)])

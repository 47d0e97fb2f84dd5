"""What people put on a session to find it or to have it out of the way: a pin, the archive, tags.

Only store.py calls this module. None of it touches messages, `version` or `updated_at`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from sessions_app import session_rows
from sessions_app.databases import execute
from sessions_app.models import Session
from sessions_app.piece_table import key

_TAGS = "SELECT name FROM forklore_tag WHERE session_id = %s"

Mark = Literal["pinned", "archived"]


def mark(id: UUID, what: Mark, moment: datetime | None) -> datetime | None:
    """Note since when a live session is pinned or archived, or that it no longer is; a moment that stands stays.

    Gives since when it was before. Within the caller's transaction.
    """
    value = "NULL" if moment is None else f"COALESCE({what}_at, %s)"
    values = [] if moment is None else [session_rows.moment_for_database(moment)]
    had = Session.objects.filter(pk=id).values_list(f"{what}_at", flat=True).first()
    session_rows.change_one(id, f"{what}_at = {value}", values, "labelled")
    return had


def tag(id: UUID, name: str) -> bool:
    """Put a tag on a session of which the transaction holds the row; whether it was not there."""
    statement = "INSERT INTO forklore_tag (session_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING"
    return execute(statement, [key(id), name]).rowcount > 0


def untag(id: UUID, name: str) -> bool:
    return execute("DELETE FROM forklore_tag WHERE session_id = %s AND name = %s", [key(id), name]).rowcount > 0


def tags(id: UUID) -> list[str]:
    """In the order of their characters' numbers, whatever the database's collation."""
    return sorted(name for (name,) in execute(_TAGS, [key(id)]).fetchall())

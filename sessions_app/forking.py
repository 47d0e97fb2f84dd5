"""Many forks of one place at once, for as many attempts at what comes next."""

from __future__ import annotations

from uuid import UUID, uuid4

from sessions_app import fork_rows, journal, quotas, session_rows, store
from sessions_app.session_rows import writing

MOST = 1000  # forks made at once


def fork_often(parent: UUID, position: int, count: int) -> list[UUID]:
    """As many calls of store.fork_at, in one transaction and one entry of the journal.

    Raises ValueError for none or more than MOST, QuotaExceeded, and what one raises.
    """
    if not 1 <= count <= MOST:
        raise ValueError(f"From 1 to {MOST:,} forks are made at once, not {count:,}.")
    with writing():
        first = store.fork_at(parent, position)
        quotas.check_project(session_rows.project_id(first.project), first.project, new_sessions=count)
        others = [uuid4() for _ in range(count - 1)]
        fork_rows.copy(first.id, first.title, others)
        journal.note_more(first.id, others)
    return [first.id, *others]

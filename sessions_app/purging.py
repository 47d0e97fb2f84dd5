"""The SQL of a purge: sessions leave for good, some at a time, and what others show stays.

Only store.py, cleanup.py and journal.py call `purge`, inside of their transactions, with sessions that they hold. Of a
large session it leaves messages behind that nobody shows, for `sweep`, in short transactions of its own (decision 0029).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from sessions_app import change_log, piece_table, recent_reads, search_index, transcript_rows
from sessions_app.databases import connection, current, execute
from sessions_app.piece_table import key
from sessions_app.session_rows import removing, uuid_of, writing

AT_ONCE = 200  # messages that go in one transaction
HELD = 0.05  # seconds; where so many take longer, fewer go, for they keep others waiting
PAUSE = 0.75  # times that a transaction took, before the next one, so that others come to write on SQLite
_ROOT = "UPDATE forklore_session SET parent_id = NULL, fork_point = NULL, relation = NULL, relation_inferred = %s WHERE id = %s"
_MOVE = "UPDATE forklore_session SET parent_id = %s, fork_point = %s WHERE id = %s"


def purge(ids: Sequence[UUID]) -> None:
    """Remove sessions of the trash, and what rewrites of them dropped; the children that stay go to the nearest
    ancestor that stays, or become roots."""
    keys: list[Any] = [*piece_table.keys(ids)]
    keys += _revisions(keys)
    ids = [uuid_of(id) for id in keys]
    among = f"IN ({', '.join(['%s'] * len(keys))})"
    change_log.note_where(f"id {among}", keys, "purged")
    _leave_children(ids, among, keys)
    shown = execute(f"SELECT DISTINCT strand_id FROM forklore_piece WHERE session_id {among}", keys).fetchall()  # noqa: S608
    for table in ("piece", "tag"):
        execute(f"DELETE FROM forklore_{table} WHERE session_id {among}", keys)  # noqa: S608
    _forget_titles(among, keys)
    transcript_rows.leave_tombstones(ids)
    execute(f"DELETE FROM forklore_session WHERE id {among}", keys)  # noqa: S608
    search_index.drop_titles(keys)
    piece_table.drop_unneeded_of([strand for (strand,) in shown], at_most=AT_ONCE)
    transaction.on_commit(partial(recent_reads.forget, current(), ids), using=current())


def sweep_when_committed() -> None:
    """The sessions are gone by then; where it fails or is killed, it is done another time."""
    transaction.on_commit(sweep, using=current(), robust=True)


@removing
def sweep() -> bool:
    """Drop what purges left behind, also those that were killed; whether there was anything. Outside of a transaction.

    Two that sweep at once do no harm: each looks anew what nobody shows.
    """
    size, found = AT_ONCE, False
    while (strand := piece_table.leftover()) is not None:
        found = True
        with writing():
            began = time.monotonic()
            piece_table.drop_leftover(strand, size)
        held = time.monotonic() - began
        size = max(size // 2, 1) if held > HELD else min(size * 2, AT_ONCE)
        if connection().vendor == "sqlite":
            time.sleep(PAUSE * held)
    return found


def _revisions(keys: Sequence[Any]) -> list[Any]:
    statement = "SELECT id FROM forklore_session WHERE relation = 'revision' AND parent_id IN ({})"
    found = execute(statement.format(", ".join(["%s"] * len(keys))), keys).fetchall()
    return [id for (id,) in found if id not in set(keys)]


def _forget_titles(among: str, keys: Sequence[Any]) -> None:
    """Nothing that was written in a session stays in the journal."""
    entries = f"SELECT entry_id FROM forklore_journalitem WHERE session_id {among}"  # noqa: S608
    execute(f"UPDATE forklore_journalentry SET value = '' WHERE action = 'rename' AND id IN ({entries})", keys)  # noqa: S608
    execute(f"UPDATE forklore_journalitem SET before = '' WHERE before <> '' AND session_id {among}", keys)  # noqa: S608


def _leave_children(ids: Sequence[UUID], among: str, keys: Sequence[Any]) -> None:
    rows = execute(f"SELECT id, parent_id, fork_point FROM forklore_session WHERE id {among}", keys).fetchall()  # noqa: S608
    above = {uuid_of(id): (parent and uuid_of(parent), point or 0) for id, parent, point in rows}
    going = set(ids)
    statement = f"SELECT id, parent_id, fork_point FROM forklore_session WHERE parent_id {among}"  # noqa: S608
    children = [row for row in execute(statement, keys).fetchall() if uuid_of(row[0]) not in going]
    if not children:
        return
    marks = ", ".join(["%s"] * len(children))
    change_log.note_where(f"id IN ({marks})", [id for id, _, _ in children], "moved")
    roots, moved = [], []
    for id, parent, point in children:
        ancestor: UUID | None = uuid_of(parent)
        while ancestor in above:
            ancestor, shared = above[ancestor]
            point = min(point or 0, shared)
        if ancestor is None:
            roots.append([False, id])
        else:
            moved.append([key(ancestor), point, id])
    with connection().cursor() as cursor:
        cursor.executemany(_ROOT, roots)
        cursor.executemany(_MOVE, moved)

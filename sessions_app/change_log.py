"""The log of what changed: which session, how, and in which order, for pages and agents that follow (decision 0013).

Only store.py and the modules of its SQL write here, each change in the transaction that makes it. Numbers ascend in
the order in which transactions can be read, and not always by one.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from typing import Any, get_args
from uuid import UUID

from sessions_app import gate
from sessions_app.databases import connection, execute
from sessions_app.errors import ChangesForgotten
from sessions_app.records import Change, ChangeKind

KEPT = 100_000  # changes; older ones are pruned
PRUNE_EVERY = 1024  # changes; a power of two
PRUNE_LOCK = 0x5072756E  # any number that nobody else locks
IN_TRANSACTION = 20  # bits of a number on PostgreSQL that tell the changes of one transaction apart

Mark = tuple[int, Any] | None  # number and session of a change; None before the first

_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
_CODES = {kind: code for code, kind in enumerate(_KINDS, 1)}
_PRUNED = 0  # code of the one row that says up to where the log was pruned; always the first

# Changes that this process has noted on PostgreSQL; not from 0 on, for one that ends soon has its turn to prune, too.
_noted = itertools.count(secrets.randbelow(PRUNE_EVERY))

_COLUMNS = "session_id, project_id, kind"
# A transaction can be read when it ends, not when it takes a number from a sequence; so its own number, of which it is
# known which ones have ended, stands before that of the sequence.
_NEXT = f"((pg_current_xact_id()::text::bigint << {IN_TRANSACTION}) | (nextval('forklore_change_number_seq') & %s))"
_MASK = (1 << IN_TRANSACTION) - 1
_HORIZON = f"SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint << {IN_TRANSACTION}) - 1"
_FOLLOWING = f"SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint << {IN_TRANSACTION}"
_SINCE = (
    "SELECT change.number, change.session_id, project.name, change.kind FROM forklore_change change"  # noqa: S608
    " JOIN forklore_project project ON project.id = change.project_id"
    f" WHERE change.number > %s AND change.number <= %s AND change.kind <> {_PRUNED}{{}}"
    " ORDER BY change.number LIMIT %s"
)


def note(session: UUID | str, project: int, kind: ChangeKind) -> None:
    """Log one change of a session; `session` is its key in the database."""
    parameters = [session, project, _CODES[kind]]
    if connection().vendor == "sqlite":
        _insert("VALUES", "(%s, %s, %s)", parameters)
        return
    # To ask for its number would be another way to the server and back.
    execute(f"INSERT INTO forklore_change (number, {_COLUMNS}) VALUES ({_NEXT}, %s, %s, %s)", [_MASK, *parameters])  # noqa: S608
    if next(_noted) % PRUNE_EVERY == 0:
        prune(KEPT)


def note_where(condition: str, parameters: Sequence[Any], kind: ChangeKind) -> None:
    """Log the same change of all sessions that fit a constant condition."""
    _insert("SELECT", f"id, project_id, %s FROM forklore_session WHERE {condition}", [_CODES[kind], *parameters])


def newest() -> int:
    """The number up to which everything has happened; 0 before the first change."""
    if connection().vendor == "postgresql":
        return execute(_HORIZON).fetchone()[0]
    # Of the table itself it would be the last one kept, and none of it need be.
    found = execute("SELECT seq FROM sqlite_sequence WHERE name = 'forklore_change'").fetchone()
    return found[0] if found else 0


def following() -> int:
    """The least number that the next change can get."""
    if connection().vendor == "postgresql":
        return execute(_FOLLOWING).fetchone()[0]
    return newest() + 1


def renumber() -> None:
    """Let numbers go on behind those of the log; where a dump came into another server they do not.

    On PostgreSQL they are made of the server's own, so there the log is forgotten instead, and its followers told so.
    """
    ((last,),) = execute("SELECT COALESCE(MAX(number), 0) FROM forklore_change").fetchall()
    if connection().vendor == "postgresql":
        execute("DELETE FROM forklore_change WHERE number <> %s", [last])
        execute("UPDATE forklore_change SET number = %s, kind = %s", [newest(), _PRUNED])
        return
    execute("DELETE FROM sqlite_sequence WHERE name = 'forklore_change'")
    execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('forklore_change', %s)", [last])


def since(number: int, limit: int) -> tuple[list[Change], int]:
    """What changed after a number, as far as the actor may see it, and up to which number that is all.

    At most `limit` changes. To be called in a snapshot. Raises ChangesForgotten.
    """
    horizon = newest()
    first = execute("SELECT number, kind FROM forklore_change ORDER BY number LIMIT 1").fetchone()
    if number > horizon or (first and first[1] == _PRUNED and number < first[0]):
        raise ChangesForgotten(number)
    if limit == 0:
        return [], number
    sight, projects = gate.condition("change.project_id")
    rows = execute(_SINCE.format(sight), [number, horizon, *projects, limit]).fetchall()
    found = [Change(row, _uuid(session), project, _KINDS[code - 1]) for row, session, project, code in rows]
    return found, found[-1].number if len(found) == limit else horizon


def mark() -> Mark:
    """The newest change of those that have all happened, by which projects_since() tells what came later.

    To be called in a snapshot.
    """
    statement = "SELECT number, session_id FROM forklore_change WHERE number <= %s ORDER BY number DESC LIMIT 1"
    return execute(statement, [newest()]).fetchone()


def projects_since(mark: Mark) -> set[int] | None:
    """The keys of the projects in which something changed after a mark was made; None if the log no longer tells.

    To be called in a snapshot. What had not happened for sure when the mark was made is told again.
    """
    if not _tells_since(mark):
        return None
    number = mark[0] if mark else 0
    found = execute("SELECT DISTINCT project_id, kind FROM forklore_change WHERE number > %s", [number]).fetchall()
    return None if any(kind == _PRUNED for _, kind in found) else {project for project, _ in found}


def sessions_since(mark: Mark, most: int) -> dict[UUID, set[ChangeKind]] | None:
    """Which sessions changed after a mark was made, and how; None for more than `most` changes and as above."""
    if not _tells_since(mark):
        return None
    number = mark[0] if mark else 0
    statement = "SELECT DISTINCT session_id, kind FROM forklore_change WHERE number > %s LIMIT %s"
    rows = execute(statement, [number, most + 1]).fetchall()
    if len(rows) > most or any(code == _PRUNED for _, code in rows):
        return None
    found: dict[UUID, set[ChangeKind]] = {}
    for session, code in rows:
        found.setdefault(_uuid(session), set()).add(_KINDS[code - 1])
    return found


def prune(kept: int) -> None:
    """Forget all but the newest `kept` changes, and remember up to where."""
    if connection().vendor == "postgresql":
        # Two that prune at once would wait for each other's rows.
        if not execute("SELECT pg_try_advisory_xact_lock(%s)", [PRUNE_LOCK]).fetchone()[0]:
            return
        horizon = newest()  # nothing of a transaction that is still under way can come to stand below
    else:
        horizon = 2**63 - 1
    statement = "SELECT number FROM forklore_change WHERE number <= %s ORDER BY number DESC LIMIT 1 OFFSET %s"
    found = execute(statement, [horizon, kept]).fetchone()
    if found:
        execute("UPDATE forklore_change SET kind = %s WHERE number = %s", [_PRUNED, found[0]])
        execute("DELETE FROM forklore_change WHERE number < %s", [found[0]])


def _tells_since(mark: Mark) -> bool:
    """Not where it was pruned, or is of another database under the old name."""
    statement = "SELECT 1 FROM forklore_change WHERE number = %s AND session_id = %s"
    return mark is None or execute(statement, mark).fetchone() is not None


def _insert(verb: str, values: str, parameters: Sequence[Any]) -> None:
    numbers: Sequence[int]
    if connection().vendor == "sqlite":
        done = execute(f"INSERT INTO forklore_change ({_COLUMNS}) {verb} {values}", parameters)
        numbers = range(done.lastrowid - done.rowcount + 1, done.lastrowid + 1) if done.rowcount > 0 else range(0)
    else:
        statement = f"INSERT INTO forklore_change (number, {_COLUMNS}) {verb} {_NEXT}, {values} RETURNING number"
        numbers = [number for (number,) in execute(statement, [_MASK, *parameters]).fetchall()]
    if any(number % PRUNE_EVERY == 0 for number in numbers):
        prune(KEPT)


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)

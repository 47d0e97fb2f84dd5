"""The rows of projects: their names, which of them stands for which, and what takes back what was done to one (decision
0033).

Only projects.py, journal.py and cleanup.py call this module, inside of their transactions. A name is never taken away: what
once named a project stands for it, or for the one that it was merged into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sessions_app import change_log, gate, session_rows
from sessions_app.databases import connection, execute
from sessions_app.models import JournalEntry
from sessions_app.piece_table import keys
from sessions_app.querysets import PROJECT_NAMED
from sessions_app.session_rows import moment_for_database

NAME, HIDE, SHOW = "project:name", "project:hide", "project:show"
MERGE = "merge"
ACTIONS = (NAME, HIDE, SHOW, MERGE)

_COLUMNS = "SELECT id, name, stands_for_id, archived_at FROM forklore_project"
# It and all whose names stand for it, and theirs.
_NAMES = """WITH RECURSIVE named(id, name) AS (
    SELECT id, name FROM forklore_project WHERE id = %s
    UNION ALL SELECT project.id, project.name FROM named JOIN forklore_project project ON project.stands_for_id = named.id
) SELECT name FROM named ORDER BY name"""
_MERGED = """SELECT 1 FROM forklore_journalentry
WHERE project_id = %s AND action = 'merge' AND state IN ('running', 'done', 'undoing')"""
_NEWEST = """id = (SELECT id FROM forklore_session WHERE project_id = %s AND trashed_at IS NULL
ORDER BY updated_at DESC, id LIMIT 1)"""
_NOT_HIDDEN = "COALESCE(relation, '') <> 'revision'"  # of what a rewrite dropped nobody is told

Condition = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class ProjectRow:
    id: int
    name: str
    stands_for: int | None
    archived_at: Any


def named(name: str) -> ProjectRow | None:
    """The project that has a name, or for which that stands; new sessions wait for the end of the transaction."""
    found = execute(PROJECT_NAMED, [name]).fetchone()
    row = locked(found[0]) if found else None
    # What was renamed or merged meanwhile is looked for again; locked rows stay.
    return named(name) if row and (row.stands_for is not None) else row


def holder(name: str) -> ProjectRow | None:
    """The row that has a name itself, whatever that stands for."""
    return _row("name", name)


def locked(id: int) -> ProjectRow:
    found = _row("id", id)
    assert found, "Rows of projects are never deleted."
    return found


def names(id: int) -> list[str]:
    """Its own name, and all that stand for it."""
    return [name for (name,) in execute(_NAMES, [id]).fetchall()]


def count(id: int) -> tuple[int, int]:
    """How many sessions a project holds, and how many of them are in the trash."""
    total = "COUNT(*), COALESCE(SUM(CASE WHEN trashed_at IS NULL THEN 0 ELSE 1 END), 0)"
    found = execute(f"SELECT {total} FROM forklore_session WHERE project_id = %s", [id]).fetchone()  # noqa: S608
    return found[0], int(found[1])


def is_merged(id: int) -> bool:
    """Whether it was merged into another, which can be taken back."""
    return execute(_MERGED, [id]).fetchone() is not None


def rename(project: ProjectRow, name: str, moment: datetime) -> None:
    """The name before stands for the project from now on; `name` is nobody's, or one that stands for it already."""
    spare = holder(name)
    if spare is None:
        _set("name = %s", [name], project.id)
        columns = "(name, created_at, stands_for_id)"
        values = [project.name, moment_for_database(moment), project.id]
        execute(f"INSERT INTO forklore_project {columns} VALUES (%s, %s, %s)", values)  # noqa: S608 constants
    else:
        _set("name = %s", [f"\x01{uuid4().hex}"], spare.id)  # no project's name, for a moment
        _set("name = %s", [name], project.id)
        _set("name = %s", [project.name], spare.id)
    change_log.note_where("project_id = %s AND trashed_at IS NULL", [project.id], "moved")


def archive(id: int, moment: datetime | None) -> None:
    """Or take it out of the archive, with None."""
    _set("archived_at = %s", [moment and moment_for_database(moment)], id)
    _tell(id)


def plan_rest(entry: JournalEntry, limit: int) -> int:
    """Let a merge take what its project still holds, at most `limit` sessions; who would make one there waits for the end
    of the transaction, or was waited for. Gives how many."""
    source = locked(entry.project_id)  # type: ignore[arg-type]
    rest = "SELECT %s, id, 0, '' FROM forklore_session WHERE project_id = %s LIMIT %s"
    statement = (
        f"INSERT INTO forklore_journalitem (entry_id, session_id, state, before) {rest}"
        " ON CONFLICT (entry_id, session_id) DO UPDATE SET state = 0"
    )
    return execute(statement, [entry.pk, source.id, limit]).rowcount


def free(ids: Sequence[UUID], project: int | None) -> list[UUID]:
    """Those of the sessions in a project that nobody else has locked, who may wait for the project."""
    if not ids:
        return []
    lock = " FOR UPDATE SKIP LOCKED" if connection().features.has_select_for_update else ""
    statement = f"SELECT id FROM forklore_session WHERE id IN ({_marks(ids)}) AND project_id = %s{lock}"  # noqa: S608
    return [session_rows.uuid_of(id) for (id,) in execute(statement, [*keys(ids), project]).fetchall()]


def stand_for_target(entry: JournalEntry) -> None:
    """Let the name of what is merged mean the other project from now on; no session is left in it."""
    target = session_rows.known_project(entry.value)
    _set("stands_for_id = %s", [target], entry.project_id)
    _tell(target)


def fits(entry: JournalEntry) -> Condition:
    return "project_id = %s", [entry.project_id]


def fits_undo(entry: JournalEntry) -> Condition:
    """What was moved elsewhere since stays there."""
    return "project_id = %s", [session_rows.known_project(entry.value)]


def move(ids: Sequence[UUID], to: int | None) -> None:
    among, listed = f"id IN ({_marks(ids)})", [*keys(ids)]
    change_log.note_where(f"{among} AND {_NOT_HIDDEN}", listed, "moved")  # for those who follow what they leave, too
    execute(f"UPDATE forklore_session SET project_id = %s WHERE {among}", [to, *listed])  # noqa: S608 placeholders
    change_log.note_where(f"{among} AND {_NOT_HIDDEN}", listed, "moved")


def check_undo(entry: JournalEntry) -> None:
    """Raises NotAllowed for whoever is no maintainer of the project, or by now of what it was merged into."""
    concerned = {entry.project_id, session_rows.standing_project(entry.project_id)}  # type: ignore[arg-type]
    for id in concerned:
        gate.check_maintainer(id, entry.value)  # type: ignore[arg-type]


def stands(entry: JournalEntry) -> bool:
    """Whether a project is as an entry left it."""
    (name, stands_for, archived_at) = execute(
        "SELECT name, stands_for_id, archived_at FROM forklore_project WHERE id = %s", [entry.project_id]
    ).fetchone()
    match entry.action:
        case "merge":
            return stands_for is not None
        case "project:name":
            return name == entry.value and stands_for is None
        case "project:hide":
            return archived_at is not None
    return archived_at is None


def take_back(entry: JournalEntry) -> None:
    """What was done to the project itself, which still stands so; of a merge, before its sessions go back."""
    project = locked(entry.project_id)  # type: ignore[arg-type]
    match entry.action:
        case "merge":
            _set("stands_for_id = NULL", [], project.id)
            _tell(session_rows.standing_project(project.stands_for))  # type: ignore[arg-type]
        case "project:name":
            rename(project, entry.name_before, entry.moment)  # type: ignore[arg-type]
        case "project:hide":
            archive(project.id, None)
        case "project:show":
            archive(project.id, entry.moment)


# Helpers, in the order in which they are called


def _row(column: str, value: str | int) -> ProjectRow | None:
    lock = " FOR UPDATE" if connection().features.has_select_for_update else ""
    found = execute(f"{_COLUMNS} WHERE {column} = %s{lock}", [value]).fetchone()
    return ProjectRow(*found) if found else None


def _marks(ids: Sequence[UUID]) -> str:
    return ", ".join(["%s"] * len(ids))


def _set(values: str, parameters: Sequence[Any], id: int | None) -> None:
    execute(f"UPDATE forklore_project SET {values} WHERE id = %s", [*parameters, id])  # noqa: S608 constants


def _tell(id: int) -> None:
    """Pages that list projects are told by a change of a session; of one without any there is nobody to tell."""
    change_log.note_where(_NEWEST, [id], "labelled")

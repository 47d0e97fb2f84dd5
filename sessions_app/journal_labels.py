"""What the journal does to many sessions besides trash and archive: pins, tags, and the project they belong to.

Only journal.py calls this module, inside of its transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sessions_app import change_log, session_rows
from sessions_app.databases import connection, execute
from sessions_app.models import JournalEntry
from sessions_app.piece_table import key, keys
from sessions_app.records import ChangeKind
from sessions_app.session_rows import moment_for_database

ACTIONS = ("pin", "unpin", "unarchive", "tag", "untag", "move")
_TAGGED = "EXISTS (SELECT 1 FROM forklore_tag tag WHERE tag.session_id = session.id AND tag.name = %s)"
# Whether a session may be touched: as it must be for the action, and for the undo of it.
_FITS = {
    "pin": "trashed_at IS NULL AND pinned_at IS NULL",
    "unpin": "trashed_at IS NULL AND pinned_at IS NOT NULL",
    "unarchive": "trashed_at IS NULL AND archived_at IS NOT NULL",
    "tag": f"trashed_at IS NULL AND NOT {_TAGGED}",
    "untag": f"trashed_at IS NULL AND {_TAGGED}",
    "move": "trashed_at IS NULL AND project_id <> %s",
}
_FITS_UNDO = {
    "pin": "pinned_at = %s",
    "unpin": "pinned_at IS NULL",
    "unarchive": "archived_at IS NULL",
    "tag": _TAGGED,
    "untag": f"NOT {_TAGGED}",
    "move": "project_id = %s",
}
MARKS = {"unpin": "pinned_at", "unarchive": "archived_at"}  # the column that is remembered and emptied

Condition = tuple[str, list[Any]]


def fits(entry: JournalEntry) -> Condition:
    return _FITS[entry.action], _parameters(entry, _FITS[entry.action])


def fits_undo(entry: JournalEntry) -> Condition:
    return _FITS_UNDO[entry.action], _parameters(entry, _FITS_UNDO[entry.action])


def act(entry: JournalEntry, ids: Sequence[UUID]) -> None:
    """Do what the entry says to sessions that fit, and log it; what a column held is remembered by the caller."""
    match entry.action:
        case "pin":
            _set("pinned_at = %s", [moment_for_database(entry.moment)], ids)
        case "unpin" | "unarchive":
            _set(f"{MARKS[entry.action]} = NULL", [], ids)
        case "tag":
            _put_tag(entry.value, ids)
        case "untag":
            _take_tag(entry.value, ids)
        case "move":
            _log(ids, "moved")  # for those who follow the project that it leaves, too
            _set("project_id = %s", _parameters(entry, "%s"), ids)
    _log(ids, "moved" if entry.action == "move" else "labelled")


def take_back(entry: JournalEntry, ids: Sequence[UUID], before: Sequence[tuple[Any, UUID | str]]) -> None:
    """`before` is what a column held, and the key of the session, for the actions that empty or change one."""
    match entry.action:
        case "pin":
            _set("pinned_at = NULL", [], ids)
        case "unpin" | "unarchive":
            _put_back(MARKS[entry.action], before)
        case "tag":
            _take_tag(entry.value, ids)
        case "untag":
            _put_tag(entry.value, ids)
        case "move":
            _log(ids, "moved")
            own = {project: session_rows.standing_project(int(project)) for project in {each for each, _ in before}}
            _put_back("project_id", [(own[project], id) for project, id in before])
    _log(ids, "moved" if entry.action == "move" else "labelled")


# Helpers, in the order in which they are called


def _parameters(entry: JournalEntry, condition: str) -> list[Any]:
    if "%s" not in condition:
        return []
    if entry.action == "pin":
        return [moment_for_database(entry.moment)]
    return [entry.value] if entry.action in ("tag", "untag") else [session_rows.known_project(entry.value)]


def _marks(ids: Sequence[UUID]) -> str:
    return ", ".join(["%s"] * len(ids))


def _set(values: str, parameters: Sequence[Any], ids: Sequence[UUID]) -> None:
    execute(f"UPDATE forklore_session SET {values} WHERE id IN ({_marks(ids)})", [*parameters, *keys(ids)])  # noqa: S608


def _put_back(column: str, before: Sequence[tuple[Any, UUID | str]]) -> None:
    with connection().cursor() as cursor:
        cursor.executemany(f"UPDATE forklore_session SET {column} = %s WHERE id = %s", before)  # noqa: S608


def _put_tag(name: str, ids: Sequence[UUID]) -> None:
    statement = "INSERT INTO forklore_tag (session_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING"
    with connection().cursor() as cursor:
        cursor.executemany(statement, [[key(id), name] for id in ids])


def _take_tag(name: str, ids: Sequence[UUID]) -> None:
    statement = f"DELETE FROM forklore_tag WHERE name = %s AND session_id IN ({_marks(ids)})"  # noqa: S608
    execute(statement, [name, *keys(ids)])


def _log(ids: Sequence[UUID], kind: ChangeKind) -> None:
    change_log.note_where(f"id IN ({_marks(ids)})", [*keys(ids)], kind)

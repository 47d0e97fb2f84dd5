"""The journal of what was done to sessions, to one or to many at once: what is planned, how far it got, and what takes
it back.

Only store.py and cleanup.py call this module, inside of their transactions. What was done carries the moment of its entry, so that
an undo touches what still stands as the entry left it, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sessions_app import (
    actors,
    change_log,
    gate,
    journal_labels,
    journal_parents,
    project_rows,
    purging,
    revisions,
    search_index,
    session_rows,
)
from sessions_app.actors import Role
from sessions_app.databases import connection, execute
from sessions_app.models import JournalEntry, JournalItem
from sessions_app.piece_table import key, keys
from sessions_app.records import ChangeKind
from sessions_app.session_rows import aware, moment_for_database, uuid_of

PLANNED, DONE, PASSED_OVER, UNDONE = JournalItem.State.values

# Whether a session may be touched: as it must be for the action, and for the undo of it. %s is the entry's moment.
FITS = {
    "trash": "trashed_at IS NULL",
    "archive": "trashed_at IS NULL AND archived_at IS NULL",
    "restore": "trashed_at IS NOT NULL",
    "pack": "trashed_at IS NULL",
}
FITS_UNDO = {
    "trash": "trashed_at = %s",
    "archive": "archived_at = %s",
    "restore": "trashed_at IS NULL",
    "pack": "id IS NOT NULL",
    "rename": "title_source = 'user' AND title = %s",
    "fork": "trashed_at IS NULL AND version = 1",  # nobody went on with it
    "rewrite": """trashed_at IS NULL AND version = %s AND EXISTS (SELECT 1 FROM forklore_session kept
WHERE kept.id = %s AND kept.relation = 'revision' AND kept.trashed_at IS NOT NULL)""",
}
CHANGES: dict[str, tuple[ChangeKind, ChangeKind]] = {
    "trash": ("deleted", "restored"),
    "archive": ("labelled", "labelled"),
    "restore": ("restored", "deleted"),
    "fork": ("created", "deleted"),
}
FORGOTTEN_AT_ONCE = 500  # entries
# Sessions are few and an entry's items many, also those that were; PostgreSQL would look through all of them.
_OF_ENTRY = "(entry_id = %s) IS TRUE"
# What a policy leaves alone, looked at again where it acts, for much may have happened since it was planned.
_UNPROTECTED = """ AND pinned_at IS NULL AND updated_at <= %s
AND NOT EXISTS (SELECT 1 FROM forklore_tag tag WHERE tag.session_id = session.id AND tag.name = 'keep')
AND NOT EXISTS (SELECT 1 FROM forklore_session child WHERE child.parent_id = session.id AND child.trashed_at IS NULL
AND NOT EXISTS (SELECT 1 FROM forklore_journalitem item WHERE item.entry_id = %s AND item.session_id = child.id))"""


def begin(action: str, moment: datetime, policy: str = "", query: str = "", value: str = "") -> int:
    return _begin(action, moment, JournalEntry.State.PLANNING, 0, policy, query, value)


def begin_of_project(action: str, moment: datetime, project: int, value: str, name_before: str | None = None) -> int:
    """`value` is the project's name by then, or that of the one it is merged into."""
    of_project = {"project_id": project, "name_before": name_before}
    return _begin(action, moment, JournalEntry.State.RUNNING, 0, value=value, **of_project)


def note(action: str, session: UUID, moment: datetime, value: str = "", before: str = "") -> None:
    """Write down what the transaction did to one session; `before` is what it took the place of."""
    entry = _begin(action, moment, JournalEntry.State.DONE, 1, value=value)
    statement = "INSERT INTO forklore_journalitem (entry_id, session_id, state, before) VALUES (%s, %s, %s, %s)"
    execute(statement, [entry, key(session), DONE, before])


def note_more(session: UUID, others: Sequence[UUID]) -> None:
    """Let what the transaction noted last of a session have been done to others with it."""
    statement = "SELECT MAX(entry_id) FROM forklore_journalitem WHERE session_id = %s"
    ((entry,),) = execute(statement, [key(session)]).fetchall()
    plan(entry, others)
    mark(entry, others, DONE)
    count(entry, len(others))


def text(value: datetime | str | int | None) -> str:
    """What a column held, as an item keeps it."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return aware(found).astimezone(UTC).isoformat()


def forget_before(moment: datetime) -> None:
    """Drop the entries from before a moment that are not under way; nothing of theirs can be taken back any more."""
    old = "moment < %s AND state NOT IN ('running', 'undoing')"
    parameters = [moment_for_database(moment)]
    among = f"SELECT id FROM forklore_journalentry WHERE {old} ORDER BY id LIMIT {FORGOTTEN_AT_ONCE}"  # noqa: S608
    ids = [id for (id,) in execute(among, parameters).fetchall()]
    if ids:
        execute(f"DELETE FROM forklore_journalitem WHERE entry_id IN ({_marks(ids)})", ids)  # noqa: S608
        execute(f"DELETE FROM forklore_journalentry WHERE id IN ({_marks(ids)})", ids)  # noqa: S608


def plan(entry: int, ids: Iterable[UUID]) -> None:
    if connection().vendor == "postgresql":  # which takes a list at once in a tenth of the time
        listed = "SELECT %s, id, %s, '' FROM unnest(%s::uuid[]) AS listed(id)"
        statement = (
            f"INSERT INTO forklore_journalitem (entry_id, session_id, state, before) {listed} ON CONFLICT DO NOTHING"
        )
        execute(statement, [entry, PLANNED, keys(ids)])
        return
    rows = [[entry, id, PLANNED, ""] for id in keys(ids)]
    with connection().cursor() as cursor:
        cursor.executemany(
            "INSERT INTO forklore_journalitem (entry_id, session_id, state, before) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            rows,
        )


def drop(entry: int) -> None:
    execute("DELETE FROM forklore_journalitem WHERE entry_id = %s", [entry])
    execute("DELETE FROM forklore_journalentry WHERE id = %s", [entry])


def under_way(action: str = "") -> list[JournalEntry]:
    """What was begun and has not ended: it is being done, or was cut off."""
    rows = JournalEntry.objects.filter(state__in=(JournalEntry.State.RUNNING, JournalEntry.State.UNDOING))
    return list((rows.filter(action=action) if action else rows).order_by("pk"))


def locked(entry: int) -> JournalEntry | None:
    """The entry, kept from other processes until the end of the transaction; SQLite has one writer anyway."""
    return JournalEntry.objects.select_for_update().filter(pk=entry).first()


def set_state(entry: int, state: str) -> None:
    execute("UPDATE forklore_journalentry SET state = %s WHERE id = %s", [state, entry])


def count(entry: int, done: int, freed: int = 0) -> None:
    statement = "UPDATE forklore_journalentry SET done = done + %s, freed_bytes = freed_bytes + %s WHERE id = %s"
    execute(statement, [done, freed, entry])


def taken(entry: int) -> set[UUID]:
    """All sessions that an entry took, whether they still are as it left them or not."""
    statement = "SELECT session_id FROM forklore_journalitem WHERE entry_id = %s AND state IN (%s, %s)"
    return {uuid_of(id) for (id,) in execute(statement, [entry, DONE, UNDONE]).fetchall()}


def set_value(entry: int, value: str) -> None:
    execute("UPDATE forklore_journalentry SET value = %s WHERE id = %s", [value, entry])


def is_planned(entry: int, id: UUID) -> bool:
    return JournalItem.objects.filter(entry=entry, session=id, state=PLANNED).exists()


def items(entry: int, state: int, limit: int) -> list[UUID]:
    statement = "SELECT session_id FROM forklore_journalitem WHERE entry_id = %s AND state = %s LIMIT %s"
    return [uuid_of(id) for (id,) in execute(statement, [entry, state, limit]).fetchall()]


def mark(entry: int, ids: Sequence[UUID], state: int) -> None:
    if ids:
        among, listed = _among("session_id", ids)
        statement = f"UPDATE forklore_journalitem SET state = %s WHERE {_OF_ENTRY} AND {among}"  # noqa: S608
        execute(statement, [state, entry, *listed])


def fitting(entry: JournalEntry, ids: Sequence[UUID], running_after: datetime) -> list[UUID]:
    """Those of the sessions that the action still takes, locked; a policy's leaves out what is protected by now."""
    if entry.action in journal_labels.ACTIONS:
        return _locked(ids, *journal_labels.fits(entry), Role.WRITER)
    if entry.action == project_rows.MERGE:
        return _locked(ids, *project_rows.fits(entry), None)
    condition, parameters = FITS.get(entry.action), list[Any]()
    if condition is None:  # a purge, of what was there when it began
        condition, parameters = "trashed_at <= %s", [moment_for_database(entry.moment)]
    if entry.policy and entry.action != "pack":
        condition += _UNPROTECTED
        parameters += [moment_for_database(running_after), entry.pk]
    return _locked(ids, condition, parameters, Role.MAINTAINER if entry.action == "purge" else Role.WRITER)


def fitting_undo(entry: JournalEntry, ids: Sequence[UUID]) -> list[UUID]:
    """Those of the sessions that still stand as the entry left them, locked."""
    if entry.action in journal_labels.ACTIONS:
        return _locked(ids, *journal_labels.fits_undo(entry), Role.WRITER)
    if entry.action == journal_parents.ACTION:
        return _locked(ids, *journal_parents.fits_undo(entry), Role.WRITER)
    if entry.action == project_rows.MERGE:
        return _locked(ids, *project_rows.fits_undo(entry), None)
    condition = FITS_UNDO[entry.action]
    if entry.action == "rewrite":
        version, kept = entry.value.split()
        return _locked(ids, condition, [int(version), key(UUID(kept))], Role.WRITER)
    value = entry.value if entry.action == "rename" else moment_for_database(entry.moment)
    return _locked(ids, condition, [value] if "%s" in condition else [], Role.WRITER)


def act(entry: JournalEntry, ids: Sequence[UUID]) -> None:
    """Do what the entry says to sessions that fit."""
    if not ids:
        return
    if entry.action in journal_labels.ACTIONS:
        _remember_label(entry, ids)
        journal_labels.act(entry, ids)
        return
    if entry.action == project_rows.MERGE:
        project_rows.move(ids, to=session_rows.known_project(entry.value))
        return
    moment = moment_for_database(entry.moment)
    match entry.action:
        case "trash":
            _set("trashed_at = %s", [moment], ids)
        case "archive":
            _set("archived_at = %s", [moment], ids)
        case "restore":
            _remember_when_trashed(entry.pk, ids)
            _set(session_rows.OUT_OF_TRASH, [], ids)
    _log(ids, CHANGES[entry.action][0])


def merge_goes_on(entry: JournalEntry, limit: int, at_once: int) -> bool:
    """Plan what is left of a project that is being merged, at most `limit` sessions. False where it could all be moved here,
    at most `at_once`, however fast others come in; and then the merge is done."""
    if project_rows.plan_rest(entry, limit) > at_once:
        return True
    ids = items(entry.pk, PLANNED, at_once)
    free = project_rows.free(ids, entry.project_id)
    act(entry, free)
    mark(entry.pk, free, DONE)
    count(entry.pk, len(free))
    if len(free) < len(ids):
        return True
    project_rows.stand_for_target(entry)
    return False


def take_back(entry: JournalEntry, ids: Sequence[UUID], moment: datetime) -> None:
    if not ids:
        return
    if entry.action == "rename":
        _rename_back(entry.pk, ids)
        return
    if entry.action == "rewrite":
        _write_back(ids, UUID(entry.value.split()[1]), moment)
        return
    if entry.action in journal_labels.ACTIONS:
        journal_labels.take_back(entry, ids, _remembered_label(entry, ids))
        return
    if entry.action == journal_parents.ACTION:
        journal_parents.take_back(entry, ids)
        return
    if entry.action == project_rows.MERGE:
        project_rows.move(ids, to=entry.project_id)
        return
    match entry.action:
        case "trash":
            _set("trashed_at = NULL", [], ids)
        case "fork":
            _set("trashed_at = %s", [moment_for_database(moment)], ids)
        case "archive":
            _set("archived_at = NULL", [], ids)
        case "restore":
            _trash_as_before(entry.pk, ids)
    _log(ids, CHANGES[entry.action][1])


# Helpers, in the order in which they are called


def _begin(action: str, moment: datetime, state: str, done: int, policy="", query="", value="", **of_project) -> int:
    actor = actors.current()
    values = {
        "action": action,
        "moment": moment_for_database(moment),
        "actor": actor.name[:150] if actor else "",
        "actor_key": actors.caller()[:200],
        "policy": policy,
        "query": query,
        "value": value,
        "state": state,
        "done": done,
        "freed_bytes": 0,
        **of_project,
    }
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    statement = f"INSERT INTO forklore_journalentry ({columns}) VALUES ({marks}) RETURNING id"  # noqa: S608
    return execute(statement, list(values.values())).fetchone()[0]


def _marks(ids: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(ids))


def _among(column: str, ids: Sequence[UUID]) -> tuple[str, list[Any]]:
    """That a column holds one of these; as one parameter on PostgreSQL, which so plans it once for any number."""
    if connection().vendor == "postgresql":
        return f"{column} = ANY(%s)", [keys(ids)]
    return f"{column} IN ({_marks(ids)})", [*keys(ids)]


def _locked(ids: Sequence[UUID], condition: str, parameters: Sequence[Any], needs: Role | None) -> list[UUID]:
    """`needs` is None where the role was asked for in the projects themselves."""
    lock = " ORDER BY id FOR UPDATE OF session" if connection().features.has_select_for_update else ""
    sight, projects = ("", []) if needs is None else gate.condition("project_id", needs)
    among, listed = _among("id", ids)
    # As a truth value no index fits the condition, such as that of all that one run put into the trash.
    statement = f"SELECT id FROM forklore_session session WHERE {among} AND ({condition}) IS TRUE{sight}{lock}"  # noqa: S608
    return [uuid_of(id) for (id,) in execute(statement, [*listed, *parameters, *projects]).fetchall()]


def _set(values: str, parameters: Sequence[Any], ids: Sequence[UUID]) -> None:
    among, listed = _among("id", ids)
    execute(f"UPDATE forklore_session SET {values} WHERE {among}", [*parameters, *listed])  # noqa: S608


def _log(ids: Sequence[UUID], kind: ChangeKind) -> None:
    change_log.note_where(*_among("id", ids), kind)


def _remember_when_trashed(entry: int, ids: Sequence[UUID]) -> None:
    _remember(entry, ids, "trashed_at")


def _remember_label(entry: JournalEntry, ids: Sequence[UUID]) -> None:
    column = "project_id" if entry.action == "move" else journal_labels.MARKS.get(entry.action)
    if column:
        _remember(entry.pk, ids, column)


def _remember(entry: int, ids: Sequence[UUID], column: str) -> None:
    among, listed = _among("id", ids)
    with connection().cursor() as cursor:
        cursor.execute(f"SELECT id, {column} FROM forklore_session WHERE {among}", listed)  # noqa: S608
        rows = [[text(value), entry, id] for id, value in cursor.fetchall()]
        cursor.executemany("UPDATE forklore_journalitem SET before = %s WHERE entry_id = %s AND session_id = %s", rows)


def _trash_as_before(entry: int, ids: Sequence[UUID]) -> None:
    rows = [(_moment(before), id) for before, id in _remembered(entry, ids)]
    with connection().cursor() as cursor:
        cursor.executemany("UPDATE forklore_session SET trashed_at = %s WHERE id = %s", rows)


def _remembered_label(entry: JournalEntry, ids: Sequence[UUID]) -> list[tuple[Any, Any]]:
    if entry.action in journal_labels.MARKS:
        return [(_moment(before), id) for before, id in _remembered(entry.pk, ids)]
    return _remembered(entry.pk, ids) if entry.action == "move" else []


def _remembered(entry: int, ids: Sequence[UUID]) -> list[tuple[Any, Any]]:
    """What a column held before, as text, and the key of the session."""
    among, listed = _among("session_id", ids)
    statement = f"SELECT before, session_id FROM forklore_journalitem WHERE {_OF_ENTRY} AND {among}"  # noqa: S608
    return execute(statement, [entry, *listed]).fetchall()


def _moment(before: str) -> Any:
    return moment_for_database(datetime.fromisoformat(before))


def _rename_back(entry: int, ids: Sequence[UUID]) -> None:
    for before, id in _remembered(entry, ids):
        title, source = json.loads(before)
        row = session_rows.locked(uuid_of(id))
        row.title, row.title_source = title, source
        if row.tail.first_prompt is not None:  # which may have come since
            row.retitle(row.tail.first_prompt, row.messages(row.tail.first_prompt, row.tail.first_prompt + 1))
        session_rows.change_one(row.id, "title = %s, title_source = %s", [row.title, row.title_source], "renamed")
        search_index.set_title(key(row.id), row.title)


def _write_back(ids: Sequence[UUID], kept: UUID, moment: datetime) -> None:
    for id in ids:  # which is one
        if spare := revisions.put_back(id, kept, moment):
            purging.purge([spare])

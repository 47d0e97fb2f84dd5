"""Forks that are of no more use: those that never diverged, duplicates, and retries that were abandoned.

Each is found by one statement over the newest LOOKED_AT sessions of a scope, for no page may read a million of them.
What is pinned, tagged keep, archived, running or has children is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sessions_app import actors, gate, ledger
from sessions_app.actors import Role
from sessions_app.databases import current, execute
from sessions_app.models import Project, Session
from sessions_app.querysets import RUNNING, SessionQuerySet
from sessions_app.session_rows import moment_for_database, snapshot, uuid_of

LOOKED_AT = 20_000  # sessions
ABANDONED = timedelta(days=7)  # without a write
SHORT = 4  # own messages of a retry that led nowhere

Row = tuple[UUID, UUID]  # a session, and the one that makes it needless


@dataclass(frozen=True, slots=True)
class Found:
    never_diverged: list[Row]  # with its parent, which shows all that it shows
    duplicates: list[Row]  # with the oldest that shows the same
    abandoned: list[Row]  # with its parent; another fork from the same place, or the parent itself, went further
    is_cut: bool  # whether there are more sessions than were looked at


def find(scope: SessionQuerySet, now: datetime) -> Found:
    """Among the live sessions of a scope in which the actor may write, newest first."""
    with snapshot():
        newest, parameters, is_cut = _newest(scope)
        running = moment_for_database(now - RUNNING)
        idle = moment_for_database(now - ABANDONED)

        def rows(statement: str, *more: Any) -> list[Row]:
            sight, projects = gate.condition("parent.project_id") if "{sight}" in statement else ("", [])
            asked = _NEWEST.format(newest) + statement.format(sight=sight)
            return [(uuid_of(id), uuid_of(of)) for id, of in execute(asked, [*parameters, *more, *projects]).fetchall()]

        same = _with_nothing_of_their_own(rows(_NEVER_DIVERGED, running))
        known = {id for id, _ in same}
        duplicates = [row for row in rows(_DUPLICATES, running) if row[0] not in known]
        known |= {id for id, _ in duplicates}
        abandoned = [row for row in rows(_ABANDONED, SHORT, idle) if row[0] not in known]
        return Found(same, duplicates, abandoned, is_cut)


KINDS: dict[str, Callable[[Found], list[Row]]] = {
    "never-diverged": lambda found: found.never_diverged,
    "duplicates": lambda found: found.duplicates,
    "abandoned": lambda found: found.abandoned,
}

# Helpers, in the order in which they are called

_NEWEST = """WITH newest AS (SELECT id, parent_id, relation, fork_point, message_count, tail_digest, created_at, updated_at,
CASE WHEN pinned_at IS NOT NULL OR archived_at IS NOT NULL
OR EXISTS (SELECT 1 FROM forklore_tag tag WHERE tag.session_id = session.id AND tag.name = 'keep')
OR EXISTS (SELECT 1 FROM forklore_session child WHERE child.parent_id = session.id AND child.trashed_at IS NULL)
THEN 1 ELSE 0 END AS kept FROM forklore_session session WHERE id IN ({})) """
_NEVER_DIVERGED = """SELECT newest.id, parent.id FROM newest JOIN forklore_session parent ON parent.id = newest.parent_id
WHERE kept = 0 AND newest.relation = 'fork' AND newest.message_count <= newest.fork_point AND newest.updated_at <= %s
{sight} ORDER BY newest.updated_at DESC, newest.id"""
_DUPLICATES = """SELECT id, first FROM (
SELECT id, kept, updated_at, FIRST_VALUE(id) OVER same AS first, ROW_NUMBER() OVER same AS place FROM newest
WHERE message_count > 0 AND (relation IS NULL OR relation <> 'subagent')
WINDOW same AS (PARTITION BY tail_digest ORDER BY kept DESC, created_at, id)) ranked
WHERE place > 1 AND kept = 0 AND updated_at <= %s ORDER BY updated_at DESC, id"""
_ABANDONED = """SELECT retry.id, parent.id FROM (
SELECT id, parent_id, fork_point, message_count, updated_at, kept,
MAX(message_count) OVER (PARTITION BY parent_id, fork_point) AS furthest
FROM newest WHERE relation = 'fork') retry JOIN forklore_session parent ON parent.id = retry.parent_id
WHERE kept = 0 AND retry.message_count > retry.fork_point AND retry.message_count - retry.fork_point <= %s
AND retry.updated_at <= %s AND (furthest > retry.message_count
OR (parent.trashed_at IS NULL AND parent.message_count > retry.message_count)) {sight}
ORDER BY retry.updated_at DESC, retry.id"""


def _newest(scope: SessionQuerySet) -> tuple[str, list[Any], bool]:
    found = scope.live()
    if gate.projects(actors.current(), Role.WRITER) is not None:
        found = found.filter(project__in=Project.objects.with_role(Role.WRITER))
    is_cut = found.newest_first()[LOOKED_AT : LOOKED_AT + 1].exists()
    chosen = found.newest_first().values("pk")[:LOOKED_AT]
    statement, parameters = chosen.query.get_compiler(current()).as_sql()
    return statement, list(parameters), is_cut


def _with_nothing_of_their_own(rows: list[Row]) -> list[Row]:
    """A parent may have been written anew since: then its fork is all that is left of what it said."""
    accounts = ledger.accounts(id for id, _ in rows)
    return [row for row in rows if row[0] in accounts and not accounts[row[0]].own.messages]


def in_project(project: int) -> SessionQuerySet:
    return Session.objects.visible().of_projects([project])


def in_lineage(root: UUID) -> SessionQuerySet:
    return Session.objects.visible().under(root.hex)

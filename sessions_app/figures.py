"""Sums of the live sessions of each project, kept in the process and counted anew where the change log says so.

A list tells how many sessions there are, and counting a hundred thousand takes ten times as long as all else on its
page. What is kept holds as of a row of the log; projects with a later row are counted again. So the sums are always
those of the database, and each process has its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sessions_app import change_log
from sessions_app.databases import current, execute
from sessions_app.session_rows import aware, snapshot


@dataclass(frozen=True, slots=True)
class Figures:
    """What some live sessions come to; last_activity is None where there are none."""

    sessions: int = 0
    subagents: int = 0
    archived: int = 0
    archived_subagents: int = 0
    forks: int = 0  # of any parent
    size_bytes: int = 0
    last_activity: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    mark: change_log.Mark
    by_project: dict[int, Figures]


_SUBAGENT, _FORK, _ARCHIVED = "relation = 'subagent'", "relation = 'fork'", "archived_at IS NOT NULL"

_kept: dict[str, _Kept] = {}  # by alias of the database


def by_project() -> dict[int, Figures]:
    """Of every project that has live sessions, by its key, whoever asks; not to be changed."""
    with snapshot():
        known = _kept.get(current())
        mark = change_log.mark()
        # Without a mark it could not be told that the database is another one.
        changed = change_log.projects_since(known.mark) if known and known.mark else None
        if known is None or changed is None:
            found = _counted(None)
        elif not changed:
            found = known.by_project
        else:
            others = {project: sums for project, sums in known.by_project.items() if project not in changed}
            found = others | _counted(changed)
        _kept[current()] = _Kept(mark, found)
        return found


def summed(projects: Iterable[int]) -> Figures:
    """Of these projects together."""
    known = by_project()
    found = [known[project] for project in projects if project in known]
    return Figures(
        sum(each.sessions for each in found),
        sum(each.subagents for each in found),
        sum(each.archived for each in found),
        sum(each.archived_subagents for each in found),
        sum(each.forks for each in found),
        sum(each.size_bytes for each in found),
        max((each.last_activity for each in found if each.last_activity), default=None),
    )


def forget(alias: str) -> None:
    """Count everything anew when that database is asked for again, as after it was changed past the store."""
    _kept.pop(alias, None)


def _counted(projects: Collection[int] | None) -> dict[int, Figures]:
    # Of an index alone (session_of_project), a project after the other.
    chosen = "" if projects is None else f" AND project_id IN ({', '.join(['%s'] * len(projects))})"
    rows = execute(
        f"SELECT project_id, COUNT(*), {_count(_SUBAGENT)}, {_count(_ARCHIVED)}, {_count(f'{_SUBAGENT} AND {_ARCHIVED}')},"  # noqa: S608 placeholders
        f" {_count(_FORK)}, SUM(size_bytes), MAX(updated_at)"
        f" FROM forklore_session WHERE trashed_at IS NULL{chosen} GROUP BY project_id",
        [*(projects or ())],
    ).fetchall()
    return {row[0]: Figures(row[1], row[2], row[3], row[4], row[5], int(row[6]), _moment(row[7])) for row in rows}


def _count(condition: str) -> str:
    return f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def _moment(value: datetime | str) -> datetime:
    """SQLite gives the greatest of its times as text."""
    return aware(datetime.fromisoformat(value) if isinstance(value, str) else value)

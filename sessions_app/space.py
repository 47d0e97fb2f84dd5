"""What the store takes up: by project and age, by one session alone or by several, in the index and in the file.

A strand is shown from its beginning by every session that shows it (piece_table.py). So what one live session alone
shows of it lies behind the second longest of the live ones, and what only the trash shows behind the longest of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import groupby
from operator import itemgetter
from typing import Any

from sessions_app import databases, gate
from sessions_app.databases import connection, execute
from sessions_app.piece_table import length_of
from sessions_app.session_rows import moment_for_database, snapshot

SEEING = "see what takes up space"
AGES = {  # the word in an address, and how long ago such sessions were last written to, at least and less than, in days
    "week": (0, 7),
    "month": (7, 30),
    "quarter": (30, 90),
    "year": (90, 365),
    "older": (365, None),
}


# How many bytes stand in a strand and before it, up to where a session shows it.
_SHOWN = """SELECT piece.strand_id, last.size_total, CASE WHEN session.trashed_at IS NULL THEN 1 ELSE 0 END,
session.project_id, {}, session.id FROM forklore_piece piece JOIN forklore_session session ON session.id = piece.session_id
JOIN forklore_message last ON last.strand_id = piece.strand_id
AND last.position = COALESCE(piece.stop, session.message_count) - 1 ORDER BY piece.strand_id"""
# And how many before it.
_BASES = """SELECT strand.id, first.size_total - {} FROM forklore_strand strand
JOIN forklore_message first ON first.strand_id = strand.id AND first.position = strand.start WHERE strand.start > 0"""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the bodies of messages as they are stored, each counted once: with the longest session that shows it."""

    sessions: int = 0  # live ones
    messages: int = 0  # that they show, shared ones with each
    own_bytes: int = 0  # shown by one live session alone: a purge of it frees them
    shared_bytes: int = 0  # shown by several
    trashed_sessions: int = 0
    trashed_bytes: int = 0  # shown by the trash alone: emptying it frees them

    @property
    def stored_bytes(self) -> int:
        return self.own_bytes + self.shared_bytes + self.trashed_bytes

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.sessions + other.sessions,
            self.messages + other.messages,
            self.own_bytes + other.own_bytes,
            self.shared_bytes + other.shared_bytes,
            self.trashed_sessions + other.trashed_sessions,
            self.trashed_bytes + other.trashed_bytes,
        )


@dataclass(frozen=True, slots=True)
class Database:
    total_bytes: int  # the file with its log, or all tables and indexes on a server
    index_bytes: int  # of it, search
    free_bytes: int  # of it, what a purge has emptied and `give_back` returns; 0 where the server keeps that to itself
    shrinks: bool  # whether emptied pages can be given back by give_back()


Own = list[tuple[Any, int]]  # keys of sessions in the database, and the bytes that each alone shows


def overview(
    now: datetime, *, project: int | None = None, age: str | None = None, limit: int = 50
) -> tuple[dict[tuple[int, str], Sums], Own]:
    """The sums of every project and age, by its key and word; and of one project or age the largest live sessions.

    Raises NotAllowed.
    """
    gate.check_over_all(SEEING)
    with snapshot():
        found: dict[tuple[int, str], Sums] = {}
        own: dict[Any, int] = {}
        for at, some in _counted(now):
            found[at] = found.get(at, Sums()) + some
        for at, some, session in _measured(now):
            found[at] = found.get(at, Sums()) + some
            if some.own_bytes and (project is None or at[0] == project) and (not age or at[1] == age):
                own[session] = own.get(session, 0) + some.own_bytes
    return found, nlargest(limit, own.items(), key=itemgetter(1))


def total(some: Iterable[Sums]) -> Sums:
    return sum(some, Sums())


def database() -> Database:
    """Raises NotAllowed."""
    gate.check_over_all(SEEING)
    if connection().vendor == "postgresql":
        index = execute(
            "SELECT COALESCE(SUM(pg_total_relation_size(oid)), 0) FROM pg_class"
            " WHERE relkind = 'r' AND relname LIKE 'forklore_search%%' AND relnamespace = current_schema()::regnamespace"
        ).fetchone()[0]
        whole = execute("SELECT pg_database_size(current_database())").fetchone()[0]
        return Database(int(whole), int(index), 0, shrinks=False)
    pages, size, free = (
        execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size", "freelist_count")
    )
    index = execute("SELECT COALESCE(SUM(length(block)), 0) FROM forklore_search_data").fetchone()[0]
    return Database(pages * size + _log_bytes(), index, free * size, _can_shrink())


# Giving back what a purge has emptied

INCREMENTAL = 2  # of PRAGMA auto_vacuum
STEP = 64  # pages of one transaction; a page is moved for each, so that the file's end can be cut off


def give_back(seconds: float | None = None) -> int:
    """Return emptied pages to the file system, on SQLite and some at a time, so that nobody waits; how many bytes.

    Ends after so many seconds; what is left is written to again, or goes the next time. Nothing is done with a file
    that was made before Forklore prepared it: `prepare` does so, once.
    """
    if not _can_shrink():
        return 0
    began, size = time.monotonic(), execute("PRAGMA page_size").fetchone()[0]
    at_first = free = execute("PRAGMA freelist_count").fetchone()[0]
    while free and (seconds is None or time.monotonic() - began < seconds):
        started = time.monotonic()
        # It gives a row for each page, and ends where no more are read.
        execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
        left = execute("PRAGMA freelist_count").fetchone()[0]
        if left >= free:
            break
        free = left
        time.sleep(time.monotonic() - started)  # in which others come to write
    return max(0, at_first - free) * size


def prepare() -> None:
    """Write a SQLite file anew, so that it can shrink from then on. Nobody else can write meanwhile."""
    if connection().vendor == "sqlite":
        execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        execute("VACUUM")


def before_migrate(using: str, **_: object) -> None:
    """Prepare a new file while there is nothing in it; a receiver of pre_migrate."""
    with databases.using(using):
        if connection().vendor == "sqlite" and not execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            prepare()


# Helpers, in the order in which they are called


def _can_shrink() -> bool:
    return connection().vendor == "sqlite" and execute("PRAGMA auto_vacuum").fetchone()[0] == INCREMENTAL


def _counted(now: datetime) -> list[tuple[tuple[int, str], Sums]]:
    word, parameters = _age("updated_at", now)
    rows = execute(
        f"SELECT project_id, {word}, CASE WHEN trashed_at IS NULL THEN 1 ELSE 0 END, COUNT(*), SUM(message_count)"  # noqa: S608
        " FROM forklore_session GROUP BY 1, 2, 3",
        parameters,
    ).fetchall()
    return [
        ((project, age), Sums(sessions=count, messages=int(messages)) if live else Sums(trashed_sessions=count))
        for project, age, live, count, messages in rows
    ]


def _measured(now: datetime) -> Iterator[tuple[tuple[int, str], Sums, Any]]:
    """What is stored of each strand, with the longest session that shows it."""
    word, parameters = _age("session.updated_at", now)
    bases = dict(execute(_BASES.format(length_of("first.body"))).fetchall())
    rows = execute(_SHOWN.format(word), parameters)
    for strand, shown in groupby(rows, itemgetter(0)):
        base = bases.get(strand, 0)
        by_size = sorted(shown, key=itemgetter(1), reverse=True)
        live = [row for row in by_size if row[2]]
        if live:
            below = live[1][1] if len(live) > 1 else base
            _, size, _, project, age, session = live[0]
            yield (project, age), Sums(own_bytes=size - below, shared_bytes=below - base), session
        _, size, is_live, project, age, session = by_size[0]
        if not is_live:
            yield (project, age), Sums(trashed_bytes=size - (live[0][1] if live else base)), session


def _age(column: str, now: datetime) -> tuple[str, Sequence[Any]]:
    """SQL for the word of a moment's age, and its parameters."""
    cases, parameters = "", []
    for word, (_, oldest) in AGES.items():
        if oldest is not None:
            cases += f" WHEN {column} >= %s THEN '{word}'"
            parameters.append(moment_for_database(now - timedelta(days=oldest)))
    return f"CASE{cases} ELSE 'older' END", parameters


def _log_bytes() -> int:
    """Of the file that SQLite writes ahead to; asked of its name alone, for nobody else may open it."""
    try:
        return os.stat(f"{connection().settings_dict['NAME']}-wal").st_size
    except OSError:
        return 0

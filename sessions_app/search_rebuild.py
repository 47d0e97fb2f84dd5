"""Builds the search index anew while the store goes on reading and writing.

A rebuild empties the index and goes through the messages in batches, each in a transaction of its own. Until it is
through, search reads messages instead: slower, and as right. One that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from sessions_app import databases, search_index
from sessions_app.databases import connection
from sessions_app.search_index import BATCH
from sessions_app.session_rows import writing

MERGED = 1000  # pages of the index that are merged in one transaction
AT_MIGRATION = 20_000  # messages that a migration indexes by itself; more are left to rebuild_search

Progress = Callable[[int, int], None]  # messages that are through, and all


def after_migrate(using: str, **_: object) -> None:
    """Restore what of the index a migration took away; a receiver of post_migrate."""
    with databases.using(using):
        if not _is_migrated(connection()):
            return
        if search_index.ensure() or not search_index.usable():
            return
        if _count() <= AT_MIGRATION:
            rebuild()


def rebuild(progress: Progress | None = None) -> int:
    """Index every message and title; the number of messages. Raises RuntimeError where SQLite is too old."""
    if not search_index.supported():
        raise RuntimeError("This SQLite is older than 3.43 and cannot keep a search index; install pysqlite3.")
    search_index.ensure()
    done, total = _begin(), _count()
    while batch := _index_batch():
        done += batch
        if progress:
            progress(done, max(done, total))
    if connection().vendor == "sqlite":
        _merge()
    return done


def start_anew() -> None:
    """Throw away what there is of an index, whatever state it is in, so that `rebuild` makes all of it."""
    if connection().vendor == "sqlite" and search_index.supported():
        for name in ("forklore_search_terms", "forklore_search"):
            _execute(f"DROP TABLE IF EXISTS {name}")
        search_index.ensure()
    with writing():
        _execute("DELETE FROM forklore_searchrebuild")


def tidy(written: int) -> None:
    """Join the segments of the index where the last `written` messages are a good part of all.

    Many segments take two to three times as long to search as one. Others write between the steps. On PostgreSQL what
    waits to be put into the index is put there.
    """
    if connection().vendor != "sqlite":
        search_index.flush()
    elif search_index.usable() and written * 10 >= _count():
        _merge()


# Rebuilding


def _is_migrated(database: BaseDatabaseWrapper) -> bool:
    return "forklore_searchrebuild" in database.introspection.table_names()


def _count() -> int:
    return _fetch("SELECT COUNT(*) FROM forklore_message")[0][0]


def _begin() -> int:
    """Empty the index, or find how much an interrupted rebuild has done."""
    with writing():
        started = _fetch("SELECT strand_id, position FROM forklore_searchrebuild")
        if started and started[0] != (0, -1):
            return _fetch("SELECT COUNT(*) FROM forklore_message WHERE (strand_id, position) <= (%s, %s)", started[0])[
                0
            ][0]
        for name in ("searchrebuild", "searchdocument", "searchlong", "searchblock", "searchtitle"):
            _execute(f"DELETE FROM forklore_{name}")  # noqa: S608
        if connection().vendor == "sqlite":
            _execute("INSERT INTO forklore_search (forklore_search) VALUES ('delete-all')")
        _execute("INSERT INTO forklore_searchrebuild (id, strand_id, position) VALUES (1, 0, 0)")
        for id, title in _fetch("SELECT id, title FROM forklore_session"):
            search_index.set_title(id, title, new=True)
    return 0


def _index_batch() -> int:
    """Index the next messages that are not yet; their number. The last batch, of none, ends the rebuild."""
    with writing():
        ((strand, position),) = _fetch("SELECT strand_id, position FROM forklore_searchrebuild")
        rows = _fetch(
            "SELECT strand_id, position, body FROM forklore_message WHERE (strand_id, position) > (%s, %s)"
            " ORDER BY strand_id, position LIMIT %s",
            [strand, position if strand else -1, BATCH],
        )
        if not rows:
            search_index.flush()
            _execute("DELETE FROM forklore_searchrebuild")
            return 0
        for of, group in by_strand(_locked(rows)):
            indexed = search_index.numbers(of, group[0][0], group[-1][0])
            documents = [(at, search_index.document_of(body)) for at, body in group if at not in indexed]
            search_index.add_documents(of, documents)
        _execute("UPDATE forklore_searchrebuild SET strand_id = %s, position = %s", rows[-1][:2])
        return len(rows)


def _locked(rows: list[tuple]) -> list[tuple]:
    """The rows again, their strands kept from being cut until the end of the transaction. SQLite has one writer."""
    if connection().vendor == "sqlite":
        return rows
    strands = sorted({row[0] for row in rows})
    _fetch("SELECT id FROM forklore_strand WHERE id = ANY(%s) ORDER BY id FOR SHARE", [strands])
    return _fetch(
        "SELECT strand_id, position, body FROM forklore_message"
        " WHERE (strand_id, position) BETWEEN (%s, %s) AND (%s, %s) ORDER BY strand_id, position",
        [*rows[0][:2], *rows[-1][:2]],
    )


def _merge() -> None:
    """Join the index's segments, which makes its lists faster to read; in steps, between which others write."""
    pages = -MERGED
    driver: Any = connection().connection
    while True:
        before = driver.total_changes
        with writing():
            _execute("INSERT INTO forklore_search (forklore_search, rank) VALUES ('merge', %s)", [pages])
        # https://sqlite.org/fts5.html#the_merge_command: fewer than two changes mean that nothing was left to do.
        if driver.total_changes - before < 2:
            return
        pages = MERGED


def by_strand(rows: Sequence[tuple]) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """Rows of strand, position and body, as positions and bodies for each strand."""
    groups: dict[int, list[tuple[int, str]]] = {}
    for strand, position, body in rows:
        groups.setdefault(strand, []).append((position, body))
    yield from groups.items()


def _fetch(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def _execute(statement: str, parameters: Sequence[Any] = ()) -> None:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)

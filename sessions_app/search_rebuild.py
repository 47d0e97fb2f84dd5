"""Builds the search index anew while the store goes on reading and writing, and finds what is wrong in a database.

A rebuild empties the index and goes through the messages in batches, each in a transaction of its own. Until it is
through, search reads messages instead: slower, and as right. One that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from sessions_app import bodies, databases, search_index
from sessions_app.databases import connection
from sessions_app.folding import document
from sessions_app.projection import project, search_texts
from sessions_app.search_index import BATCH, BLOCK
from sessions_app.session_rows import snapshot, writing

SAMPLED = 12  # trigrams of a message by which a check looks it up
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
        with writing():
            _execute("INSERT INTO forklore_search (forklore_search) VALUES ('optimize')")
    return done


def problems(progress: Progress | None = None) -> Iterator[str]:
    """What is wrong, a sentence each: counters, pieces, digests, messages that nobody shows, and the index."""
    yield from _index_damage()
    with snapshot():
        for statement, sentence in _RULES:
            for row in _fetch(statement):
                yield sentence.format(*row)
        yield from _strand_problems(progress)
        yield from _index_problems(progress)


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
        for of, group in _by_strand(_locked(rows)):
            indexed = _indexed(of, group[0][0], group[-1][0])
            documents = [(at, document(search_texts(bodies.decode(body)))) for at, body in group if at not in indexed]
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


def _by_strand(rows: Sequence[tuple]) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    groups: dict[int, list[tuple[int, str]]] = {}
    for strand, position, body in rows:
        groups.setdefault(strand, []).append((position, body))
    yield from groups.items()


def _indexed(strand: int, first: int, last: int) -> set[int]:
    """The positions from `first` to `last` that a writer has indexed since the rebuild began."""
    found = {
        position
        for name in ("searchdocument", "searchlong")
        for (position,) in _fetch(
            f"SELECT position FROM forklore_{name} WHERE strand_id = %s AND position BETWEEN %s AND %s",  # noqa: S608
            [strand, first, last],
        )
    }
    if connection().vendor == "sqlite":
        found |= {
            number * BLOCK + doc % BLOCK
            for number, doc in _fetch(
                "SELECT block.number, document.id FROM forklore_searchblock block JOIN forklore_search_docsize document"
                " ON document.id BETWEEN block.id * %s AND block.id * %s + %s"
                " WHERE block.strand_id = %s AND block.number BETWEEN %s AND %s",
                [BLOCK, BLOCK, BLOCK - 1, strand, first // BLOCK, last // BLOCK],
            )
        }
    return {position for position in found if first <= position <= last}


# Checking

_LIVE_PIECES = (
    "SELECT piece.session_id, piece.start, COALESCE(piece.stop, session.message_count) AS stop, piece.strand_id,"
    " piece.stop IS NULL AS claims, session.strand_id AS claimed FROM forklore_piece piece"
    " JOIN forklore_session session ON session.id = piece.session_id"
)
# Each question finds rows that must not be, and the sentence about one.
_RULES = (
    (
        "SELECT session.id, session.message_count, COALESCE(SUM(piece.stop - piece.start), 0),"  # noqa: S608
        f" COALESCE(MAX(piece.stop), 0) FROM forklore_session session LEFT JOIN ({_LIVE_PIECES}) piece"
        " ON piece.session_id = session.id GROUP BY session.id, session.message_count"
        " HAVING session.message_count <> COALESCE(SUM(piece.stop - piece.start), 0)"
        " OR session.message_count <> COALESCE(MAX(piece.stop), 0)",
        "Session {0} counts {1} messages; its pieces hold {2} and end at {3}.",
    ),
    (
        f"SELECT session_id, start, strand_id FROM ({_LIVE_PIECES}) piece WHERE claims <> (claimed = strand_id)"  # noqa: S608
        " OR (claims AND claimed IS NULL)",
        "The piece of session {0} at {1} and the session disagree about who appends to strand {2}.",
    ),
    (
        "SELECT piece.session_id, piece.start, piece.strand_id, strand.start FROM forklore_piece piece"
        " LEFT JOIN forklore_strand strand ON strand.id = piece.strand_id"
        " WHERE strand.id IS NULL OR strand.start <> piece.start",
        "The piece of session {0} at {1} does not start where its strand {2} does ({3}).",
    ),
    (
        "SELECT strand_id, COUNT(*) FROM forklore_piece WHERE stop IS NULL GROUP BY strand_id HAVING COUNT(*) > 1",
        "Strand {0} is appended to by {1} sessions.",
    ),
)


def _strand_problems(progress: Progress | None) -> Iterator[str]:
    """Messages against their digests and totals, and against what sessions show and say of them."""
    needed = dict(_fetch(f"SELECT strand_id, MAX(stop) FROM ({_LIVE_PIECES}) piece GROUP BY strand_id"))  # noqa: S608
    kept = dict(_fetch("SELECT strand_id, MAX(position) + 1 FROM forklore_message GROUP BY strand_id"))
    known = {
        id: (start, bytes(digest)) for id, start, digest in _fetch("SELECT id, start, base_digest FROM forklore_strand")
    }
    for strand in sorted(kept.keys() - known.keys()):
        yield f"The messages of strand {strand} have no strand."
    for strand in sorted(known.keys() - needed.keys()):
        yield f"No session shows strand {strand}."
    done, total = 0, _count()
    for strand, (start, digest) in sorted(known.items()):
        ends = _ends_of(strand)
        if (stop := kept.get(strand, start)) != needed.get(strand, start):
            yield f"Strand {strand} holds messages up to {stop}; sessions show them up to {needed.get(strand, start)}."
        position = start
        for at, kind, stored, size, body in _messages(strand):
            encoded = body.encode()
            (digest,) = bodies.chain(digest, [encoded])
            if at != position:
                yield f"Strand {strand} has no message {position}."
            if digest != bytes(stored):
                yield f"Message {at} of strand {strand} is not the one that was written: its digest differs."
                digest = bytes(stored)
            elif project(bodies.decode(body)).kind != kind:
                yield f"Message {at} of strand {strand} is kept as of kind {kind}, which it is not."
            for session in ends.get(at + 1, ()):
                if (bytes(session[1]), session[2]) != (digest, size):
                    yield f"Session {session[0]} does not end as its last message says."
            position, done = at + 1, done + 1
            if progress and not done % BATCH:
                progress(done, total)


def _messages(strand: int) -> Iterator[tuple]:
    position = -1
    while rows := _fetch(
        "SELECT position, kind, digest, size_total, body FROM forklore_message WHERE strand_id = %s AND position > %s"
        " ORDER BY position LIMIT %s",
        [strand, position, BATCH],
    ):
        yield from rows
        position = rows[-1][0]


def _ends_of(strand: int) -> dict[int, list[tuple]]:
    """The sessions that end in a strand, by their length."""
    ends: dict[int, list[tuple]] = {}
    for id, digest, size, count in _fetch(
        "SELECT session.id, session.tail_digest, session.size_bytes, session.message_count FROM forklore_session session"
        " JOIN forklore_piece piece ON piece.session_id = session.id WHERE piece.strand_id = %s"
        " AND COALESCE(piece.stop, session.message_count) = session.message_count",
        [strand],
    ):
        ends.setdefault(count, []).append((id, digest, size))
    return ends


def _index_damage() -> Iterator[str]:
    """What FTS5 finds wrong in its own tables; to ask is a write, and so no part of a snapshot."""
    if connection().vendor == "sqlite" and search_index.usable():
        try:
            _execute("INSERT INTO forklore_search (forklore_search) VALUES ('integrity-check')")
        except DatabaseError as error:
            yield f"The search index is damaged ({error}): run rebuild_search."


def _index_problems(progress: Progress | None) -> Iterator[str]:
    if not search_index.usable():
        yield "There is no search index: this SQLite is older than 3.43, so every search reads the messages."
        return
    if not search_index.complete():
        yield "The search index is incomplete, so every search reads the messages: run rebuild_search."
        return
    yield from _title_problems()
    done, total, strand, position = 0, _count(), 0, -1
    indexed = 0
    while rows := _fetch(
        "SELECT strand_id, position, body FROM forklore_message WHERE (strand_id, position) > (%s, %s)"
        " ORDER BY strand_id, position LIMIT %s",
        [strand, position, BATCH],
    ):
        for of, group in _by_strand(rows):
            documents = {at: document(search_texts(bodies.decode(body))) for at, body in group}
            wanted = {at for at, text in documents.items() if search_index.is_worth(text)}
            found = _indexed(of, group[0][0], group[-1][0])
            indexed += len(found)
            for at in sorted(wanted - found):
                yield f"Message {at} of strand {of} is not in the search index."
            for at in sorted(found - wanted):
                yield f"The search index holds message {at} of strand {of}, in which nothing is to be found."
            for at in sorted(wanted & found):
                if not _finds(of, at, documents[at]):
                    yield f"The search index does not find message {at} of strand {of} by its text."
        strand, position, done = rows[-1][0], rows[-1][1], done + len(rows)
        if progress:
            progress(done, total)
    if (there := _documents()) != indexed:
        yield f"The search index holds {there - indexed} messages that are not there."


def _title_problems() -> Iterator[str]:
    for id, title, text in _fetch(
        "SELECT session.id, session.title, title.text FROM forklore_session session"
        " LEFT JOIN forklore_searchtitle title ON title.session_id = session.id"
    ):
        if text != search_index.title_document(title):
            yield f"The title of session {id} is not in the search index."
    ((spare,),) = _fetch(
        "SELECT COUNT(*) FROM forklore_searchtitle WHERE session_id NOT IN (SELECT id FROM forklore_session)"
    )
    if spare:
        yield f"The search index holds {spare} titles of sessions that are not there."


def _documents() -> int:
    count = sum(_fetch(f"SELECT COUNT(*) FROM forklore_{name}")[0][0] for name in ("searchdocument", "searchlong"))  # noqa: S608
    if connection().vendor == "sqlite":
        count += _fetch("SELECT COUNT(*) FROM forklore_search_docsize WHERE id > 0")[0][0]
    return count


def _finds(strand: int, position: int, text: str) -> bool:
    """Whether the index finds a message by what it says; on SQLite by trigrams taken from all over it."""
    where = "strand_id = %s AND position = %s"
    if _fetch(f"SELECT 1 FROM forklore_searchlong WHERE {where}", [strand, position]):  # noqa: S608
        return True
    rows = _fetch(f"SELECT text FROM forklore_searchdocument WHERE {where}", [strand, position])  # noqa: S608
    if rows or connection().vendor != "sqlite":
        return rows == [(text,)]
    grams = {text[at : at + 3] for at in range(0, len(text) - 2, max(1, len(text) // SAMPLED))}
    ((block,),) = _fetch(
        "SELECT id FROM forklore_searchblock WHERE strand_id = %s AND number = %s", [strand, position // BLOCK]
    )
    quoted = " AND ".join('"' + gram.replace('"', '""') + '"' for gram in sorted(grams))
    number = block * BLOCK + position % BLOCK
    return bool(_fetch("SELECT 1 FROM forklore_search WHERE forklore_search MATCH %s AND rowid = %s", [quoted, number]))


def _fetch(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def _execute(statement: str, parameters: Sequence[Any] = ()) -> None:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)

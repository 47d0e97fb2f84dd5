"""The search index: which messages and titles may contain a text. Written in the transaction of what it tells of.

Only the writers of the store call this module, and the commands that rebuild and check. Decision 0007 has the reasons.

SQLite: an FTS5 table of trigrams without content. What few messages bring waits, folded, in forklore_searchdocument
until it is worth a batch; a search looks there too. A document's number is that of its block times BLOCK plus the place
in it: a block is BLOCK positions of a strand that follow each other. Titles have the negative of their row's id.
PostgreSQL: folded texts, each written as one word, in forklore_searchdocument and forklore_searchtitle under GIN
indexes of pg_trgm (decision 0012).

While a row stands in forklore_searchrebuild the index is incomplete: it is kept, but not to be searched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from sessions_app import bodies
from sessions_app.databases import connection, current, execute
from sessions_app.first_look import says_otherwise
from sessions_app.folding import SEPARATOR, document
from sessions_app.one_word import as_one_word
from sessions_app.projection import Projection, project, texts_in

BLOCK = 16  # messages; numbers of neighbours stay close, and so take a byte or two in the index
WAITING = 128  # documents that wait at most
AT_ONCE = 32  # documents of one write that are indexed without waiting
LONG = 200_000  # characters; longer documents do not wait, for every search would read them
TOO_LONG = 4_000_000  # characters; documents that are not indexed but looked into by every search
BATCH = 500  # messages read at once
MARK = "\x1e"  # at the end of a document, behind two separators
MARKED = SEPARATOR * 2 + MARK  # the trigram of those
OLDEST_SQLITE = (3, 43, 0)  # the first that deletes from an FTS5 table without content

CREATE_SQLITE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS forklore_search USING fts5("
    "text, content='', contentless_delete=1, detail='none', tokenize='trigram case_sensitive 1')",
    "CREATE VIRTUAL TABLE IF NOT EXISTS forklore_search_terms USING fts5vocab('forklore_search', 'instance')",
)
# A tenth of a segment being deleted makes FTS5 merge it whole within the transaction that deletes the next message: a
# purge of 5,000 messages once held the write lock for 16 s. What is deleted leaves when segments are merged anyway.
MERGE_FOR_DELETES = "deletemerge", 0
CREATE_POSTGRESQL = (
    "CREATE INDEX IF NOT EXISTS forklore_searchdocument_text ON forklore_searchdocument USING gin (text gin_trgm_ops)",
    "CREATE INDEX IF NOT EXISTS forklore_searchtitle_text ON forklore_searchtitle USING gin (text gin_trgm_ops)",
)
# Every search reads what waits to be put into an index, up to 4 MB.
FLUSH_POSTGRESQL = (
    "SELECT gin_clean_pending_list('forklore_searchdocument_text'::regclass),"
    " gin_clean_pending_list('forklore_searchtitle_text'::regclass)"
)

_logger = logging.getLogger(__name__)

Document = tuple[int, str]  # position in its strand, and the folded text

_usable: dict[str, bool] = {}  # by alias: whether this SQLite can use the index of that database


# Whether there is one


def supported() -> bool:
    """Whether this database can have an index; SQLite before 3.43 cannot."""
    database: Any = connection()  # whose driver only SQLite's wrapper types
    return database.vendor != "sqlite" or database.Database.sqlite_version_info >= OLDEST_SQLITE


def usable() -> bool:
    """Whether the index can be written here. Asked once a process and database."""
    alias = current()
    if alias not in _usable:
        _usable[alias] = supported() and (connection().vendor != "sqlite" or _has_table())
        if not _usable[alias]:
            _logger.warning("There is no search index, so every search reads all messages: %s", _why_not())
    return _usable[alias]


def forget(alias: str) -> None:
    """Ask again whether the index of that database is usable."""
    _usable.pop(alias, None)


def complete() -> bool:
    """Whether every message and title is in the index, so that it can be searched."""
    return usable() and not _execute("SELECT 1 FROM forklore_searchrebuild LIMIT 1")


def ensure() -> bool:
    """Make what of the index is missing, as after a migration; False if there are messages it does not hold yet."""
    if connection().vendor == "sqlite":
        if supported() and not _has_table():
            for statement in CREATE_SQLITE:
                _execute_only(statement)
            mark_incomplete_unless_empty()
        if (
            supported()
            and _has_table()
            and MERGE_FOR_DELETES not in _execute("SELECT k, v FROM forklore_search_config")
        ):
            _execute_only("INSERT INTO forklore_search (forklore_search, rank) VALUES (%s, %s)", MERGE_FOR_DELETES)
    else:
        for statement in CREATE_POSTGRESQL:
            _execute_only(statement)
    forget(current())
    return not _execute("SELECT 1 FROM forklore_searchrebuild LIMIT 1")


def _why_not() -> str:
    if supported():
        return "it was taken out of the database; run rebuild_search."
    return "this SQLite is older than 3.43; install pysqlite3 and run rebuild_search."


def _has_table() -> bool:
    return bool(_execute("SELECT 1 FROM sqlite_master WHERE name = 'forklore_search_terms'"))


def mark_incomplete_unless_empty() -> None:
    """Say that the index has yet to be built, where there are sessions that it may not hold."""
    _execute_only(
        "INSERT INTO forklore_searchrebuild (id, strand_id, position)"
        " SELECT 1, 0, -1 WHERE EXISTS (SELECT 1 FROM forklore_session) ON CONFLICT DO NOTHING"
    )


def _mark_incomplete() -> None:
    # An older SQLite writes what this index then does not hold; the next that can use it must not trust it.
    _execute_only(
        "INSERT INTO forklore_searchrebuild (id, strand_id, position) VALUES (1, 0, -1)"
        " ON CONFLICT (id) DO UPDATE SET strand_id = 0, position = -1"
    )


# Messages


def add(strand: int, first: int, projections: Iterable[Projection], written: Iterable[bytes]) -> None:
    """Index messages that were put into a strand from the position `first` on; `written` are their bodies."""
    if not usable():
        _mark_incomplete()
        return
    marking = connection().vendor == "sqlite"
    add_documents(
        strand,
        [
            (at, _document(texts_in(each), body, marking))
            for at, (each, body) in enumerate(zip(projections, written, strict=True), first)
        ],
    )


def add_copied(strand: int, start: int, stop: int) -> None:
    """Index messages that were copied into a strand at the positions [start, stop)."""
    for first in range(start, stop, BATCH):
        rows = _execute(
            "SELECT body FROM forklore_message WHERE strand_id = %s AND position >= %s AND position < %s"
            " ORDER BY position",
            [strand, first, min(first + BATCH, stop)],
        )
        written = [bodies.plain(body).encode() for (body,) in rows]
        add(strand, first, [project(bodies.decode(body)) for body in written], written)


def message_document(texts: Iterable[str], body: bytes) -> str:
    """What is indexed of a message. On SQLite it is marked where its body says otherwise than its texts."""
    return _document(texts, body, connection().vendor == "sqlite")


def _document(texts: Iterable[str], body: bytes, marking: bool) -> str:
    text = document(texts)
    return text + MARK if marking and is_worth(text) and says_otherwise(body) else text


def document_of(body: str) -> str:
    """The same, told from the body."""
    written = body.encode()
    return message_document(texts_in(project(bodies.decode(written))), written)


def stored(text: str) -> str:
    """A document as it stands in a row."""
    return text if connection().vendor == "sqlite" else as_one_word(text.removesuffix(SEPARATOR * 2))


def add_documents(strand: int, documents: Sequence[Document]) -> None:
    short = [each for each in documents if is_worth(each[1]) and len(each[1]) <= TOO_LONG]
    _add_long(strand, [at for at, text in documents if len(text) > TOO_LONG])
    if connection().vendor != "sqlite":
        _write_rows(strand, short)
    elif len(short) > AT_ONCE or any(len(text) > LONG for _, text in short):
        _index([(strand, *each) for each in short])
    elif short and _write_rows(strand, short) >= WAITING:
        flush()


def is_worth(text: str) -> bool:
    """Whether there is anything in a document to be found."""
    return len(text) > len(SEPARATOR * 2)


def drop(strand: int, start: int) -> None:
    """Forget the messages of a strand from the position `start` on."""
    if not usable():
        _mark_incomplete()
        return
    for table in ("forklore_searchdocument", "forklore_searchlong"):
        _execute_only(f"DELETE FROM {table} WHERE strand_id = %s AND position >= %s", [strand, start])  # noqa: S608
    if connection().vendor == "sqlite":
        _drop_indexed(strand, start)


def drop_whole(strands: Sequence[int]) -> None:
    """Forget all messages of some strands."""
    if not usable():
        _mark_incomplete()
        return
    marks = ", ".join(["%s"] * len(strands))
    for table in ("forklore_searchdocument", "forklore_searchlong"):
        _execute_only(f"DELETE FROM {table} WHERE strand_id IN ({marks})", strands)  # noqa: S608
    if connection().vendor == "sqlite":
        blocks = _execute(f"SELECT id FROM forklore_searchblock WHERE strand_id IN ({marks})", strands)  # noqa: S608
        for (id,) in blocks:
            _execute_only(
                "DELETE FROM forklore_search WHERE rowid BETWEEN %s AND %s", [id * BLOCK, id * BLOCK + BLOCK - 1]
            )
        _execute_only(f"DELETE FROM forklore_searchblock WHERE strand_id IN ({marks})", strands)  # noqa: S608


def replace(strand: int, position: int, projection: Projection, written: bytes) -> None:
    """Index a message anew that stands where another one stood."""
    if not usable():
        _mark_incomplete()
        return
    for table in ("forklore_searchdocument", "forklore_searchlong"):
        _execute_only(f"DELETE FROM {table} WHERE strand_id = %s AND position = %s", [strand, position])  # noqa: S608
    if connection().vendor == "sqlite":
        _execute_only(
            "DELETE FROM forklore_search WHERE rowid IN"
            " (SELECT id * %s + %s FROM forklore_searchblock WHERE strand_id = %s AND number = %s)",
            [BLOCK, position % BLOCK, strand, position // BLOCK],
        )
    add(strand, position, [projection], [written])


def forget_deleted() -> None:
    """Merge SQLite's index until nothing of what was deleted is left in it; many short writes."""
    if connection().vendor != "sqlite" or not usable():
        return
    _execute_only("INSERT INTO forklore_search (forklore_search, rank) VALUES ('merge', -500)")
    while _changes_of("INSERT INTO forklore_search (forklore_search, rank) VALUES ('merge', 500)") > 1:
        pass


def _changes_of(statement: str) -> int:
    database: Any = connection()
    before = database.connection.total_changes
    _execute_only(statement)
    return database.connection.total_changes - before


def flush() -> None:
    """Index what waits."""
    if connection().vendor != "sqlite":
        _execute(FLUSH_POSTGRESQL)
        return
    _index(_execute("SELECT strand_id, position, text FROM forklore_searchdocument ORDER BY strand_id, position"))
    _execute_only("DELETE FROM forklore_searchdocument")
    titles = _execute("SELECT -id, text FROM forklore_searchtitle WHERE waiting")
    _insert_numbered(titles)
    _execute_only("UPDATE forklore_searchtitle SET waiting = 0 WHERE waiting")


def _write_rows(strand: int, documents: Sequence[Document]) -> int:
    """Keep folded texts as rows; on SQLite the number of rows that wait, at least."""
    insert = "INSERT INTO forklore_searchdocument (strand_id, position, text) VALUES (%s, %s, %s)"
    if connection().vendor == "sqlite":
        last = 0
        for each in documents:
            last = execute(insert, [strand, *each]).lastrowid
        # SQLite numbers rows from the greatest on, and from 1 again once the table is empty.
        return last
    insert += " ON CONFLICT (strand_id, position) DO UPDATE SET text = EXCLUDED.text"
    for at, text in documents:
        execute(insert, [strand, at, stored(text)])
    return 0


def _add_long(strand: int, positions: Sequence[int]) -> None:
    if positions:
        with connection().cursor() as cursor:
            cursor.executemany(
                "INSERT INTO forklore_searchlong (strand_id, position) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [[strand, position] for position in positions],
            )


def _index(rows: Iterable[tuple[int, int, str]]) -> None:
    known: dict[tuple[int, int], int] = {}
    numbered = []
    for strand, position, text in rows:
        place = (strand, position // BLOCK)
        if place not in known:
            known[place] = _block(*place)
        numbered.append((known[place] * BLOCK + position % BLOCK, text))
    _insert_numbered(numbered)


def _block(strand: int, number: int) -> int:
    found = _execute("SELECT id FROM forklore_searchblock WHERE strand_id = %s AND number = %s", [strand, number])
    return (
        found
        or _execute(
            "INSERT INTO forklore_searchblock (strand_id, number) VALUES (%s, %s) RETURNING id", [strand, number]
        )
    )[0][0]


def _insert_numbered(rows: Sequence[tuple[int, str]]) -> None:
    if rows:
        with connection().cursor() as cursor:
            cursor.executemany("INSERT INTO forklore_search (rowid, text) VALUES (%s, %s)", rows)


def _drop_indexed(strand: int, start: int) -> None:
    blocks = _execute(
        "SELECT id, number FROM forklore_searchblock WHERE strand_id = %s AND number >= %s", [strand, start // BLOCK]
    )
    for id, number in blocks:
        first = max(start - number * BLOCK, 0)
        _execute_only(
            "DELETE FROM forklore_search WHERE rowid BETWEEN %s AND %s", [id * BLOCK + first, id * BLOCK + BLOCK - 1]
        )
        if not first:
            _execute_only("DELETE FROM forklore_searchblock WHERE id = %s", [id])


# Looking at the index itself


def numbers(strand: int, first: int, last: int) -> dict[int, int | None]:
    """The positions of a strand from `first` to `last` that the index holds; on SQLite their numbers, None if waiting."""
    found: dict[int, int | None] = {
        position: None
        for name in ("searchdocument", "searchlong")
        for (position,) in _execute(
            f"SELECT position FROM forklore_{name} WHERE strand_id = %s AND position BETWEEN %s AND %s",  # noqa: S608
            [strand, first, last],
        )
    }
    if connection().vendor != "sqlite":
        return found
    rows = _execute(
        "SELECT block.number, document.id FROM forklore_searchblock block JOIN forklore_search_docsize document"
        " ON document.id BETWEEN block.id * %s AND block.id * %s + %s"
        " WHERE block.strand_id = %s AND block.number BETWEEN %s AND %s",
        [BLOCK, BLOCK, BLOCK - 1, strand, first // BLOCK, last // BLOCK],
    )
    found |= {block * BLOCK + number % BLOCK: number for block, number in rows}
    return {position: number for position, number in found.items() if first <= position <= last}


def damage() -> str | None:
    """What FTS5 finds wrong in its own tables, in its words. To ask is a write, so not for a snapshot."""
    if connection().vendor != "sqlite" or not usable():
        return None
    try:
        _execute_only("INSERT INTO forklore_search (forklore_search) VALUES ('integrity-check')")
    except DatabaseError as error:
        return str(error)
    return None


# Titles


def set_title(session: UUID | str, title: str, *, new: bool = False) -> None:
    """Index a session's title in place of the one it had; `session` as the database's driver takes it."""
    if not usable():
        _mark_incomplete()
        return
    text = stored(title_document(title))
    if connection().vendor != "sqlite":
        _execute_only(
            "INSERT INTO forklore_searchtitle (session_id, text, waiting) VALUES (%s, %s, FALSE)"
            " ON CONFLICT (session_id) DO UPDATE SET text = EXCLUDED.text",
            [session, text],
        )
        return
    if not new:
        _drop_indexed_title(session)
    ((id,),) = _execute(
        "INSERT INTO forklore_searchtitle (session_id, text, waiting) VALUES (%s, %s, 1)"
        " ON CONFLICT (session_id) DO UPDATE SET text = excluded.text, waiting = 1 RETURNING id",
        [session, text],
    )
    if not id % WAITING:
        flush()


def title_document(title: str) -> str:
    return document([title])


def drop_titles(sessions: Sequence[UUID | str]) -> None:
    if not usable():
        _mark_incomplete()
        return
    if connection().vendor == "sqlite":
        for session in sessions:
            _drop_indexed_title(session)
    marks = ", ".join(["%s"] * len(sessions))
    _execute_only(f"DELETE FROM forklore_searchtitle WHERE session_id IN ({marks})", sessions)  # noqa: S608


def _drop_indexed_title(session: UUID | str) -> None:
    for id, waiting in _execute("SELECT id, waiting FROM forklore_searchtitle WHERE session_id = %s", [session]):
        if not waiting:
            _execute_only("DELETE FROM forklore_search WHERE rowid = %s", [-id])


def _execute(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    return execute(statement, parameters).fetchall()


def _execute_only(statement: str, parameters: Sequence[Any] = ()) -> None:
    execute(statement, parameters)

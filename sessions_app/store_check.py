"""Finds what is wrong in a database: messages against digests, sessions against pieces, the index against messages.

What can be put right again out of the rest, store_repair.py does. Neither holds more than some hundred messages at
once, and a part that cannot be read keeps nobody from looking at the others.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from sessions_app import bodies, change_log, piece_table, search_index, token_rows
from sessions_app.databases import connection
from sessions_app.projection import project
from sessions_app.search_rebuild import by_strand
from sessions_app.session_rows import snapshot

BATCH = 500  # messages, sessions or strands read at once
SAMPLED = 64  # trigrams by which the index is compared with all messages
# What a part that cannot be read raises; in a damaged file of SQLite a column holds anything.
UNREADABLE = (DatabaseError, AttributeError, KeyError, OverflowError, TypeError, ValueError)
TOLD = 1000  # rows that one rule finds wrong; more are not worth their names

Progress = Callable[[int, int], None]  # messages that are through, and all


def problems(progress: Progress | None = None) -> Iterator[str]:
    """What is wrong, a sentence each: the file, counters, pieces, digests, messages that nobody shows, and the index."""
    if damage := search_index.damage():
        yield f"The search index is damaged ({damage}): run rebuild_search."
    with snapshot():
        yield from _readable("its own structure", engine_problems())
        for statement, sentence in _RULES:
            yield from _readable("its sessions and pieces", _broken_rule(statement, sentence))
        yield from _readable("its log of changes", change_problems())
        yield from _readable("its sessions", _session_problems())
        yield from _readable("its strands", _strand_problems(progress))
        yield from _readable("its tokens", _token_problems())
        yield from _readable("its search index", index_problems(progress))


def engine_problems() -> Iterator[str]:
    """What SQLite finds in its own pages, and what refers to rows that are not there; PostgreSQL allows neither."""
    if connection().vendor != "sqlite":
        return
    for (line,) in _fetch("PRAGMA integrity_check(100)"):
        if line != "ok":
            yield f"SQLite says: {line}."
    for table, row, parent, _ in _fetch("PRAGMA foreign_key_check"):
        yield f"Row {row} of {table} refers to a row of {parent} that is not there."


def change_problems() -> Iterator[str]:
    """Changes with numbers that are yet to be given, as after a dump was brought into another server."""
    following = change_log.following()
    ((last,),) = _fetch("SELECT COALESCE(MAX(number), 0) FROM forklore_change")
    if last >= following:
        yield f"The log of changes goes up to {last}; the next number would be {following}."


def _readable(what: str, found: Iterator[str]) -> Iterator[str]:
    """All that a part finds until it cannot be read any further, and that."""
    try:
        yield from found
    except UNREADABLE as error:
        yield f"The database cannot be read ({what}): {error}."


def shown_strands() -> list[tuple[int, Any]]:
    """Each strand, and the key of a session that shows it; strands by their start."""
    return _fetch(
        "SELECT strand.id, MIN(CAST(piece.session_id AS VARCHAR(36))) FROM forklore_strand strand"
        " JOIN forklore_piece piece ON piece.strand_id = strand.id"
        " GROUP BY strand.id, strand.start ORDER BY strand.start, strand.id"
    )


def _token_problems() -> Iterator[str]:
    for strand, session in shown_strands():
        if token_rows.is_wrong(session, strand):
            yield f"The tokens of strand {strand} are not counted as its messages record them."


def _broken_rule(statement: str, sentence: str) -> Iterator[str]:
    rows = _fetch(f"{statement} LIMIT {TOLD + 1}")
    for row in rows[:TOLD]:
        yield sentence.format(*row)
    if len(rows) > TOLD:
        yield "… and more of that kind."


_LIVE_PIECES = (
    "SELECT piece.session_id, piece.start, COALESCE(piece.stop, session.message_count) AS stop, piece.strand_id,"
    " piece.stop IS NULL AS claims, session.strand_id AS claimed FROM forklore_piece piece"
    " JOIN forklore_session session ON session.id = piece.session_id"
)
JOURNALLED = "(1, 3)"  # states of items that an entry counts: done, and undone since
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
    (
        "SELECT child.id, child.parent_id FROM forklore_session child LEFT JOIN forklore_session parent"
        " ON parent.id = child.parent_id WHERE child.parent_id IS NOT NULL AND parent.id IS NULL",
        "The parent of session {0}, {1}, is not there.",
    ),
    (
        "SELECT id FROM forklore_session WHERE (parent_id IS NULL) <> (relation IS NULL)",
        "Session {0} has a parent without a relation to it, or the other way round.",
    ),
    (
        "WITH RECURSIVE reached(id) AS (SELECT id FROM forklore_session WHERE parent_id IS NULL UNION ALL"
        " SELECT child.id FROM forklore_session child JOIN reached ON child.parent_id = reached.id)"
        " SELECT session.id FROM forklore_session session WHERE session.id NOT IN (SELECT id FROM reached)"
        " AND EXISTS (SELECT 1 FROM forklore_session parent WHERE parent.id = session.parent_id)",
        "Session {0} is its own ancestor, or descends from one that is not there.",
    ),
    (
        "SELECT session.id, session.project_id FROM forklore_session session LEFT JOIN forklore_project project"
        " ON project.id = session.project_id WHERE project.id IS NULL",
        "The project of session {0}, {1}, is not there.",
    ),
    (
        "SELECT entry.id, entry.done, COUNT(item.entry_id) FROM forklore_journalentry entry LEFT JOIN"  # noqa: S608
        f" forklore_journalitem item ON item.entry_id = entry.id AND item.state IN {JOURNALLED}"
        " GROUP BY entry.id, entry.done HAVING entry.done <> COUNT(item.entry_id)",
        "Entry {0} of the journal counts {1} sessions; it holds {2}.",
    ),
)


# Sessions


@dataclass(frozen=True, slots=True)
class End:
    """What a session says of its end, and what its last message does."""

    session: UUID | str
    count: int
    said: tuple[bytes, int, int]  # digest, bytes and prompts of all messages
    found: tuple[bytes, int, int] | None  # None where there is no such message
    first_prompt_fits: bool


_ENDS = (
    "SELECT session.id, session.message_count, session.tail_digest, session.size_bytes, session.prompt_count,"
    " message.digest, message.size_total, message.prompt_total, session.first_prompt,"
    " (SELECT first.kind FROM forklore_piece holding JOIN forklore_message first ON first.strand_id = holding.strand_id"
    " AND first.position = session.first_prompt WHERE holding.session_id = session.id"
    " AND holding.start <= session.first_prompt AND session.first_prompt < COALESCE(holding.stop, session.message_count)"
    ") FROM forklore_session session LEFT JOIN forklore_piece piece ON piece.session_id = session.id"
    " AND piece.start < session.message_count AND COALESCE(piece.stop, session.message_count) >= session.message_count"
    " LEFT JOIN forklore_message message ON message.strand_id = piece.strand_id"
    " AND message.position = session.message_count - 1"
)


def ends(after: UUID | str | None = None) -> list[End]:
    """Of the next sessions behind one, by their keys."""
    where = "" if after is None else " WHERE session.id > %s"
    rows = _fetch(f"{_ENDS}{where} ORDER BY session.id LIMIT {BATCH}", [] if after is None else [after])
    return [_end(row) for row in rows]


def end_of(session: UUID | str) -> End | None:
    found = _fetch(f"{_ENDS} WHERE session.id = %s", [session])
    return _end(found[0]) if found else None


def _end(row: tuple) -> End:
    id, count, digest, size, prompts, last_digest, last_size, last_prompts, first_prompt, kind = row
    last = None if last_digest is None else (octets(last_digest), last_size, last_prompts)
    fits = kind == 1 if first_prompt is not None else True
    return End(id, count, (octets(digest), size, prompts), last if count else (b"", 0, 0), fits)


def is_sound(end: End) -> bool:
    return end.said == end.found and end.first_prompt_fits


def _session_problems() -> Iterator[str]:
    last = None
    while found := ends(last):
        for end in found:
            if not is_sound(end):
                yield f"Session {end.session} does not end as its last message says."
        last = found[-1].session


# Strands


@dataclass(frozen=True, slots=True)
class Base:
    """What stands before the first message of a strand: the digest, and the totals."""

    digest: bytes
    size: int
    prompts: int


@dataclass(frozen=True, slots=True)
class Stored:
    position: int
    kind: int
    digest: bytes
    size: int
    prompts: int
    body: bytes

    @property
    def totals(self) -> tuple[int, int]:
        return self.size, self.prompts


def strand_numbers() -> array:
    """All of them, so that each comes behind the ones that it goes on from."""
    numbers, last = array("q"), (-1, 0)
    while rows := _fetch(
        "SELECT start, id FROM forklore_strand WHERE (start, id) > (%s, %s)"  # noqa: S608 a number
        f" ORDER BY start, id LIMIT {BATCH * 100}",
        last,
    ):
        numbers.extend(id for _, id in rows)
        last = rows[-1]
    return numbers


def base_of(strand: int, start: int) -> Base | None:
    """None where the messages before it are not to be found."""
    if not start:
        return Base(b"", 0, 0)
    rows = _fetch(
        "SELECT message.digest, message.size_total, message.prompt_total FROM forklore_piece piece"
        " JOIN forklore_piece before ON before.session_id = piece.session_id AND before.stop = piece.start"
        " JOIN forklore_message message ON message.strand_id = before.strand_id AND message.position = piece.start - 1"
        " WHERE piece.strand_id = %s AND piece.start = %s LIMIT 1",
        [strand, start],
    )
    return Base(octets(rows[0][0]), *rows[0][1:]) if rows else None


def messages_of(strand: int) -> Iterator[Stored]:
    position = -1
    text = "CAST(body AS BLOB)" if connection().vendor == "sqlite" else "convert_to(body, 'UTF8')"
    while rows := _fetch(
        f"SELECT position, kind, digest, size_total, prompt_total, {text} FROM forklore_message"  # noqa: S608
        " WHERE strand_id = %s AND position > %s ORDER BY position LIMIT %s",
        [strand, position, BATCH],
    ):
        for at, kind, digest, size, prompts, body in rows:
            yield Stored(at, kind, octets(digest), size, prompts, bodies.plain_bytes(octets(body)))
        position = rows[-1][0]


def strand_problems(strand: int) -> Iterator[str]:
    ((start, base_digest),) = _fetch("SELECT start, base_digest FROM forklore_strand WHERE id = %s", [strand])
    ((shows, needed),) = _fetch(
        f"SELECT COUNT(*), COALESCE(MAX(stop), 0) FROM ({_LIVE_PIECES}) piece WHERE strand_id = %s",  # noqa: S608
        [strand],
    )
    left = piece_table.is_leftover(strand)  # what nobody shows of it is yet to be swept
    if not shows and not left:
        yield f"No session shows strand {strand}."
    base, digest = base_of(strand, start), octets(base_digest)
    if base and base.digest != digest:
        yield f"Strand {strand} does not go on from what stands before it."
    totals = (base.size, base.prompts) if base else None
    position = start
    for message in messages_of(strand):
        if message.position != position:
            yield f"Strand {strand} has no message {position}."
            totals = None
        (digest,) = bodies.chain(digest, [message.body])
        whole = digest == message.digest
        if not whole:
            yield f"Message {message.position} of strand {strand} is not the one that was written: its digest differs."
            digest = message.digest
        elif kind_of(message.body) != message.kind:
            yield f"Message {message.position} of strand {strand} is kept as of kind {message.kind}, which it is not."
        if whole and totals and (totals[0] + len(message.body), totals[1] + (message.kind == 1)) != message.totals:
            yield f"The totals of message {message.position} of strand {strand} are not those of all before it."
        totals, position = message.totals, message.position + 1
    if shows and position != needed and not (left and position > needed):
        yield f"Strand {strand} holds messages up to {position}; sessions show them up to {needed}."


def kind_of(body: bytes) -> int:
    return project(bodies.decode(body.decode())).kind


def octets(value: Any) -> bytes:
    """What a column of bytes or text holds; in a damaged file of SQLite that may be of any type."""
    return value.encode(errors="replace") if isinstance(value, str) else bytes(value or b"")


def _strand_problems(progress: Progress | None) -> Iterator[str]:
    yield from _broken_rule(
        "SELECT DISTINCT message.strand_id FROM forklore_message message LEFT JOIN forklore_strand strand"
        " ON strand.id = message.strand_id WHERE strand.id IS NULL",
        "The messages of strand {0} have no strand.",
    )
    strands = strand_numbers()
    for done, strand in enumerate(strands, 1):
        yield from _readable(f"strand {strand}", strand_problems(strand))
        if progress and not done % BATCH:
            progress(done, len(strands))


# The index


def index_problems(progress: Progress | None) -> Iterator[str]:
    if not search_index.usable():
        yield "There is no search index: this SQLite is older than 3.43, so every search reads the messages."
        return
    if not search_index.complete():
        yield "The search index is incomplete, so every search reads the messages: run rebuild_search."
        return
    yield from _title_problems()
    sample, indexed = _Sample(), 0
    for of, group in _all_messages(progress):
        documents = {at: search_index.document_of(body) for at, body in group}
        wanted = {at for at, text in documents.items() if search_index.is_worth(text)}
        found = search_index.numbers(of, group[0][0], group[-1][0])
        indexed += len(found)
        for at in sorted(wanted - found.keys()):
            yield f"Message {at} of strand {of} is not in the search index."
        for at in sorted(found.keys() - wanted):
            yield f"The search index holds message {at} of strand {of}, in which nothing is to be found."
        for at, text in _kept_texts(of, group[0][0], group[-1][0]):
            if at in documents and search_index.stored(documents[at]) != text:
                yield f"The search index has message {at} of strand {of} with another text."
        for at in wanted & found.keys():
            sample.add(found[at], documents[at])
    if (there := _documents()) != indexed:
        yield f"The search index holds {there - indexed} messages that are not there."
    yield from sample.problems()


class _Sample:
    """Trigrams out of messages here and there, by which SQLite's index is compared with all messages."""

    def __init__(self) -> None:
        sqlite = connection().vendor == "sqlite"
        self._expected = {gram: [0, 0] for gram in _some_grams()} if sqlite else {}

    def add(self, number: int | None, text: str) -> None:
        if number is None:
            return
        for gram, expected in self._expected.items():
            if gram in text:
                expected[0] += 1
                expected[1] += number

    def problems(self) -> Iterator[str]:
        for gram, (count, total) in self._expected.items():
            quoted = '"' + gram.replace('"', '""') + '"'
            rows = _fetch(
                "SELECT COUNT(*), COALESCE(SUM(rowid), 0) FROM forklore_search"
                " WHERE forklore_search MATCH %s AND rowid > 0",
                [quoted],
            )
            if rows != [(count, total)]:
                yield f"The search index finds {gram!r} in {rows[0][0]} messages; {count} contain it: run rebuild_search."


def _some_grams() -> set[str]:
    ((last,),) = _fetch("SELECT COALESCE(MAX(id), 0) FROM forklore_strand")
    grams = set()
    for _ in range(SAMPLED):
        text = search_index.document_of(bodies.plain(_some_body(random.randint(0, last))))
        at = random.randrange(max(1, len(text) - 2))
        grams.add(text[at : at + 3])
    return {gram for gram in grams if len(gram) == 3}


def _some_body(strand: int) -> Any:
    """One of the twenty messages from that strand on, or the first of them where there are fewer."""
    for skipped in (random.randrange(20), 0):
        rows = _fetch(
            "SELECT body FROM forklore_message WHERE strand_id >= %s ORDER BY strand_id, position LIMIT 1 OFFSET %s",
            [strand, skipped],
        )
        if rows:
            return rows[0][0]
    return "{}"


def _all_messages(progress: Progress | None) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    done, total, last = 0, _count(), (0, -1)
    while rows := _fetch(
        "SELECT strand_id, position, body FROM forklore_message WHERE (strand_id, position) > (%s, %s)"
        " ORDER BY strand_id, position LIMIT %s",
        [*last, BATCH],
    ):
        yield from by_strand(rows)
        last, done = rows[-1][:2], done + len(rows)
        if progress:
            progress(done, total)


def _kept_texts(strand: int, first: int, last: int) -> list[tuple[int, str]]:
    return _fetch(
        "SELECT position, text FROM forklore_searchdocument WHERE strand_id = %s AND position BETWEEN %s AND %s",
        [strand, first, last],
    )


def _title_problems() -> Iterator[str]:
    last: UUID | str | None = None
    while rows := _fetch(
        "SELECT session.id, session.title, title.text FROM forklore_session session"  # noqa: S608 a number
        " LEFT JOIN forklore_searchtitle title ON title.session_id = session.id"
        f"{'' if last is None else ' WHERE session.id > %s'} ORDER BY session.id LIMIT {BATCH}",
        [] if last is None else [last],
    ):
        for id, title, text in rows:
            if text != search_index.stored(search_index.title_document(title)):
                yield f"The title of session {id} is not in the search index."
        last = rows[-1][0]
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


def _count() -> int:
    return _fetch("SELECT COUNT(*) FROM forklore_message")[0][0]


def _fetch(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()

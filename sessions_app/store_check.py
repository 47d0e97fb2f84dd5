"""Finds what is wrong in a database: messages against digests, sessions against pieces, the index against messages."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sessions_app import bodies, search_index
from sessions_app.databases import connection
from sessions_app.projection import project
from sessions_app.search_rebuild import by_strand
from sessions_app.session_rows import snapshot

BATCH = 500  # messages read at once
SAMPLED = 64  # trigrams by which the index is compared with all messages

Progress = Callable[[int, int], None]  # messages that are through, and all


def problems(progress: Progress | None = None) -> Iterator[str]:
    """What is wrong, a sentence each: counters, pieces, digests, messages that nobody shows, and the index."""
    if damage := search_index.damage():
        yield f"The search index is damaged ({damage}): run rebuild_search."
    with snapshot():
        for statement, sentence in _RULES:
            for row in _fetch(statement):
                yield sentence.format(*row)
        yield from _strand_problems(progress)
        yield from _index_problems(progress)


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


def _index_problems(progress: Progress | None) -> Iterator[str]:
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
        rows = _fetch(
            "SELECT body FROM forklore_message WHERE strand_id >= %s ORDER BY strand_id, position LIMIT 1 OFFSET %s",
            [random.randint(0, last), random.randrange(20)],
        )
        text = search_index.document_of(rows[0][0]) if rows else ""
        at = random.randrange(max(1, len(text) - 2))
        grams.add(text[at : at + 3])
    return {gram for gram in grams if len(gram) == 3}


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
    for id, title, text in _fetch(
        "SELECT session.id, session.title, title.text FROM forklore_session session"
        " LEFT JOIN forklore_searchtitle title ON title.session_id = session.id"
    ):
        if text != search_index.stored(search_index.title_document(title)):
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


def _count() -> int:
    return _fetch("SELECT COUNT(*) FROM forklore_message")[0][0]


def _fetch(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()

"""Search by reading: sessions newest first, each strand once however many forks show it.

It needs no index, so it is right by construction, and the peer that an index is to be measured against.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sessions_app import bodies, piece_table, session_rows
from sessions_app.databases import connection
from sessions_app.errors import InvalidQuery
from sessions_app.piece_table import Piece
from sessions_app.projection import prompt_text, search_texts
from sessions_app.records import SearchHit
from sessions_app.search.filters import ROLES
from sessions_app.search.text import contains, excerpt, fold, snippet
from sessions_app.session_rows import SessionRow

BATCH = 200  # sessions, and messages, read at once


def search(query: str, limit: int) -> list[SearchHit]:
    """One hit a session, most recently updated first, at most `limit`. Raises InvalidQuery if the query is empty."""
    if not query:
        raise InvalidQuery("A search needs at least one character.")
    walk, hits = _Walk(query), []
    for row in _newest_first() if limit else ():
        if hit := walk.hit(row):
            hits.append(hit)
        if len(hits) == limit:
            break
    return hits


def _newest_first() -> Iterator[SessionRow]:
    rows = session_rows.live("1 = 1", [], BATCH)
    while rows:
        yield from rows
        last = rows[-1]
        moment = session_rows.moment_for_database(last.updated_at)
        rows = session_rows.live(
            "(session.updated_at < %s OR (session.updated_at = %s AND session.id > %s))",
            [moment, moment, piece_table.key(last.id)],
            BATCH,
        )


class _Walk:
    """One search; remembers how far each strand has been read, and the first message in it that contains the query."""

    def __init__(self, query: str):
        self.query = query
        self.folded = fold(query)
        self.read_to: dict[int, int] = {}
        self.found: dict[int, int] = {}

    def hit(self, row: SessionRow) -> SearchHit | None:
        for piece in row.pieces():
            position = self._first_in(piece)
            if position is not None:
                return self._hit(row, self._snippet(piece, position), position, piece)
        if contains(row.title, self.folded):
            return self._hit(row, _first_prompt(row), None)
        return None

    def _first_in(self, piece: Piece) -> int | None:
        """The first message of a piece that contains the query. All pieces on a strand start where the strand does."""
        position = self.read_to.get(piece.strand, piece.start)
        while piece.strand not in self.found and position < piece.stop:
            stop = min(position + BATCH, piece.stop)
            for at, body in piece_table.whole_bodies(piece, position, stop):
                if any(contains(text, self.folded) for text in search_texts(bodies.decode(body))):
                    self.found[piece.strand] = at
                    break
            position = self.read_to[piece.strand] = stop
        found = self.found.get(piece.strand)
        return found if found is not None and found < piece.stop else None

    def _snippet(self, piece: Piece, position: int) -> str:
        (body,) = piece_table.read_bodies([piece], position, position + 1)
        texts = search_texts(bodies.decode(body))
        return snippet(next(text for text in texts if contains(text, self.folded)), self.query)

    def _hit(self, row: SessionRow, excerpt: str, position: int | None, piece: Piece | None = None) -> SearchHit:
        hit = SearchHit(row.id, row.project, row.title, row.updated_at, row.turns, excerpt, position)
        if piece is None or position is None:
            return hit
        role = ROLES[_kind_at(piece, position)]
        return replace(hit, shared_with=_shared_with(piece, position), role=role)


def _first_prompt(row: SessionRow) -> str:
    first = row.tail.first_prompt
    return "" if first is None else excerpt(prompt_text(row.messages(first, first + 1)[0]) or "", 0)


def _kind_at(piece: Piece, position: int) -> int:
    with connection().cursor() as cursor:
        cursor.execute(
            "SELECT kind FROM forklore_message WHERE strand_id = %s AND position = %s", [piece.strand, position]
        )
        return cursor.fetchone()[0]


def _shared_with(piece: Piece, position: int) -> int:
    with connection().cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) - 1 FROM forklore_piece piece"
            " JOIN forklore_session session ON session.id = piece.session_id WHERE piece.strand_id = %s"
            " AND COALESCE(piece.stop, session.message_count) > %s AND session.trashed_at IS NULL",
            [piece.strand, position],
        )
        return cursor.fetchone()[0]

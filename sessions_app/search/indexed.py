"""Search by the index: candidates from the database, verified on the messages themselves, newest sessions first.

Few candidates are mapped to the sessions that show them. Otherwise sessions are walked newest first; their messages are
read while that finds enough, and then the candidates are listed after all. A message is read and verified once, however
many forks show it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import EmptyResultSet

from sessions_app import bodies, piece_table, session_rows
from sessions_app.databases import connection, current
from sessions_app.folding import fold
from sessions_app.piece_table import Piece
from sessions_app.projection import prompt_text, search_texts
from sessions_app.records import Role, SearchHit
from sessions_app.search.bodies import first_look
from sessions_app.search.budget import Budget, OutOfTime
from sessions_app.search.candidates import Candidates, Finder, NoFinder
from sessions_app.search.filters import ROLES, Filters
from sessions_app.search.postgresql import TrigramFinder
from sessions_app.search.sqlite import Fts5Finder
from sessions_app.search.text import contains, excerpt, snippet
from sessions_app.session_rows import SessionRow

Distinct = Literal["session", "message"]
_Message = tuple[int, int, str]  # position, kind, body
Key = tuple[Any, UUID, int | None]  # updated_at, session, and position of the last hit; where the next page goes on

FIRST_READ = 300  # messages that are read before candidates are listed, where they are more than a few
FIRST_STRANDS = 100  # strands that are looked into before candidates are listed
SHOWN = 20_000  # pieces that are mapped to their sessions at once
CHUNK = 16  # sessions whose first candidates are read at once
WINDOW = (32, 256)  # sessions walked at once: at first, and in the end
STEPS = (1, 64)  # messages verified at once: at first, and in the end


class Search:
    """One search, in one snapshot of the database."""

    def __init__(
        self,
        query: str,
        filters: Filters,
        distinct: Distinct,
        after: Key | None,
        budget: Budget,
        *,
        indexed: bool,  # whether there is an index to ask
    ):
        self.query = query
        self.folded = fold(query)
        self.may_contain = first_look(self.folded)
        self.filters = filters
        self.distinct = distinct
        self.after = after
        self.budget = budget
        self.candidates: Candidates | None = None
        self._finder = _finder(self.folded) if indexed else NoFinder()
        self._listed, self._asked = False, False  # whether all candidates are, and whether that was tried
        self._read = 0  # messages
        self._looked_into: set[int] = set()  # strands whose candidates were asked for
        self._fetched: dict[tuple[int, int], _Message] = {}  # by strand and position
        self._strands: dict[int, _Strand] = {}
        self._reported: dict[int, int] = {}  # by strand: up to where newer sessions have shown its hits

    def hits(self, limit: int) -> tuple[list[SearchHit], bool]:
        """At most `limit` hits, and whether all were found that are to be within it."""
        found: list[tuple[SearchHit, int]] = []
        complete = True
        try:
            with self.budget.within():
                for hit in self._hits():
                    found.append(hit)
                    if len(found) == limit:
                        break
        except OutOfTime:
            complete = False
        return _with_shared(found), complete

    def _hits(self) -> Iterator[tuple[SearchHit, int]]:
        """Hits in their order, each with the strand that it stands in, 0 for a title."""
        self.candidates = self._finder.few()
        self._listed = self.candidates is not None
        for row, pieces in self._sessions():
            self.budget.check()
            yield from self._hits_in(row, pieces)

    # Which sessions to look into

    def _sessions(self) -> Iterator[tuple[SessionRow, list[Piece]]]:
        """Sessions in the order of hits: those that show a candidate as soon as all are listed, and all until then."""
        shown = self._showing(*self._condition())
        tried = self._listed
        for row, pieces in self._newest_first() if shown is None else ():
            yield row, pieces
            if self._listed and not tried:
                tried = True
                condition, parameters = self._condition()
                older, values = _older(row.updated_at, row.id)
                shown = self._showing(f"{condition} AND {older}", [*parameters, *values])
                if shown is not None:
                    break
        yield from self._rows(shown or [])

    def _showing(self, condition: str, parameters: Sequence[Any]) -> list[_Shown] | None:
        """The sessions that show a candidate; None if not all are listed, or if the sessions are too many to sort."""
        if not self._listed or self.candidates is None:
            return None
        return _showing(self.candidates, condition, parameters)

    def _rows(self, shown: list[_Shown]) -> Iterator[tuple[SessionRow, list[Piece]]]:
        for start in range(0, len(shown), CHUNK):
            chunk = shown[start : start + CHUNK]
            self._fetch_first(each.pieces for each in chunk)
            pieces = {each.id: each.pieces for each in chunk if each.titled or self._has_match(each.pieces)}
            marks = ", ".join(["%s"] * len(pieces))
            keys = [piece_table.key(id) for id in pieces]
            for row in session_rows.live(f"session.id IN ({marks})", keys, len(keys)) if keys else ():
                yield row, pieces[row.id]

    def _has_match(self, pieces: Iterable[Piece]) -> bool:
        return any(True for piece in pieces for _ in self._strand(piece).matches(piece.stop))

    def _newest_first(self) -> Iterator[tuple[SessionRow, list[Piece]]]:
        condition, parameters = self._condition()
        further, more = "1 = 1", list[Any]()
        size = WINDOW[0]
        while rows := session_rows.live(f"{condition} AND {further}", [*parameters, *more], size):
            pieces = _pieces_of(rows)
            self._look_into({piece.strand for row in rows for piece in pieces[row.id]})
            for start in range(0, len(rows), CHUNK):
                self._fetch_first(pieces[row.id] for row in rows[start : start + CHUNK])
                for row in rows[start : start + CHUNK]:
                    yield row, pieces[row.id]
            further, more = _older(rows[-1].updated_at, rows[-1].id)
            size = min(size * 2, WINDOW[1])

    def _look_into(self, strands: set[int]) -> None:
        """List the candidates of strands that are about to be looked into, if the finder can do that."""
        if self._listed or not (new := strands - self._looked_into):
            return
        if len(self._looked_into) > FIRST_STRANDS and (candidates := self._list_all()):
            self.candidates = candidates
            return
        found = self._finder.in_strands(sorted(new))
        if found is not None:
            self._looked_into |= new
            self.candidates = self.candidates or Candidates()
            self.candidates.positions.update(found.positions)

    def _fetch_first(self, shown: Iterable[list[Piece]]) -> None:
        """Read the first candidates of sessions that are about to be looked into, all at once."""
        if self.candidates is None:
            return
        strands = {piece.strand: piece.stop for pieces in shown for piece in pieces[:1]}
        places = [
            (strand, position)
            for strand, stop in strands.items()
            if strand not in self._strands
            for position in self.candidates.positions.get(strand, ())[: STEPS[0]]
            if position < stop
        ]
        self._fetched = _messages_at(places)

    def _list_all(self) -> Candidates | None:
        """All candidates, asked for once; None if they are too many to be worth a list."""
        if self._asked:
            return None
        self._asked = True
        found = self._finder.many()
        self._listed = found is not None
        return found

    def _condition(self) -> tuple[str, list[Any]]:
        """What the session of a hit must be, as SQL: what the filters allow, and from the last page's end on."""
        condition, parameters = _allowed(self.filters)
        if self.after is None:
            return condition, parameters
        older, values = _older(self.after[0], self.after[1], with_itself=self.distinct == "message")
        return f"{condition} AND {older}", [*parameters, *values]

    # What of a session is a hit

    def _hits_in(self, row: SessionRow, pieces: Sequence[Piece]) -> Iterator[tuple[SearchHit, int]]:
        any_match = False
        for piece in pieces:
            for match in self._strand(piece).matches(piece.stop):
                any_match = True
                if self.distinct == "session":
                    yield self._hit(row, match), piece.strand
                    return
                if match.position >= self._reported_to(piece.strand) and not self._is_before(row, match.position):
                    yield self._hit(row, match), piece.strand
            self._reported[piece.strand] = max(self._reported_to(piece.strand), piece.stop)
        if not any_match and self._title_counts(row):
            yield _hit(row, _first_prompt(row)), 0

    def _hit(self, row: SessionRow, match: _Match) -> SearchHit:
        return _hit(row, snippet(match.text, self.query), match.position, ROLES.get(match.kind, "notice"))

    def _title_counts(self, row: SessionRow) -> bool:
        if self.filters.kinds is not None or not contains(row.title, self.folded):
            return False
        return self.after is None or row.id != self.after[1]

    def _is_before(self, row: SessionRow, position: int) -> bool:
        """Whether an earlier page has ended at or behind that message of its last session."""
        if self.after is None or row.id != self.after[1]:
            return False
        return self.after[2] is None or position <= self.after[2]

    def _reported_to(self, strand: int) -> int:
        if self.distinct == "session":
            return 0
        if strand not in self._reported:
            self._reported[strand] = self._reported_before(strand) if self.after else 0
        return self._reported[strand]

    def _reported_before(self, strand: int) -> int:
        """Up to where sessions of earlier pages show a strand."""
        assert self.after
        newer, values = _newer(*self.after[:2])
        condition, parameters = _allowed(self.filters)
        with connection().cursor() as cursor:
            cursor.execute(
                "SELECT COALESCE(MAX(COALESCE(piece.stop, session.message_count)), 0) FROM forklore_piece piece"  # noqa: S608
                " JOIN forklore_session session ON session.id = piece.session_id"
                f" WHERE piece.strand_id = %s AND session.trashed_at IS NULL AND {newer} AND {condition}",
                [strand, *values, *parameters],
            )
            return cursor.fetchone()[0]

    def _strand(self, piece: Piece) -> _Strand:
        return self._strands.setdefault(piece.strand, _Strand(self, piece))

    def positions(self, strand: int, start: int, stop: int, count: int) -> Sequence[int]:
        """The next positions of a strand that may hold the query, at most `count`; all are candidates without a list."""
        listed = self._candidates_in(strand)
        if listed is None:
            return range(start, min(stop, start + count))
        first = bisect_left(listed, start)
        return [position for position in listed[first : first + count] if position < stop]

    def _candidates_in(self, strand: int) -> Sequence[int] | None:
        """None if they are not known, and all messages of the strand have to be read."""
        known = self.candidates.positions.get(strand) if self.candidates else None
        if known is None and not self._listed and self._read >= FIRST_READ and (found := self._list_all()):
            self.candidates = found
        if self._listed and self.candidates:
            return self.candidates.positions.get(strand, [])
        return known

    def messages(self, strand: int, positions: Sequence[int]) -> list[_Message]:
        """Those of the messages that are of the kinds wanted, in order."""
        self._read += len(positions)
        self.budget.check()
        if not isinstance(positions, range) and all((strand, position) in self._fetched for position in positions):
            found = [self._fetched[strand, position] for position in positions]
        else:
            found = _messages(strand, positions)
        kinds = self.filters.kinds
        return found if kinds is None else [message for message in found if message[1] in kinds]


def _finder(folded: str) -> Finder:
    return Fts5Finder(folded) if connection().vendor == "sqlite" else TrigramFinder(folded)


@dataclass(frozen=True, slots=True)
class _Match:
    position: int
    kind: int
    text: str  # that of the message's texts which contains the query


class _Strand:
    """How far a strand has been verified, and what was found: the same for every session that shows it."""

    def __init__(self, search: Search, piece: Piece):
        self._search = search
        self._strand = piece.strand
        self._next = piece.start  # all pieces on a strand start where the strand does
        self._found: list[_Match] = []
        self._step = STEPS[0]

    def matches(self, stop: int) -> Iterator[_Match]:
        """Messages before `stop` that contain the query, in order; verified as they are asked for."""
        at = 0
        while at < len(self._found) or self._go_on(stop):
            while at < len(self._found):
                if self._found[at].position >= stop:
                    return
                yield self._found[at]
                at += 1

    def _go_on(self, stop: int) -> bool:
        """Verify until something is found before `stop`; False if there is no more."""
        while self._next < stop:
            positions = self._search.positions(self._strand, self._next, stop, self._step)
            if not positions:
                self._next = stop
                return False
            self._step = min(self._step * 4, STEPS[1])
            found = [*self._verified(positions)]
            self._next = positions[-1] + 1
            if found:
                self._found += found
                return True
        return False

    def _verified(self, positions: Sequence[int]) -> Iterator[_Match]:
        folded = self._search.folded
        for position, kind, body in self._search.messages(self._strand, positions):
            if not self._search.may_contain(body):
                continue
            for text in search_texts(bodies.decode(body)):
                if contains(text, folded):
                    yield _Match(position, kind, text)
                    break


@dataclass(frozen=True, slots=True)
class _Shown:
    """A session, with its pieces that hold a candidate, and whether its title is one."""

    id: UUID
    pieces: list[Piece]
    titled: bool


def _messages_at(places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], _Message]:
    """Messages anywhere, by strand and position."""
    if not places:
        return {}
    values = ",".join(f"({strand},{position})" for strand, position in places)
    with connection().cursor() as cursor:
        # CROSS, so that SQLite looks up what is wanted instead of reading all to see whether it is.
        cursor.execute(
            f"WITH wanted (strand, position) AS (VALUES {values})"  # noqa: S608 integers
            " SELECT wanted.strand, wanted.position, message.kind, message.body FROM wanted CROSS JOIN forklore_message message"
            " WHERE message.strand_id = wanted.strand AND message.position = wanted.position"
        )
        return {(strand, position): (position, kind, body) for strand, position, kind, body in cursor.fetchall()}


def _messages(strand: int, positions: Sequence[int]) -> list[_Message]:
    if isinstance(positions, range):
        where = f"position >= {positions.start} AND position < {positions.stop}"
    else:
        where = f"position IN ({','.join(map(str, positions))})"
    with connection().cursor() as cursor:
        cursor.execute(
            f"SELECT position, kind, body FROM forklore_message WHERE strand_id = %s AND {where} ORDER BY position",  # noqa: S608 integers
            [strand],
        )
        return cursor.fetchall()


def _showing(candidates: Candidates, condition: str, parameters: Sequence[Any]) -> list[_Shown] | None:
    """The live sessions that show a candidate, in the order of hits; None if they are too many."""
    moments: dict[UUID, Any] = {}
    pieces: dict[UUID, list[Piece]] = {}
    for listed in _lists(candidates.positions):
        rows = _pieces_on(listed, condition, parameters)
        if len(rows) + len(moments) > SHOWN:
            return None
        for id, moment, start, stop, strand in rows:
            id = _uuid(id)
            if candidates.positions[strand][0] < stop:
                moments[id] = moment
                pieces.setdefault(id, []).append(Piece(start, stop, strand))
    titled: dict[UUID, Any] = {}
    for listed in _lists(candidates.titles):
        titled |= {_uuid(id): moment for id, moment in _titled(listed, condition, parameters)}
    moments |= titled
    ids = sorted(sorted(moments), key=moments.__getitem__, reverse=True)
    return [_Shown(id, sorted(pieces.get(id, ()), key=lambda piece: piece.start), id in titled) for id in ids]


def _lists(numbers: Any) -> Iterator[str]:
    ordered = sorted(numbers)
    for start in range(0, len(ordered), 1000):
        yield ",".join(map(str, ordered[start : start + 1000]))


def _pieces_on(listed: str, condition: str, parameters: Sequence[Any]) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(
            "SELECT session.id, session.updated_at, piece.start, COALESCE(piece.stop, session.message_count),"  # noqa: S608
            " piece.strand_id FROM forklore_piece piece JOIN forklore_session session ON session.id = piece.session_id"
            f" WHERE piece.strand_id IN ({listed}) AND session.trashed_at IS NULL AND {condition} LIMIT {SHOWN + 1}",
            parameters,
        )
        return cursor.fetchall()


def _titled(listed: str, condition: str, parameters: Sequence[Any]) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(
            "SELECT session.id, session.updated_at FROM forklore_searchtitle title"  # noqa: S608
            " JOIN forklore_session session ON session.id = title.session_id"
            f" WHERE title.id IN ({listed}) AND session.trashed_at IS NULL AND {condition}",
            parameters,
        )
        return cursor.fetchall()


def _pieces_of(rows: Sequence[SessionRow]) -> dict[UUID, list[Piece]]:
    pieces: dict[UUID, list[Piece]] = {row.id: [] for row in rows}
    counts = {row.id: row.tail.count for row in rows}
    with connection().cursor() as cursor:
        cursor.execute(
            "SELECT session_id, start, stop, strand_id FROM forklore_piece"  # noqa: S608
            f" WHERE session_id IN ({', '.join(['%s'] * len(rows))}) ORDER BY start",
            [piece_table.key(row.id) for row in rows],
        )
        for id, start, stop, strand in cursor.fetchall():
            id = _uuid(id)
            pieces[id].append(Piece(start, counts[id] if stop is None else stop, strand))
    return pieces


def _allowed(filters: Filters) -> tuple[str, list[Any]]:
    if filters.sessions is None:
        return "1 = 1", []
    try:
        statement, parameters = filters.sessions.values("pk").query.get_compiler(using=current()).as_sql()
    except EmptyResultSet:
        return "1 = 0", []
    return f"session.id IN ({statement})", list(parameters)


def _older(updated_at: Any, id: UUID, with_itself: bool = False) -> tuple[str, list[Any]]:
    moment = session_rows.moment_for_database(updated_at)
    sign = ">=" if with_itself else ">"
    condition = f"(session.updated_at < %s OR (session.updated_at = %s AND session.id {sign} %s))"
    return condition, [moment, moment, piece_table.key(id)]


def _newer(updated_at: Any, id: UUID) -> tuple[str, list[Any]]:
    moment = session_rows.moment_for_database(updated_at)
    condition = "(session.updated_at > %s OR (session.updated_at = %s AND session.id < %s))"
    return condition, [moment, moment, piece_table.key(id)]


def _uuid(id: UUID | str) -> UUID:
    return id if isinstance(id, UUID) else UUID(id)


def _hit(row: SessionRow, excerpt: str, position: int | None = None, role: Role | None = None) -> SearchHit:
    return SearchHit(row.id, row.project, row.title, row.updated_at, row.turns, excerpt, position, role=role)


def listed(filters: Filters, after: Key | None, limit: int) -> list[SearchHit]:
    """The sessions that the filters allow, most recently updated first, as hits in their titles."""
    condition, parameters = _allowed(filters)
    if after:
        older, values = _older(after[0], after[1])
        condition, parameters = f"{condition} AND {older}", [*parameters, *values]
    return [_hit(row, _first_prompt(row)) for row in session_rows.live(condition, parameters, limit)]


def _first_prompt(row: SessionRow) -> str:
    first = row.tail.first_prompt
    return "" if first is None else excerpt(prompt_text(row.messages(first, first + 1)[0]) or "", 0)


def _with_shared(found: Sequence[tuple[SearchHit, int]]) -> list[SearchHit]:
    """The hits, each with the number of other live sessions that hold its message."""
    strands = sorted({strand for _, strand in found if strand})
    stops: dict[int, list[int]] = {strand: [] for strand in strands}
    if strands:
        with connection().cursor() as cursor:
            cursor.execute(
                "SELECT piece.strand_id, COALESCE(piece.stop, session.message_count) FROM forklore_piece piece"  # noqa: S608
                " JOIN forklore_session session ON session.id = piece.session_id"
                f" WHERE piece.strand_id IN ({','.join(map(str, strands))}) AND session.trashed_at IS NULL"
            )
            for strand, stop in cursor.fetchall():
                stops[strand].append(stop)
    return [
        replace(hit, shared_with=sum(stop > hit.position for stop in stops[strand]) - 1)
        if hit.position is not None
        else hit
        for hit, strand in found
    ]

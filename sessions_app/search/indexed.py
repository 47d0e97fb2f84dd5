"""Search by the index: candidates from the database, verified on the messages themselves, newest sessions first.

Few candidates are mapped to the sessions that show them. Otherwise sessions are walked newest first; what the index has
not listed of them is read, until that has taken as long as listing all candidates would. A message is read and
verified once, however many forks show it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sessions_app import bodies, piece_table, session_rows
from sessions_app.databases import connection
from sessions_app.errors import DamagedMessage
from sessions_app.first_look import first_look
from sessions_app.folding import fold
from sessions_app.piece_table import END, Piece, Place
from sessions_app.projection import prompt_text, search_texts
from sessions_app.records import SearchHit
from sessions_app.search import rows
from sessions_app.search.budget import Budget, OutOfTime
from sessions_app.search.candidates import Candidates, Finder, NoFinder
from sessions_app.search.filters import ROLES, Filters
from sessions_app.search.postgresql import TrigramFinder
from sessions_app.search.rows import Condition, Message, Shown
from sessions_app.search.sqlite import Fts5Finder
from sessions_app.search.text import contains, excerpt, snippet
from sessions_app.session_rows import SessionRow

Distinct = Literal["session", "message"]
Key = tuple[Any, UUID, int | None]  # updated_at, session, and position of the last hit; where the next page goes on

WALKED = 2  # a session that was walked takes as long as so many messages that were read
WINDOW = (32, 256)  # sessions walked at once: at first, and in the end
CHUNK = (24, 192)  # sessions whose candidates are read at once: at first, and in the end
AHEAD = (1, 16)  # candidates of a strand that are read with the chunk: at first, and where that was not enough
STEPS = (1, 64)  # messages verified at once: at first, and in the end
LOOKED_AT = 64  # candidates that are looked at before their sessions are
READ = 32  # messages read at once where no candidates are known, at least


class _Match(NamedTuple):
    place: Place
    kind: int
    text: str  # that of the message's texts which contains the query
    body: bytes


class _Found(NamedTuple):
    """A hit before its session's row is read; `match` is None for a hit in the title."""

    key: Any
    match: _Match | None = None


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
        self._after_key = piece_table.key(after[1]) if after else None
        self._finder = _finder(self.folded) if indexed else NoFinder()
        self._listed, self._asked = False, False  # whether all candidates are, and whether that was tried
        self._effort = 0  # in messages read that a list of all candidates would have spared
        self._looked_into: set[int] = set()  # strands whose candidates were asked for
        self._fetched: dict[Place, Message] = {}
        self._looked_at = False  # whether those are all candidates
        self._strands: dict[int, _Strand] = {}
        self._reported: dict[int, int] = {}  # by strand: up to where newer sessions have shown its hits
        self._refused: set[Place] = set()  # messages that are not what was written

    def hits(self, limit: int) -> tuple[list[SearchHit], bool]:
        """At most `limit` hits, and whether all were found that are to be within it."""
        found, complete = self._found(limit)
        return self._told(found), complete

    def positions_found(self) -> tuple[list[int], bool]:
        """Those of all hits in messages, and whether all were found; of a search in one session, ascending."""
        found, complete = self._found(END)
        return [hit.match.place[1] for hit in found if hit.match], complete

    def _found(self, limit: int) -> tuple[list[_Found], bool]:
        """Hits whose messages are proved to be what was written: all in one question. Where one is not, anew without it."""
        while True:
            found, complete = self._unproved(limit)
            refused = piece_table.unproved({hit.match.place: hit.match.body for hit in found if hit.match})
            if not refused:
                return found, complete
            if not complete:
                return [hit for hit in found if not hit.match or hit.match.place not in refused], False
            self._refused |= refused
            self._strands.clear()
            self._reported.clear()

    def _unproved(self, limit: int) -> tuple[list[_Found], bool]:
        found: list[_Found] = []
        try:
            with self.budget.within():
                for hit in self._hits():
                    found.append(hit)
                    if len(found) == limit:
                        break
        except OutOfTime:
            return found, False
        return found, True

    def _hits(self) -> Iterator[_Found]:
        self.candidates = self._finder.few()
        self._listed = self.candidates is not None
        if self.candidates:
            self._look_at_few(self.candidates.positions)
        for shown in self._sessions():
            self.budget.check()
            yield from self._hits_in(shown)

    def _look_at_few(self, listed: dict[int, list[int]]) -> None:
        """Look at the candidates before their sessions are looked up, where they are few: most may be none."""
        places = [(strand, position) for strand, positions in listed.items() for position in positions]
        if not 0 < len(places) <= LOOKED_AT:
            return
        found = rows.messages_at(places)
        self._fetched = {place: message for place, message in found.items() if self.may_contain(message[2])}
        for strand in {strand for strand, _ in places}:
            listed[strand] = [position for position in listed[strand] if (strand, position) in self._fetched]
            if not listed[strand]:
                del listed[strand]
        self._looked_at = True

    # Which sessions to look into

    def _sessions(self) -> Iterator[Shown]:
        """Sessions in the order of hits: those that show a candidate as soon as all are listed, and all until then."""
        showing = self._showing(self._condition())
        tried = self._listed
        for each in self._newest_first() if showing is None else ():
            yield each
            if self._listed and not tried:
                tried = True
                showing = self._showing(rows.older(self._condition(), each.moment, each.key))
                if showing is not None:
                    break
        yield from self._prefetched(showing or iter(()))

    def _showing(self, condition: Condition) -> Iterator[list[Shown]] | None:
        """The sessions that show a candidate; None if not all are listed, or if they are too many to sort."""
        if not self._listed or self.candidates is None:
            return None
        return rows.showing(self.candidates, condition)

    def _prefetched(self, showing: Iterator[list[Shown]]) -> Iterator[Shown]:
        size, ahead = CHUNK[0], AHEAD[0]
        for each in showing:
            start = 0
            while start < len(each):
                chunk = each[start : start + size]
                self._fetch(chunk, ahead)
                yield from chunk
                start, size, ahead = start + size, min(size * 2, CHUNK[1]), AHEAD[1]

    def _newest_first(self) -> Iterator[Shown]:
        condition, size, ahead = self._condition(), WINDOW[0], AHEAD[0]
        while window := rows.newest(condition, size):
            self._look_into({piece.strand for each in window for piece in each.pieces})
            self._fetch(window, ahead)
            yield from window
            condition = rows.older(self._condition(), window[-1].moment, window[-1].key)
            self._effort += WALKED * len(window)
            size, ahead = min(size * 2, WINDOW[1]), AHEAD[1]

    def _look_into(self, strands: set[int]) -> None:
        """List the candidates of strands that are about to be looked into, if the finder can do that."""
        if self._listed or not (new := strands - self._looked_into):
            return
        if self._effort > self._finder.worth and (candidates := self._list_all()):
            self.candidates = candidates
            return
        found = self._finder.in_strands(sorted(new))
        if found is not None:
            self._looked_into |= new
            self.candidates = self.candidates or Candidates()
            self.candidates.positions.update(found.positions)

    def _fetch(self, showing: Iterable[Shown], ahead: int) -> None:
        """Read the first candidates of sessions that are about to be looked into, `ahead` of a strand, all at once.

        Those that a first look refuses are candidates no more.
        """
        if self.candidates is None or self._looked_at:
            return
        listed = self.candidates.positions
        stops: dict[int, int] = {}
        for each in showing:
            for piece in each.pieces[:1]:
                if piece.strand not in self._strands:
                    stops[piece.strand] = max(piece.stop, stops.get(piece.strand, 0))
        places = [
            (strand, position)
            for strand, stop in stops.items()
            for position in listed.get(strand, ())[:ahead]
            if position < stop
        ]
        found = rows.messages_at(places)
        self._fetched = {place: message for place, message in found.items() if self.may_contain(message[2])}
        for strand in {strand for strand, _ in places}:
            first = listed[strand][:ahead]
            kept = [position for position in first if position >= stops[strand] or (strand, position) in self._fetched]
            if len(kept) < len(first):
                listed[strand] = kept + listed[strand][ahead:]

    def _list_all(self) -> Candidates | None:
        """All candidates, asked for once; None if they are too many to be worth a list."""
        if self._asked:
            return None
        self._asked = True
        found = self._finder.many()
        self._listed = found is not None
        return found

    def _condition(self) -> Condition:
        """What the session of a hit must be: what the filters allow, and from the last page's end on."""
        condition = rows.allowed(self.filters)
        if self.after is None:
            return condition
        return rows.older(condition, self.after[0], self._after_key, with_itself=self.distinct == "message")

    # What of a session is a hit

    def _hits_in(self, shown: Shown) -> Iterator[_Found]:
        any_match = False
        for piece in shown.pieces:
            for match in self._strand(piece).matches(piece.stop):
                any_match = True
                if self.distinct == "session":
                    yield _Found(shown.key, match)
                    return
                position = match.place[1]
                if position >= self._reported_to(piece.strand) and not self._is_before(shown, position):
                    yield _Found(shown.key, match)
            self._reported[piece.strand] = max(self._reported_to(piece.strand), piece.stop)
        if not any_match and self._title_counts(shown):
            yield _Found(shown.key)

    def _title_counts(self, shown: Shown) -> bool:
        if shown.title is None or self.filters.kinds is not None or not contains(shown.title, self.folded):
            return False
        return shown.key != self._after_key

    def _is_before(self, shown: Shown, position: int) -> bool:
        """Whether an earlier page has ended at or behind that message of its last session."""
        if self.after is None or shown.key != self._after_key:
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
        return rows.newest_stop(strand, rows.newer(rows.allowed(self.filters), *self.after[:2]))

    def _strand(self, piece: Piece) -> _Strand:
        if piece.strand not in self._strands:
            self._strands[piece.strand] = _Strand(self, piece)
        return self._strands[piece.strand]

    def positions(self, strand: int, start: int, stop: int, count: int) -> Sequence[int]:
        """The next positions of a strand that may hold the query, at most `count`; all are candidates without a list."""
        listed = self._candidates_in(strand)
        if listed is None:
            return range(start, min(stop, start + max(count, READ)))
        first = bisect_left(listed, start)
        return [position for position in listed[first : first + count] if position < stop]

    def _candidates_in(self, strand: int) -> Sequence[int] | None:
        """None if they are not known, and all messages of the strand have to be read."""
        known = self.candidates.positions.get(strand) if self.candidates else None
        if known is None and not self._listed and self._effort > self._finder.worth and (found := self._list_all()):
            self.candidates = found
        if self._listed and self.candidates:
            return self.candidates.positions.get(strand, [])
        return known

    def messages(self, strand: int, positions: Sequence[int]) -> list[Message]:
        """Those of the messages that are of the kinds wanted and may contain the query, in order."""
        if not isinstance(positions, range):
            fetched = [self._fetched.get((strand, position)) for position in positions]
            if None not in fetched:
                return self._of_kinds(fetched)  # type: ignore[arg-type] # what was fetched may contain it
        else:
            self._effort += len(positions)
        self.budget.check()
        found = rows.messages(strand, positions)
        return self._of_kinds([message for message in found if self.may_contain(message[2])])

    def _of_kinds(self, found: list[Message]) -> list[Message]:
        kinds = self.filters.kinds
        return found if kinds is None else [message for message in found if message[1] in kinds]

    # What is told of a hit

    def _told(self, found: Sequence[_Found]) -> list[SearchHit]:
        if not found:
            return []
        sessions = rows.facts_of({hit.key for hit in found})
        titled = _rows_of({hit.key for hit in found if hit.match is None})
        stops = rows.stops_on({hit.match.place[0] for hit in found if hit.match})
        hits = []
        for key, match in found:
            if match is None:
                hits.append(_title_hit(titled[key]))
                continue
            (strand, position), kind, text, _ = match
            shared_with = len(stops[strand]) - bisect_right(stops[strand], position) - 1
            told = snippet(text, self.query)
            hits.append(SearchHit(*sessions[key], told, position, shared_with, ROLES.get(kind, "notice")))
        return hits


def _finder(folded: str) -> Finder:
    return Fts5Finder(folded) if connection().vendor == "sqlite" else TrigramFinder(folded)


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
                match = self._found[at]
                if match.place[1] >= stop:
                    return
                yield match
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
            for text in _texts(body):
                if contains(text, folded):
                    if (place := (self._strand, position)) not in self._search._refused:
                        yield _Match(place, kind, text, body)
                    break


def _texts(body: bytes) -> Iterable[str]:
    """None of a body that is no message any more, as in a damaged file."""
    try:
        return search_texts(bodies.decode(body))
    except ValueError:
        return ()


def listed(filters: Filters, after: Key | None, limit: int) -> list[SearchHit]:
    """The sessions that the filters allow, most recently updated first, as hits in their titles."""
    condition = rows.allowed(filters)
    if after:
        condition = rows.older(condition, after[0], piece_table.key(after[1]))
    return [_title_hit(row) for row in session_rows.live(*condition, limit)]


def _rows_of(keys: set[Any]) -> dict[Any, SessionRow]:
    marks = ", ".join(["%s"] * len(keys))
    found = session_rows.live(f"session.id IN ({marks})", list(keys), len(keys)) if keys else []
    return {piece_table.key(row.id): row for row in found}


def _title_hit(row: SessionRow) -> SearchHit:
    return SearchHit(row.id, row.project, row.title, row.updated_at, row.turns, _beginning(row))


def _beginning(row: SessionRow) -> str:
    """Of its first prompt; nothing of one that is damaged, for the title is there all the same."""
    first = row.tail.first_prompt
    if first is None:
        return ""
    try:
        return excerpt(prompt_text(row.messages(first, first + 1)[0]) or "", 0)
    except DamagedMessage:
        return ""

"""Candidates from FTS5: documents that hold a query's rarest trigrams, and those that wait to be indexed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing
from operator import itemgetter
from time import monotonic, perf_counter
from typing import Any

from sessions_app.bodies import PACKED
from sessions_app.databases import current, execute
from sessions_app.first_look import runs_in
from sessions_app.folding import storable
from sessions_app.search.candidates import FEW, FIRST_READ, MANY, Candidates
from sessions_app.search_index import BLOCK, MARKED

NEWEST = 150  # candidates that are listed before anything else
READING = 9e-6  # seconds that it takes to read a message and to look into it
SHOWING = 4e-6  # seconds that it takes to sort the sessions of a candidate
MOST_LISTED = 5_000  # candidates that are waited for; where there are more, to have them all spares the more
PROBE = 100  # documents looked at to tell how common a trigram is
PROBED = 12  # trigrams of a query, at most, of which that is asked
# Characters of code and of prose in it, the commonest first: of a long query the trigrams are asked of that seem rare.
COMMONEST = " etaonirslcd\npumfhgyb_.vw,k=x'\"()-:1023;/[]#*j>q5z4"
# One more trigram costs reading its list, and spares looking into the candidates that do not hold it. It is worth that
# while its list is at most so many times as long as there are candidates: at first, as if each left one of ten, which
# is so for rare words; and where more than RARE are found, as if it left one of three.
WORTH = (40, 200)
_LEFT = (10, 3)
RARE = 32  # candidates; a second question reads all lists again, which is more than looking into these
FEWER = 60  # candidates that fewer trigrams may leave by estimate, where they are asked whether those are RARE
TERMS_OF_FEW = 24  # trigrams that a query of one or two characters may begin: each is a question, and a list to read
TERMS_OF_MANY = 400
COMMON = 20_000.0  # messages that are read for a query of one or two characters before all of its terms are looked up
_REMEMBERED = 20_000  # trigrams

_VALID = 600  # seconds that an estimate is remembered

END = 2**62  # beyond every document's number

_ESCAPES = {ord(character): f"!{character}" for character in "!%_"}
_LOOK = f"""SELECT block.strand_id, message.position
FROM forklore_search found CROSS JOIN forklore_searchblock block CROSS JOIN forklore_message message
WHERE found.forklore_search MATCH %s AND block.id = found.rowid / {BLOCK} AND message.strand_id = block.strand_id
AND message.position = block.number * {BLOCK} + found.rowid %% {BLOCK} AND (message.body LIKE %s ESCAPE '!'
OR message.body LIKE '{PACKED.replace("%", "%%")}') LIMIT %s"""  # noqa: S608 integers

_HOW_COMMON = {character: len(COMMONEST) - rank for rank, character in enumerate(COMMONEST)}

_Document = tuple[int, int | None, int | None]  # its number, strand and position

_estimates: OrderedDict[tuple[str, str, int], float] = OrderedDict()


class Fts5Finder:
    def __init__(self, folded: str):
        self._folded = folded
        self._query = storable(folded)
        self._grams: dict[str, float] = {}  # and in how many documents they are, about; rarest first
        self._newest = Candidates()  # of the newest blocks
        self._from_block = 0  # the first of them
        self._last_block = 0
        self._expression = ""
        self._rows = 0  # of the index, that made the list of the newest
        self._listing = 0.0  # seconds that it took to list one of them
        self._about = 0.0  # candidates in all
        self.worth = float(FIRST_READ)

    def few(self) -> Candidates | None:
        if len(self._query) >= 3:
            rough, left = self._worth_looking_up(0)
            whole, _ = self._worth_looking_up(1)
            if rough != whole or left <= FEW:
                listed = _all_at_once(rough if left <= FEWER else whole, whole)
                if listed is not None:
                    return self._candidates(listed)
            expression: str | None = whole
        else:
            expression = self._any_of_terms(TERMS_OF_FEW)
        if expression is None:
            self.worth = COMMON
            return None
        self._expression = expression
        began = perf_counter()
        found = _documents(expression, None, NEWEST + 1)
        self._listing = (perf_counter() - began) / max(len(found), 1)
        if len(found) > NEWEST and self._estimated(found, NEWEST) <= FEW:
            found += _documents(expression, found[-1][0], FEW + 1 - len(found))
            if len(found) <= FEW:
                return self._candidates(found)
        elif len(found) <= NEWEST:
            return self._candidates(found)
        self._newest = self._candidates(found)
        self._cover(found)
        return None

    def many(self) -> Candidates | None:
        if len(self._query) < 3:
            expression = self._any_of_terms(TERMS_OF_MANY)
            if expression is None:
                return None
        else:
            expression, _ = self._worth_looking_up(1)
        run = next(iter(runs_in(self._folded)), "")
        if self._about > MANY and len(run) > 3:
            return self._looked_at(expression, run)
        found = _documents(expression, None, MANY + 1)
        return None if len(found) > MANY else self._candidates(found)

    def _looked_at(self, expression: str, run: str) -> Candidates | None:
        """Of very many candidates those whose bodies hold a run of the query as it is, or that are marked.

        The database looks at them by itself, in a third of the time that it takes to hand them out.
        """
        passed = [(1, *place) for place in _execute(_LOOK, [expression, _pattern(run), MANY + 1])]
        marked = _documents(f"{expression} AND {_quoted(MARKED)}", None, MANY + 1, from_number=0)
        titles = _documents(expression, 0, MANY + 1)
        found = [*passed, *marked, *titles]
        return None if len(found) > MANY else self._candidates(found)

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        """Those of the strands that were indexed lately; the others are to be read.

        How far back "lately" goes, grows with the strands, as far as that is less work than to read them.
        """
        if not self._from_block or not strands:
            return None
        blocks = _blocks_of(strands)
        self._go_back(blocks)
        # A strand without a block waits as a whole.
        since = self._from_block
        lately = [strand for strand in strands if strand not in blocks or blocks[strand][0] >= since]
        return Candidates({strand: self._newest.positions.get(strand, []) for strand in lately})

    def _go_back(self, blocks: dict[int, tuple[int, int]]) -> None:
        """List further candidates back to the oldest strand that this is worth."""
        density = self._rows / max(self._last_block - self._from_block + 1, 1)  # candidates a block
        back, spared = self._from_block, 0.0
        target = back
        for first, last in sorted(blocks.values(), reverse=True):
            if first >= self._from_block:
                continue
            # A strand that is read is read up to its first match.
            spared += min((last - first + 1) * BLOCK, 2 * BLOCK / density) * READING
            if (back - first) * density * self._listing <= spared:
                target = first
        if target < back:
            found = _documents(self._expression, back * BLOCK, None, from_number=target * BLOCK)
            self._newest.add(_places(found))
            self._newest.sort()
            self._rows += len(found)
            self._from_block = target

    def _cover(self, found: Sequence[_Document]) -> None:
        """Note that these are all candidates of the newest blocks, and about how many there are in all."""
        ((last,),) = _execute("SELECT MAX(id) FROM forklore_searchblock")
        if last is None:
            return
        self._last_block = last
        self._from_block = found[-1][0] // BLOCK + 1
        self._rows = len(found)
        self._about = self._estimated(found, len(found) - 1)
        self.worth = max(FIRST_READ, min(self._about, MOST_LISTED) * (self._listing + SHOWING) / READING)

    def _estimated(self, found: Sequence[_Document], at: int) -> float:
        """About how many documents are found in all, told from how far back the one at that place stands."""
        newest, number = found[0][0], found[at][0]
        return (at + 1) * newest / max(newest - number, 1) if number > 0 else at + 1

    def _candidates(self, found: Sequence[_Document]) -> Candidates:
        candidates = Candidates(titles=[-number for number, _, _ in found if number < 0])
        candidates.add(_places(found))
        waiting = _execute(
            "SELECT 0, id FROM forklore_searchtitle WHERE waiting AND instr(text, %s) > 0"
            " UNION ALL SELECT strand_id, position FROM forklore_searchdocument WHERE instr(text, %s) > 0"
            " UNION ALL SELECT strand_id, position FROM forklore_searchlong",
            [self._query, self._query],
        )
        candidates.titles += [id for strand, id in waiting if not strand]
        candidates.add([place for place in waiting if place[0]])
        return candidates.sort()

    def _worth_looking_up(self, effort: int) -> tuple[str, float]:
        """All trigrams of the query that are worth it, with more or less effort (1 or 0), and candidates they may leave."""
        self._grams = self._grams or _rarest_first(self._query)
        chosen: list[str] = []
        left = float("inf")  # candidates
        for gram, count in self._grams.items():
            if chosen and count > WORTH[effort] * left:
                break
            left = min(left / _LEFT[effort], count)
            chosen.append(gram)
        return " AND ".join(map(_quoted, chosen)), left

    def _any_of_terms(self, limit: int) -> str | None:
        """All trigrams that begin with the query; "" if there are none, None if they are more than the limit."""
        terms: list[str] = []
        last = self._query
        # One after the other, because to list them would read all of their documents.
        while found := _execute(
            "SELECT term FROM forklore_search_terms WHERE term > %s AND term < %s LIMIT 1",
            [last, self._query + "\U0010ffff"],
        ):
            terms += [last := found[0][0]]
            if len(terms) > limit:
                return None
        return " OR ".join(map(_quoted, terms))


def _rarest_first(query: str) -> dict[str, float]:
    grams = list(dict.fromkeys(query[at : at + 3] for at in range(len(query) - 2)))
    if len(grams) > PROBED:
        grams = sorted(grams, key=_seems_common)[:PROBED]
    return dict(sorted(((gram, _estimate(gram)) for gram in grams), key=itemgetter(1)))


def _seems_common(gram: str) -> int:
    return sum(_HOW_COMMON.get(character, 0) for character in gram)


def _estimate(gram: str) -> float:
    """About how many documents hold a trigram; a wrong one makes a search slow, not wrong."""
    key = (current(), gram, int(monotonic() / _VALID))
    if key not in _estimates:
        _estimates[key] = _probe(gram)
        if len(_estimates) > _REMEMBERED:
            _estimates.popitem(last=False)
    return _estimates[key]


def _probe(gram: str) -> float:
    """Told from how far back in the index the hundredth newest document stands; counted where there are fewer."""
    found = _execute(
        "SELECT rowid, (SELECT MAX(id) FROM forklore_searchblock) FROM forklore_search"
        " WHERE forklore_search MATCH %s ORDER BY rowid DESC LIMIT 1 OFFSET %s",
        [_quoted(gram), PROBE],
    )
    if not found or not found[0][1]:
        return _execute("SELECT COUNT(*) FROM forklore_search WHERE forklore_search MATCH %s", [_quoted(gram)])[0][0]
    number, last = found[0]
    return PROBE * last / max(last - number // BLOCK, 1)


def _pattern(run: str) -> str:
    """LIKE knows the case of ASCII letters alone, of which a run is made."""
    return f"%{run.translate(_ESCAPES)}%"


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'


def _documents(
    expression: str,
    before: int | None,
    limit: int | None,
    *,
    from_number: int | None = None,
    oldest_first: bool = False,
) -> list[_Document]:
    """Documents that hold the trigrams, newest first, titles last, with strand and position; or the other way round.

    FTS5 takes no empty expression, which finds nothing.
    """
    if not expression:
        return []
    return _asked(expression, before, limit, from_number, oldest_first).fetchall()


def _asked(expression: str, before: int | None, limit: int | None, from_number: int | None, oldest_first: bool) -> Any:
    first = -END if from_number is None else from_number
    return execute(
        f"SELECT found.rowid, block.strand_id, block.number * {BLOCK} + found.rowid %% {BLOCK}"  # noqa: S608 integer
        f" FROM forklore_search found LEFT JOIN forklore_searchblock block ON block.id = found.rowid / {BLOCK}"
        " WHERE found.forklore_search MATCH %s AND found.rowid < %s AND found.rowid >= %s"
        f" ORDER BY found.rowid {'' if oldest_first else 'DESC'} LIMIT %s",
        [expression, END if before is None else before, first, -1 if limit is None else limit],
    )


def _all_at_once(first: str, whole: str) -> list[_Document] | None:
    """All documents of the whole expression, where the first documents of an expression say that they are few, or None.

    The first may be of fewer trigrams; where it finds no more than RARE, those are it. FTS5 reads its lists forwards in
    three quarters of the time, and the order is no matter where all is listed.
    """
    with closing(_asked(first, None, FEW + 1, None, oldest_first=True)) as asked:
        found = asked.fetchmany(RARE + 1)
        if len(found) <= RARE:
            return found
        last = found[-1][0]
        if last <= 0:  # titles
            return None
        ((newest,),) = _execute("SELECT MAX(id) FROM forklore_searchblock")
        if len(found) * newest * BLOCK / last > FEW:
            return None
        if first == whole:
            found += asked.fetchall()
    if first != whole:
        found = _documents(whole, None, FEW + 1, oldest_first=True)
    return found if len(found) <= FEW else None


def _places(found: Sequence[_Document]) -> list[tuple[int, int]]:
    """Without documents that were indexed for messages that are gone."""
    return [(strand, position) for _, strand, position in found if strand is not None and position is not None]


def _blocks_of(strands: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The first and the last block of strands that have any."""
    return {
        strand: (first, last)
        for strand, first, last in _execute(
            "SELECT strand_id, MIN(id), MAX(id) FROM forklore_searchblock"
            " WHERE strand_id IN (SELECT value FROM json_each(%s)) GROUP BY strand_id",
            [f"[{','.join(map(str, strands))}]"],
        )
    }


def _execute(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    return execute(statement, parameters).fetchall()

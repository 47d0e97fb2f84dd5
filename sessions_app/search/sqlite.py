"""Candidates from FTS5: documents that hold a query's rarest trigrams, and those that wait to be indexed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from operator import itemgetter
from time import monotonic
from typing import Any

from sessions_app.databases import connection, current
from sessions_app.folding import storable
from sessions_app.search.candidates import FEW, MANY, Candidates
from sessions_app.search_index import BLOCK

PROBE = 100  # documents looked at to tell how common a trigram is
PROBED = 12  # trigrams of a query, at most, of which that is asked
# One more trigram costs reading its list, and spares looking into the candidates that do not hold it. It is worth that
# while its list is at most so many times as long as there are candidates: where some of them are looked into, and all.
WORTH_OF_FEW = 250
WORTH_OF_MANY = 1000
_SPARED = 3  # of so many candidates one more trigram leaves one, about
TERMS_OF_FEW = 24  # trigrams that a query of one or two characters may begin: each is a question, and a list to read
TERMS_OF_MANY = 400
_REMEMBERED = 20_000  # trigrams

_VALID = 600  # seconds that an estimate is remembered

_estimates: OrderedDict[tuple[str, str, int], float] = OrderedDict()


class Fts5Finder:
    def __init__(self, folded: str):
        self._query = storable(folded)
        self._grams: dict[str, float] = {}  # and in how many documents they are, about; rarest first
        self._newest: Candidates | None = None  # of the newest blocks, from this one on
        self._from_block = 0

    def few(self) -> Candidates | None:
        expression = self._all_of(WORTH_OF_FEW) if len(self._query) >= 3 else self._any_of_terms(TERMS_OF_FEW)
        if expression is None:
            return None
        numbers = _execute_if(
            expression,
            "SELECT rowid FROM forklore_search WHERE forklore_search MATCH %s ORDER BY rowid DESC LIMIT %s",
            FEW + 1,
        )
        if len(numbers) <= FEW:
            return self._candidates(numbers)
        self._newest = self._candidates(numbers)
        self._from_block = numbers[-1][0] // BLOCK + 1
        return None

    def many(self) -> Candidates | None:
        if len(self._query) < 3:
            expression = self._any_of_terms(TERMS_OF_MANY)
            if expression is None:
                return None
        else:
            expression = self._all_of(WORTH_OF_MANY)
        numbers = _execute_if(
            expression,
            "SELECT rowid FROM forklore_search WHERE forklore_search MATCH %s LIMIT %s",
            MANY + 1,
        )
        return None if len(numbers) > MANY else self._candidates(numbers)

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        """Those of the strands that were indexed so lately that `few` has listed them; others are to be read."""
        if self._newest is None or not strands:
            return None
        listed = ",".join(map(str, strands))
        first = dict(
            _execute(
                f"SELECT strand_id, MIN(id) FROM forklore_searchblock WHERE strand_id IN ({listed}) GROUP BY strand_id"  # noqa: S608 integers
            )
        )
        # A strand without a block waits as a whole.
        lately = [strand for strand in strands if first.get(strand, self._from_block) >= self._from_block]
        return Candidates({strand: self._newest.positions.get(strand, []) for strand in lately})

    def _candidates(self, numbers: Sequence[tuple[int]]) -> Candidates:
        found = Candidates(titles=[-number for (number,) in numbers if number < 0])
        found.add(_places([number for (number,) in numbers if number > 0]))
        waiting = _execute(
            "SELECT 0, id FROM forklore_searchtitle WHERE waiting AND instr(text, %s) > 0"
            " UNION ALL SELECT strand_id, position FROM forklore_searchdocument WHERE instr(text, %s) > 0"
            " UNION ALL SELECT strand_id, position FROM forklore_searchlong",
            [self._query, self._query],
        )
        found.titles += [id for strand, id in waiting if not strand]
        found.add([place for place in waiting if place[0]])
        return found.sort()

    def _all_of(self, worth: int) -> str:
        """The trigrams of the query that are worth looking up."""
        self._grams = self._grams or _rarest_first(self._query)
        chosen: list[str] = []
        left = float("inf")  # candidates
        for gram, count in self._grams.items():
            if chosen and count > worth * left:
                break
            chosen.append(gram)
            left = min(left / _SPARED, count)
        return " AND ".join(map(_quoted, chosen))

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
    step = -(-len(grams) // PROBED)
    return dict(sorted(((gram, _estimate(gram)) for gram in grams[::step]), key=itemgetter(1)))


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


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'


def _places(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Strand and position of documents; one that was indexed for a message that is gone has none."""
    blocks = {number // BLOCK for number in numbers}
    where: dict[int, tuple[int, int]] = {}
    ids = sorted(blocks)
    for first in range(0, len(ids), 10_000):
        listed = ",".join(map(str, ids[first : first + 10_000]))
        for id, strand, number in _execute(
            f"SELECT id, strand_id, number FROM forklore_searchblock WHERE id IN ({listed})"  # noqa: S608 integers
        ):
            where[id] = (strand, number * BLOCK)
    return [
        (where[number // BLOCK][0], where[number // BLOCK][1] + number % BLOCK)
        for number in numbers
        if number // BLOCK in where
    ]


def _execute_if(expression: str, statement: str, limit: int) -> list[tuple[int]]:
    """FTS5 takes no empty expression, which finds nothing."""
    return _execute(statement, [expression, limit]) if expression else []


def _execute(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()

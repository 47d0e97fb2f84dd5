"""Candidates from FTS5: documents that hold a query's rarest trigrams, and those that wait to be indexed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from sessions_app.databases import connection, current
from sessions_app.folding import storable
from sessions_app.search.candidates import FEW, MANY, Candidates
from sessions_app.search_index import BLOCK

PROBE = 100  # documents looked at to tell how common a trigram is
PROBED = 24  # trigrams of a query, at most, of which that is asked
GRAMS_OF_FEW = 5  # trigrams that are looked up together; each costs reading its list,
GRAMS_OF_MANY = 16  # and spares verifying messages
TERMS = 400  # trigrams that a query of one or two characters may begin
_REMEMBERED = 20_000  # trigrams

_WORTH = 30  # times the documents of the rarest trigram: one in more costs more to read than it spares

_estimates: OrderedDict[tuple[str, str], float] = OrderedDict()


class Fts5Finder:
    def __init__(self, folded: str):
        self._query = storable(folded)
        self._grams: list[str] | None = None

    def few(self) -> Candidates | None:
        if len(self._query) < 3:
            return None
        expression = self._all_of(GRAMS_OF_FEW)
        numbers = _execute(
            "SELECT rowid FROM forklore_search WHERE forklore_search MATCH %s LIMIT %s", [expression, FEW + 1]
        )
        return None if len(numbers) > FEW else self._candidates(numbers)

    def many(self) -> Candidates | None:
        if len(self._query) < 3:
            expression = self._any_of_terms()
            if expression is None:
                return None
        else:
            expression = self._all_of(GRAMS_OF_MANY)
        numbers = []
        if expression:
            numbers = _execute(
                "SELECT rowid FROM forklore_search WHERE forklore_search MATCH %s AND rowid > 0 LIMIT %s",
                [expression, MANY + 1],
            )
        return None if len(numbers) > MANY else self._candidates(numbers)

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        return None

    def _candidates(self, numbers: list[tuple[int]]) -> Candidates:
        found = Candidates(titles=[-number for (number,) in numbers if number < 0])
        found.titles += [
            id
            for (id,) in _execute(
                "SELECT id FROM forklore_searchtitle WHERE waiting AND instr(text, %s) > 0", [self._query]
            )
        ]
        found.add(_places([number for (number,) in numbers if number > 0]))
        found.add(
            _execute("SELECT strand_id, position FROM forklore_searchdocument WHERE instr(text, %s) > 0", [self._query])
        )
        found.add(_execute("SELECT strand_id, position FROM forklore_searchlong"))
        return found.sort()

    def _all_of(self, limit: int) -> str:
        if self._grams is None:
            self._grams = _rarest_first(self._query)
        return " AND ".join(map(_quoted, self._grams[:limit]))

    def _any_of_terms(self) -> str | None:
        """All trigrams that begin with the query; "" if there are none, None if they are too many."""
        terms = _execute(
            "SELECT term FROM forklore_search_terms WHERE term >= %s AND term < %s LIMIT %s",
            [self._query, self._query + "\U0010ffff", TERMS + 1],
        )
        return None if len(terms) > TERMS else " OR ".join(_quoted(term) for (term,) in terms)


def _rarest_first(query: str) -> list[str]:
    """The trigrams of a query that are worth looking up, rarest first."""
    grams = list(dict.fromkeys(query[at : at + 3] for at in range(len(query) - 2)))
    if len(grams) == 1:
        return grams
    step = -(-len(grams) // PROBED)
    estimates = {gram: _estimate(gram) for gram in grams[::step]}
    most = _WORTH * min(estimates.values())
    return sorted((gram for gram in estimates if estimates[gram] <= most), key=estimates.__getitem__)


def _estimate(gram: str) -> float:
    """About how many documents hold a trigram: told from how far back in the index its hundredth newest stands."""
    key = (current(), gram)
    if key not in _estimates:
        _estimates[key] = _probe(gram)
        if len(_estimates) > _REMEMBERED:
            _estimates.popitem(last=False)
    return _estimates[key]


def _probe(gram: str) -> float:
    found = _execute(
        "SELECT rowid, (SELECT MAX(id) FROM forklore_searchblock) FROM forklore_search"
        " WHERE forklore_search MATCH %s ORDER BY rowid DESC LIMIT 1 OFFSET %s",
        [_quoted(gram), PROBE],
    )
    if not found or not found[0][1]:
        return PROBE / 2
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


def _execute(statement: str, parameters: Sequence[object] = ()) -> list[tuple]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()

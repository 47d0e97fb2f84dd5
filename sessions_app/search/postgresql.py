"""Candidates from pg_trgm: texts whose word contains that of the query, looked up by its rarest parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from sessions_app.databases import command, current, execute
from sessions_app.folding import storable
from sessions_app.one_word import as_one_word
from sessions_app.search.candidates import FIRST_READ, MANY, Candidates

# The index lists all candidates or none, in no order, and looks into each. So of what is common the newest sessions are
# looked into first, and for so long as they have candidates enough.
WORTH_OF_ONE = 50.0  # messages that are worth reading for each candidate that was found by reading
LISTING, READING = 6e-6, 4e-6  # seconds that it takes to list a candidate, and to look into a message of a session
HITS = 20  # that a page wants

# GIN reads the list of every trigram that it is asked for, so it is asked for the rarest of a longer query. How rare
# one is, is told by a sample of the texts.
SAMPLE = 400  # texts
SAMPLED = 20_000  # symbols of each, at most
SHORT = 12  # symbols of a query that is looked up whole
PARTS = 5  # of a longer one
MORE = 30  # times as common as the rarest part another may be
_VALID = 600  # seconds that a sample is used

_LISTED = """SELECT strand_id, position FROM forklore_searchdocument WHERE text LIKE %s{}
UNION ALL SELECT 0, id FROM forklore_searchtitle WHERE text LIKE %s{}
UNION ALL SELECT strand_id, position FROM forklore_searchlong LIMIT %s"""
_FURTHER = " AND strpos(text, %s) > 0"


@dataclass(frozen=True, slots=True)
class _Sample:
    texts: Sequence[str]
    parts: Counter[str]  # in how many of the texts each trigram is
    total: float  # texts that there are, about

    def about(self, word: str) -> float:
        """How many texts hold a word, about; no more than one of SAMPLE where none of the sample does."""
        return sum(word in text for text in self.texts) * self.total / max(len(self.texts), 1)


_samples: dict[str, tuple[float, _Sample]] = {}  # by alias, with the time that they were taken


class TrigramFinder:
    def __init__(self, folded: str):
        self.worth = float(FIRST_READ)
        self._found = 0  # candidates in the strands that were looked into
        self._word = as_one_word(storable(folded))
        self._indexed = len(self._word) >= 3  # and not known to be in too many

    def few(self) -> Candidates | None:
        if not self._indexed:
            return None
        sample = _sample()
        about = sample.about(self._word)
        to_read = HITS * sample.total / about if about else float("inf")
        return self._listed(MANY) if about * LISTING <= to_read * READING else None

    def many(self) -> Candidates | None:
        return self._listed(MANY) if self._indexed else None

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        found = Candidates({strand: [] for strand in strands})
        found.add(
            _execute(
                "SELECT strand_id, position FROM forklore_searchdocument"
                " WHERE strand_id = ANY(%s) AND strpos(text, %s) > 0"
                " UNION ALL SELECT strand_id, position FROM forklore_searchlong WHERE strand_id = ANY(%s)",
                [list(strands), self._word, list(strands)],
            )
        )
        if self._indexed:
            self._found += sum(map(len, found.positions.values()))
            self.worth = self._found * WORTH_OF_ONE
        return found.sort()

    def _listed(self, limit: int) -> Candidates | None:
        pattern = _pattern(self._word)
        whole = pattern == f"%{self._word}%"
        statement = _LISTED.format(*["" if whole else _FURTHER] * 2)
        asked = [pattern] if whole else [pattern, self._word]
        # The planner guesses how rare a text is, and where it guesses wrong reads the whole table.
        command("SET LOCAL enable_seqscan = off")
        places = _execute(statement, [*asked, *asked, limit + 1])
        command("SET LOCAL enable_seqscan = on")
        if len(places) > limit:
            self._indexed = False
            return None
        found = Candidates(titles=[id for strand, id in places if not strand])
        found.add([place for place in places if place[0]])
        return found.sort()


def _pattern(word: str) -> str:
    """What is looked up of a word: all, or of a long one its rarest parts, in their order."""
    if len(word) <= SHORT:
        return f"%{word}%"
    count = _sample().parts
    rarest = sorted((count[word[at : at + 3]], at) for at in range(len(word) - 2))
    most = max(rarest[0][0], 1) * MORE
    chosen: list[int] = []
    for times, at in rarest:
        if times > most or len(chosen) == PARTS:
            break
        if all(abs(at - other) >= 3 for other in chosen):
            chosen.append(at)
    return "%" + "%".join(word[at : at + 3] for at in sorted(chosen)) + "%"


def _sample() -> _Sample:
    """Texts from here and there; a wrong sample makes a search slow, not wrong."""
    taken, sample = _samples.get(current(), (0.0, None))
    if sample is None or monotonic() - taken > _VALID:
        sample = _taken()
        _samples[current()] = (monotonic(), sample)
    return sample


def _taken() -> _Sample:
    ((total,),) = _execute("SELECT reltuples FROM pg_class WHERE oid = 'forklore_searchdocument'::regclass")
    share = min(100.0, 110.0 * SAMPLE / max(total, 1))  # percent
    texts = [
        text
        for (text,) in _execute(
            f"SELECT left(text, {SAMPLED}) FROM forklore_searchdocument TABLESAMPLE SYSTEM (%s) LIMIT {SAMPLE}",  # noqa: S608
            [share],
        )
    ]
    parts: Counter[str] = Counter()
    for text in texts:
        parts.update({text[at : at + 3] for at in range(len(text) - 2)})
    return _Sample(texts, parts, max(total, len(texts)))


def _execute(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    return execute(statement, parameters).fetchall()

"""Candidates from pg_trgm: folded texts that contain the query, looked up by the trigrams of its words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from sessions_app.databases import command, current, execute
from sessions_app.folding import storable
from sessions_app.search.candidates import FIRST_READ, MANY, Candidates

# The index lists all candidates or none, in no order, and looks into each, which takes about 10 us; the texts of one of
# the newest sessions take 80. So the newest are looked into first, and for so long as they have candidates enough.
WORTH_OF_ONE = 50.0  # messages that are worth reading for each candidate that was found by reading


class TrigramFinder:
    def __init__(self, folded: str):
        self.worth = float(FIRST_READ)
        self._found = 0  # candidates in the strands that were looked into
        query = storable(folded)
        self._pattern = "%" + re.sub(r"([\\%_])", r"\\\1", query) + "%"
        # Trigrams are those of words: a query without a word of three letters would be looked up by reading all.
        word = r"\w{3}" if _knows_letters_beyond_ascii(current()) else "[a-z0-9]{3}"
        self._indexed = re.search(word, query.replace("_", " ")) is not None

    def few(self) -> Candidates | None:
        return None

    def many(self) -> Candidates | None:
        return self._listed(MANY)

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        found = Candidates({strand: [] for strand in strands})
        found.add(
            _execute(
                "SELECT strand_id, position FROM forklore_searchdocument WHERE strand_id = ANY(%s) AND text LIKE %s"
                " UNION ALL SELECT strand_id, position FROM forklore_searchlong WHERE strand_id = ANY(%s)",
                [list(strands), self._pattern, list(strands)],
            )
        )
        if self._indexed:
            self._found += sum(map(len, found.positions.values()))
            self.worth = self._found * WORTH_OF_ONE
        return found.sort()

    def _listed(self, limit: int) -> Candidates | None:
        if not self._indexed:
            return None
        # The planner guesses how rare a text is, and where it guesses wrong reads the whole table.
        command("SET LOCAL enable_seqscan = off")
        places = _execute(
            "SELECT strand_id, position FROM forklore_searchdocument WHERE text LIKE %s LIMIT %s",
            [self._pattern, limit + 1],
        )
        titles = _execute("SELECT id FROM forklore_searchtitle WHERE text LIKE %s LIMIT %s", [self._pattern, limit + 1])
        command("SET LOCAL enable_seqscan = on")
        if len(places) + len(titles) > limit:
            return None
        found = Candidates(titles=[id for (id,) in titles])
        found.add(places)
        found.add(_execute("SELECT strand_id, position FROM forklore_searchlong"))
        return found.sort()


@cache
def _knows_letters_beyond_ascii(alias: str) -> bool:
    ((ctype,),) = _execute("SELECT datctype FROM pg_database WHERE datname = current_database()")
    return ctype not in ("C", "POSIX")


def _execute(statement: str, parameters: Sequence[Any] = ()) -> list[tuple]:
    return execute(statement, parameters).fetchall()

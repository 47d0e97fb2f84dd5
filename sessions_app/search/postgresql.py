"""Candidates from pg_trgm: folded texts that contain the query, looked up by the trigrams of its words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from sessions_app.databases import connection, current
from sessions_app.folding import storable
from sessions_app.search.candidates import FEW, FIRST_READ, MANY, Candidates


class TrigramFinder:
    worth = float(FIRST_READ)

    def __init__(self, folded: str):
        query = storable(folded)
        self._pattern = "%" + re.sub(r"([\\%_])", r"\\\1", query) + "%"
        # Trigrams are those of words: a query without a word of three letters would be looked up by reading all.
        word = r"\w{3}" if _knows_letters_beyond_ascii(current()) else "[a-z0-9]{3}"
        self._indexed = re.search(word, query.replace("_", " ")) is not None

    def few(self) -> Candidates | None:
        return self._listed(FEW)

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
        return found.sort()

    def _listed(self, limit: int) -> Candidates | None:
        if not self._indexed:
            return None
        with connection().cursor() as cursor:
            # The planner guesses how rare a text is, and where it guesses wrong reads the whole table.
            cursor.execute("SET LOCAL enable_seqscan = off")
            places = _execute(
                "SELECT strand_id, position FROM forklore_searchdocument WHERE text LIKE %s LIMIT %s",
                [self._pattern, limit + 1],
            )
            titles = _execute(
                "SELECT id FROM forklore_searchtitle WHERE text LIKE %s LIMIT %s", [self._pattern, limit + 1]
            )
            cursor.execute("SET LOCAL enable_seqscan = on")
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
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()

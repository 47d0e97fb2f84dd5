"""The words of a query as a page shows them: those that were understood, and those that were not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sessions_app.grammar import Condition, Problem, Query


@dataclass(frozen=True, slots=True)
class Chip:
    """A word of the query as it is shown, and the address of the page without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Mistake:
    problem: Problem
    word: str  # as it was typed
    without: str
    repaired: str  # the address of the page with the word that was meant; "" if none is near
    as_text: str  # the address of the page on which it is looked for


def understood(query: Query, path: str, others: dict[str, str] | None = None) -> dict[str, Any]:
    """What fragments/understood.html shows; `path` is the page's, and `others` what else stands in its query string."""

    def url(source: str) -> str:
        wanted = {**(others or {}), **({"q": source} if source else {})}
        return f"{path}?{urlencode(wanted)}" if wanted else path

    def word(part: Condition | Problem) -> str:
        return query.source[part.start : part.stop]

    def chip(part: Condition) -> Chip:
        name, _, value = word(part).partition(":")
        return Chip(name, value, url(query.without(part)))

    return {
        "chips": [chip(part) for part in query.conditions],
        "mistakes": [
            Mistake(
                problem,
                word(problem),
                url(query.without(problem)),
                url(query.with_repaired(problem)) if problem.repaired else "",
                url(query.with_escaped(problem)),
            )
            for problem in query.problems
        ],
    }

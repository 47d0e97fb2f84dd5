"""Exact search through titles and bodies: one interface, whatever finds the candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sessions_app import search_index
from sessions_app.errors import InvalidQuery
from sessions_app.models import Session
from sessions_app.records import SearchHit
from sessions_app.search.budget import Budget
from sessions_app.search.filters import Filters
from sessions_app.search.indexed import Distinct, Key, Search, listed
from sessions_app.search.rows import sharing
from sessions_app.session_rows import snapshot

__all__ = ["BUDGET", "Filters", "SearchPage", "positions", "search", "search_page", "sharing"]

BUDGET = 2.0  # seconds that a page waits


@dataclass(frozen=True, slots=True)
class SearchPage:
    hits: list[SearchHit]
    complete: bool  # False when the time was up before all that belongs here was found
    next: Any | None  # the key to hand back as `after`; None when there are no further hits


def search(
    query: str, limit: int, *, filters: Filters | None = None, distinct: Distinct = "session"
) -> list[SearchHit]:
    """One hit a session, most recently updated first, at most `limit`. Raises InvalidQuery if the query is empty.

    Exact, however long it takes.
    """
    return _found(query, limit, filters or Filters(), distinct, None, None)[0]


def positions(id: UUID, query: str, seconds: float | None = None) -> tuple[list[int], bool]:
    """The messages of a session that contain the query, by their positions, ascending; False if the time was up first.

    Raises InvalidQuery if the query is empty.
    """
    _check_not_empty(query)
    only = Filters(sessions=Session.objects.filter(pk=id))
    with snapshot():
        return _search(query, only, "message", None, seconds).positions_found()


def search_page(
    query: str,
    limit: int,
    *,
    after: Key | None = None,
    filters: Filters | None = None,
    distinct: Distinct = "session",
    seconds: float | None = BUDGET,
) -> SearchPage:
    """A page of at least one hit a time, in the order of `search`, for people: after `seconds` what was found so far.

    With `distinct="message"` a hit for every message that contains the query, under the newest session that shows it.
    `after` is the `next` of the page before. Without a query, but with a condition on sessions, those are listed.
    Raises InvalidQuery, and ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"A page has at least one hit, not {limit}.")
    filters = filters or Filters()
    if not query and filters.sessions is not None and filters.kinds is None:
        hits, complete = listed(filters, after, limit + 1), True
    else:
        hits, complete = _found(query, limit + 1, filters, distinct, after, seconds)
    last = hits[limit - 1] if len(hits) > limit else hits[-1] if hits and not complete else None
    return SearchPage(hits[:limit], complete, last and (last.updated_at, last.id, last.position))


def _found(
    query: str, limit: int, filters: Filters, distinct: Distinct, after: Key | None, seconds: float | None
) -> tuple[list[SearchHit], bool]:
    _check_not_empty(query)
    if not limit:
        return [], True
    with snapshot():
        return _search(query, filters, distinct, after, seconds).hits(limit)


def _check_not_empty(query: str) -> None:
    if not query:
        raise InvalidQuery("A search needs at least one character.")


def _search(query: str, filters: Filters, distinct: Distinct, after: Key | None, seconds: float | None) -> Search:
    return Search(query, filters, distinct, after, Budget(seconds), indexed=search_index.complete())

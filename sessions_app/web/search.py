"""Search: the messages that contain a text, grouped by lineage, and the words that narrow them."""

from __future__ import annotations

from time import perf_counter
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from sessions_app.grammar import QUERY_LIMIT, Query, parse
from sessions_app.models import Session
from sessions_app.search import SearchPage, search_page, sharing
from sessions_app.search.filters import filters_of
from sessions_app.search.indexed import Key
from sessions_app.web.context import address, wants_fragment
from sessions_app.web.query_words import understood
from sessions_app.web.search_facets import Facet, facets
from sessions_app.web.search_groups import groups

TEXT_LIMIT = 256  # characters
PAGE_LENGTH = 50  # hits
LARGEST_POSITION = 2**31 - 1
EXAMPLES = {  # words of the grammar
    "project:NAME": "sessions of a project",
    "agent:codex": "of an agent",
    "role:user": "what you wrote; also assistant, thinking, tool, image, notice",
    "after:7d": "changed since; before: until. Also after:2026-01-31 and after:today",
    "is:fork": "forks; also root, pinned, archived, running",
    "turns:>10": "longer than that; size:>1mb for bytes",
    "tag:NAME": "with a tag",
}


class SearchForm(forms.Form):
    """The query string: q=QUERY, after=CURSOR, rail=1 for the counts at once, part=facets for them alone, also=PLACE."""

    q = forms.CharField(required=False, max_length=QUERY_LIMIT, strip=False)
    after = forms.CharField(required=False)
    rail = forms.BooleanField(required=False)
    part = forms.ChoiceField(required=False, choices=[("facets", "")])
    also = forms.CharField(required=False)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    form.is_valid()
    asked = form.cleaned_data
    query = parse(asked.get("q", ""), timezone.localtime())
    if asked.get("also"):
        return _also(request, query, asked["also"])
    errors = form.errors.get("q", []) or _too_long(query)
    if asked.get("part"):
        return render(request, "search/facets.html", {"facets": [] if errors else _facets(query)})
    context = _context(query) | {"errors": errors, "place": "search"}
    if _asks(query) and not errors:
        context |= _answer(request, query, asked.get("after", ""))
        context |= {"facets": _facets(query)} if asked.get("rail") else {}
    if wants_fragment(request):
        return render(request, "search/more.html" if asked.get("after") else "search/fragment.html", context)
    return render(request, "search/search.html", context)


def _asks(query: Query) -> bool:
    """Whether there is anything to be found: a text, or else words that tell of sessions alone."""
    names = {condition.name for condition in query.conditions}
    return bool(query.text.strip()) or (bool(names) and "role" not in names)


def _too_long(query: Query) -> list[str]:
    length = len(query.text)
    return [f"A search takes at most {TEXT_LIMIT} characters, not {length}."] if length > TEXT_LIMIT else []


def _context(query: Query) -> dict[str, Any]:
    return understood(query, reverse("web:search")) | {
        "query": query.source,
        "text": query.text,
        "underlined": _underlined(query),
        "facets_url": f"{reverse('web:search')}?{urlencode({'q': query.source, 'part': 'facets'})}",
        "examples": EXAMPLES.items(),
    }


def _underlined(query: Query) -> list[tuple[str, bool]]:
    """The query in pieces, and which of them were not understood; none where all was."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for problem in query.problems:
        pieces += [(query.source[end : problem.start], False), (query.source[problem.start : problem.stop], True)]
        end = problem.stop
    return pieces


def _answer(request: HttpRequest, query: Query, after: str) -> dict[str, Any]:
    began = perf_counter()
    page = _page(query, _key(after) if after else None)
    at_root = all(condition.name == "role" for condition in query.conditions)
    whole = page.complete and page.next is None and not after
    found = groups(page.hits, query.text, whole=whole, at_root=at_root)
    return {
        "hits": len(page.hits),
        "sessions": len({each.session.pk for group in found for each in group.hits}),
        "groups": found,
        "whole": page.complete and page.next is None,
        "complete": page.complete,
        "continued": bool(after),
        "milliseconds": round((perf_counter() - began) * 1000),
        "more_url": address(request, after=_cursor(page.next), rail=None) if page.next else "",
        "rail_url": address(request, rail="1"),
    }


def _page(query: Query, after: Key | None) -> SearchPage:
    text = query.text if query.text.strip() else ""
    return search_page(text, PAGE_LENGTH, after=after, filters=filters_of(query), distinct="message")


def _facets(query: Query) -> list[Facet]:
    return facets(query) if _asks(query) else []


def _cursor(key: Key) -> str:
    return "~".join((key[0].isoformat(), key[1].hex, "" if key[2] is None else str(key[2])))


def _key(cursor: str) -> Key:
    """Raises BadRequest for what no page has written."""
    try:
        moment, id, position = cursor.split("~")
        parsed = parse_datetime(moment)
        if parsed is None or parsed.tzinfo is None:
            raise ValueError(moment)
        return parsed, UUID(id), _position(position) if position else None
    except (ValueError, OverflowError):
        raise BadRequest("This search has no such page.") from None


def _position(text: str) -> int:
    number = int(text)
    if not 0 <= number <= LARGEST_POSITION:
        raise ValueError(text)
    return number


def _also(request: HttpRequest, query: Query, place: str) -> HttpResponse:
    """The other sessions that show a message: those that were forked behind it."""
    try:
        id, position = place.split("~")
        session = get_object_or_404(Session.objects.visible().live().select_related("project"), pk=UUID(id))
        at = _position(position)
    except (ValueError, OverflowError):
        raise BadRequest("There is no such message.") from None
    others = Session.objects.visible().live().filter(pk__in=sharing(session.pk, at)).newest_first()
    context = {"session": session, "position": at, "others": others, "text": query.text, "place": "search"}
    return render(request, "search/_also.html" if wants_fragment(request) else "search/also.html", context)

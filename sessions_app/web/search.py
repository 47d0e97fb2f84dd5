"""Search: the sessions that contain a text, each with the place where it stands first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from sessions_app import store
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session
from sessions_app.projection import Kind, project
from sessions_app.records import SearchHit
from sessions_app.search.text import find_all
from sessions_app.web.context import address, wants_fragment

QUERY_LENGTH = 256  # characters
LIMITS = (50, 200, 1000)  # hits: first answer, and what "more" asks for
SPEAKERS = {  # how a message is called, and its icon in templates/icons
    Kind.PROMPT: ("user", "person"),
    Kind.ANSWER: ("assistant", "assistant"),
    Kind.THINKING: ("thinking", "thinking"),
    Kind.TOOL_CALL: ("tool call", "terminal"),
    Kind.TOOL_RESULT: ("tool output", "terminal"),
    Kind.IMAGE: ("image", "image"),
    Kind.NOTICE: ("notice", "notice"),
    Kind.UNREADABLE: ("unreadable line", "warning"),
}


class SearchForm(forms.Form):
    q = forms.CharField(required=False, max_length=QUERY_LENGTH, strip=False)
    limit = forms.TypedChoiceField(choices=[(limit, limit) for limit in LIMITS], coerce=int, required=False)


@dataclass(slots=True)
class Group:
    """A hit as it is shown, and the hits in other sessions that show the very message."""

    hit: SearchHit
    session: Session
    snippet: SafeString
    speaker: str
    icon_template: str
    also: list[Session] = field(default_factory=list)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    form.is_valid()
    query = form.cleaned_data.get("q", "")
    context = {"query": query, "errors": form.errors.get("q", []), "place": "search"}
    if query.strip() and "q" not in form.errors:
        context |= _answer(request, query, form.cleaned_data.get("limit") or LIMITS[0])
    return render(request, "search/fragment.html" if wants_fragment(request) else "search/search.html", context)


def _answer(request: HttpRequest, query: str, limit: int) -> dict:
    start = perf_counter()
    hits = store.search(query, limit + 1)
    more = next((larger for larger in LIMITS if larger > limit), None) if len(hits) > limit else None
    return {
        "hits": len(hits[:limit]),
        "cut": len(hits) > limit,
        "milliseconds": round((perf_counter() - start) * 1000),
        "groups": _groups(hits[:limit], query),
        "more": more,
        "more_url": address(request, limit=str(more)) if more else "",
    }


def _groups(hits: Iterable[SearchHit], query: str) -> list[Group]:
    """The hits in their order; those that show the same message of a lineage stand under the first of them."""
    hits = list(hits)
    sessions = Session.objects.live().select_related("project").in_bulk([hit.id for hit in hits])
    groups: dict[object, Group] = {}
    for hit in hits:
        session = sessions.get(hit.id)
        if session is None:  # trashed since it was found
            continue
        same = (hit.position, hit.snippet) if hit.shared_with else hit.id
        if same in groups:
            groups[same].also.append(session)
        else:
            groups[same] = Group(hit, session, highlighted(hit.snippet, query), *_speaker(hit))
    return list(groups.values())


def _speaker(hit: SearchHit) -> tuple[str, str]:
    if hit.position is None:
        return "title", "icons/document.html"
    try:
        found = store.get_messages(hit.id, hit.position, hit.position + 1)
    except SessionNotFound:
        found = []
    kind = project(found[0]).kind if found else Kind.OTHER
    name, icon = SPEAKERS.get(kind, ("message", "document"))
    return name, f"icons/{icon}.html"


def highlighted(text: str, query: str) -> SafeString:
    """The text, escaped, with what matches the query in <mark>; found on the original, cut before it is escaped."""
    pieces, end = [], 0
    for start, stop in find_all(text, query):
        pieces += [escape(text[end:start]), "<mark>", escape(text[start:stop]), "</mark>"]
        end = stop
    return mark_safe("".join([*pieces, escape(text[end:])]))  # noqa: S308 every piece is escaped

"""The list of sessions, of all projects or of one: its order, its pages, and what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from sessions_app import figures
from sessions_app.figures import Figures
from sessions_app.grammar import QUERY_LIMIT, Condition, Query, parse
from sessions_app.models import Project, Session
from sessions_app.querysets import SessionQuerySet
from sessions_app.search.filters import filters_of
from sessions_app.web import imports, live
from sessions_app.web.context import address, rail, wants_fragment
from sessions_app.web.formats import count_text
from sessions_app.web.query_words import understood

PAGE_LENGTH = 50  # sessions
SORTED_AT_ONCE = 1000  # sessions of a project; where it has more, an index that has them in order is walked
WALKED = ("title", "size")  # those of SORTS that have one, besides that of age (decision 0032)
LARGEST_INTEGER = 2**63 - 1  # what both databases can compare with
SORTS = {  # the word in the address, the field, and whether its first click sorts descending
    "title": ("title", False),
    "turns": ("turns", True),
    "messages": ("message_count", True),
    "size": ("size_bytes", True),
    "updated": ("updated_at", True),
}
PRESETS = {  # words of the grammar, as they are offered
    "is:running": "Running",
    "is:pinned": "Pinned",
    "is:root": "Roots",
    "is:fork": "Forks",
    "has:forks": "Forked from",
    "after:7d": "Of the last 7 days",
    "before:30d": "Older than 30 days",
    "size:>1mb": "Larger than 1 MB",
    "turns:>10": "More than 10 turns",
}
COLUMNS = (  # heading, word of SORTS or "", class of its cells
    ("Title", "title", "what"),
    ("Project", "", "of"),
    ("Agent", "", "by"),
    ("Turns", "turns", "turns end"),
    ("Messages", "messages", "messages end"),
    ("Size", "size", "size end"),
    ("Updated", "updated", "age end"),
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A row of the list by its key: id and value of the sort column, so that it holds when the row moves or goes."""

    id: UUID
    value: Any

    def __str__(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        return f"{self.id}~{value}"

    @classmethod
    def parse(cls, text: str, column: str) -> Cursor:
        """Raises ValueError for what no list has written."""
        id, _, value = text.partition("~")
        if column == "title":
            return cls(UUID(id), value)
        if column == "updated_at":
            moment = parse_datetime(value)
            if moment is None or moment.tzinfo is None:
                raise ValueError(f"{value!r} is no moment.")
            return cls(UUID(id), moment)
        number = int(value)
        if not 0 <= number <= LARGEST_INTEGER:
            raise ValueError(f"{value!r} is out of range.")
        return cls(UUID(id), number)


class ListForm(forms.Form):
    """The query string of a list: q=WORDS, sort=-size, after=CURSOR, subagents=1, archived=1, of=ID of the parent."""

    q = forms.CharField(required=False, max_length=QUERY_LIMIT)
    sort = forms.CharField(required=False)
    after = forms.CharField(required=False)
    subagents = forms.BooleanField(required=False)
    archived = forms.BooleanField(required=False)
    of = forms.UUIDField(required=False)

    def clean_sort(self) -> tuple[str, bool]:
        """The word of SORTS and whether it descends."""
        text = self.cleaned_data["sort"] or "-updated"
        word = text.removeprefix("-")
        if word not in SORTS:
            raise ValidationError(f"A list cannot be sorted by {word!r}.")
        return word, text.startswith("-")

    def clean(self) -> dict:
        data = super().clean() or {}
        if data.get("after") and "sort" in data:
            try:
                data["after"] = Cursor.parse(data["after"], SORTS[data["sort"][0]][0])
            except (ValueError, OverflowError):
                raise ValidationError("This list has no such page.") from None
        return data


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: str  # class of its cells
    url: str = ""  # sorts by it; "" where it cannot
    order: str = ""  # "ascending" or "descending" while it sorts


@dataclass(frozen=True, slots=True)
class LeftOut:
    count: int
    words: str  # "3 sub-agents"
    shown: bool
    url: str  # reveals them, or hides them


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the words of the query make of a list: they narrow it; what else was typed is for the search."""

    query: str
    text: str  # what is no such word; "" where all are
    words: dict[str, Any]  # of fragments/understood.html
    narrows: bool
    presets: list[tuple[str, str]]  # words for people, and the address of the list that they lead to
    others: list[tuple[str, str]]  # what else stands in the query string
    all_url: str  # without words


@dataclass(frozen=True, slots=True)
class Listing:
    sessions: list[Session]
    columns: list[Column]
    narrowing: Narrowing
    everything: int  # sessions that there are
    total: int  # those that the query lets through
    listed: int  # those that are not hidden
    left_out: list[LeftOut]  # what is hidden unless it is asked for, of each kind that there is
    more_url: str  # the next page; "" at the end
    more: int  # sessions on it
    by_age: bool  # newest first
    parent: Session | None
    may_import: bool  # whether to offer it
    address: str  # by which web/selection.py finds all of it again


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    marks = live.marks(lists=True)
    totals = figures.summed(Project.objects.visible().values_list("pk", flat=True))
    listing = list_of(request, Session.objects.visible().live(), totals)
    if wants_fragment(request):
        return render(request, "sessions/rows.html", {"listing": listing})
    context = marks | {"listing": listing, "place": "sessions"}
    if listing.may_import and not listing.total and not listing.parent and not Session.objects.visible().exists():
        context["first_run"] = imports.found()
    return render(request, "sessions/home.html", context | rail(request))


def list_of(
    request: HttpRequest, sessions: SessionQuerySet, totals: Figures, project: Project | None = None
) -> Listing:
    """A page of the sessions, or of those of a project, of which these are the totals, as the query string wants it.

    Raises BadRequest, and Http404 for an unknown parent.
    """
    wish = _wish(request.GET)
    parent = _parent(wish)
    query = parse(wish["q"], timezone.localtime())
    told = _told(query)
    if project:
        is_walked = totals.sessions > SORTED_AT_ONCE and wish["sort"][0] in WALKED and not (parent or told)
        sessions = sessions.of_large_project(project.pk) if is_walked else sessions.of_projects([project.pk])
    if parent:
        sessions = sessions.children_of(parent.pk)
        totals = _counted(sessions)
    everything = totals.sessions
    if told:
        sessions = sessions.among(filters_of(query).sessions)
        totals = _counted(sessions)
    _reveal(wish, told)
    shown = _shown(sessions, wish)
    left_out = _left_out(request, totals, wish)
    page, more_url = _page(request, shown, wish)
    return Listing(
        sessions=page,
        columns=[_column(request, *column, *wish["sort"]) for column in COLUMNS],
        narrowing=_narrowing(request, query, told),
        everything=everything,
        total=totals.sessions,
        listed=totals.sessions - sum(each.count for each in left_out if not each.shown),
        left_out=left_out,
        more_url=more_url,
        more=PAGE_LENGTH,
        by_age=wish["sort"] == ("updated", True),
        parent=parent,
        may_import=request.actor.may("admin"),  # type: ignore[attr-defined]  # by FindActor
        address=request.get_full_path_info(),
    )


def all_of(query: QueryDict, sessions: SessionQuerySet) -> SessionQuerySet:
    """What the list of these sessions holds with that query string, on all its pages. Raises BadRequest and Http404."""
    wish = _wish(query)
    parent = _parent(wish)
    found = sessions.children_of(parent.pk) if parent else sessions
    words = parse(wish["q"], timezone.localtime())
    if told := _told(words):
        found = found.among(filters_of(words).sessions)
    _reveal(wish, told)
    return _shown(found, wish)


def _wish(query: QueryDict) -> dict:
    form = ListForm(query)
    if not form.is_valid():
        raise BadRequest(next(iter(form.errors.values()))[0])
    return form.cleaned_data


def _parent(wish: dict) -> Session | None:
    return get_object_or_404(Session.objects.visible().live(), pk=wish["of"]) if wish["of"] else None


def _shown(sessions: SessionQuerySet, wish: dict) -> SessionQuerySet:
    shown = sessions if wish["subagents"] else sessions.without_subagents()
    return shown if wish["archived"] else shown.unarchived()


def _told(query: Query) -> list[Condition]:
    """The words that narrow a list of sessions."""
    return [condition for condition in query.conditions if condition.name != "role"]


def _reveal(wish: dict, told: list[Condition]) -> None:
    """Show what is hidden else, where a word asks for it."""
    for state, name in (("archived", "archived"), ("subagent", "subagents")):
        wish[name] = wish[name] or any(each.value == state and not each.negated for each in told if each.name == "is")


def _counted(sessions: SessionQuerySet) -> Figures:
    count = sessions.figures()
    return Figures(*(count[name] for name in ("sessions", "subagents", "archived", "archived_subagents")))


def _narrowing(request: HttpRequest, query: Query, told: list[Condition]) -> Narrowing:
    others = {
        name: value for name in ("sort", "subagents", "archived", "of", "rail") if (value := request.GET.get(name))
    }
    roles = [query.source[each.start : each.stop] for each in query.conditions if each.name == "role"]
    return Narrowing(
        query.source,
        " ".join([*roles, query.text.strip()]).strip(),
        understood(query, request.path, others),
        bool(told),
        [
            (name, address(request, q=f"{query.source.rstrip()} {word}".strip()))
            for word, name in PRESETS.items()
            if word not in query.source.split()
        ],
        list(others.items()),
        address(request, q=None),
    )


def _left_out(request: HttpRequest, totals: Figures, wish: dict) -> list[LeftOut]:
    """A sub-agent that is archived too counts as a sub-agent, unless those are shown."""
    archived = totals.archived - (0 if wish["subagents"] else totals.archived_subagents)
    found = [
        LeftOut(archived, f"{count_text(archived)} archived", wish["archived"], _toggled(request, "archived", wish)),
        LeftOut(
            totals.subagents,
            f"{count_text(totals.subagents)} sub-agent{'' if totals.subagents == 1 else 's'}",
            wish["subagents"],
            _toggled(request, "subagents", wish),
        ),
    ]
    return [each for each in found if each.count]


def _toggled(request: HttpRequest, name: str, wish: dict) -> str:
    return address(request, **{name: None if wish[name] else "1"})


def _page(request: HttpRequest, sessions: SessionQuerySet, wish: dict) -> tuple[list[Session], str]:
    word, descending = wish["sort"]
    rows = sessions.sorted_by(SORTS[word][0], descending)
    if wish["after"]:
        rows = rows.following(wish["after"].value, wish["after"].id, descending)
    # First the ids: SQLite counts the forks of every row that it sorts, not only of those that a page shows.
    ids = list(rows.values_list("pk", flat=True)[: PAGE_LENGTH + 1])
    found = Session.objects.visible().filter(pk__in=ids).with_fork_count().select_related("project", "parent")
    found = found.prefetch_related("tags")
    page = list(found.sorted_by(SORTS[word][0], descending))
    if len(page) <= PAGE_LENGTH:
        return page, ""
    last = page[PAGE_LENGTH - 1]
    return page[:PAGE_LENGTH], address(request, after=str(Cursor(last.pk, last.sort_key)))


def _column(request: HttpRequest, name: str, word: str, kind: str, sorted_by: str, descending: bool) -> Column:
    if not word:
        return Column(name, kind)
    current = word == sorted_by
    turned = not descending if current else SORTS[word][1]
    url = address(request, sort=f"{'-' if turned else ''}{word}")
    return Column(name, kind, url, ("descending" if descending else "ascending") if current else "")

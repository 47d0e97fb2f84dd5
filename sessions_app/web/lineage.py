"""Trees of forks: of a session, of a project; in windows of rows, as text, as they were, and where a word occurs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from sessions_app import grammar, lineages, store
from sessions_app.lineages import Lineage
from sessions_app.models import Project, Session
from sessions_app.tree import Layout, with_all_above
from sessions_app.web import live, projects
from sessions_app.web.context import address
from sessions_app.web.lineage_about import About, about
from sessions_app.web.lineage_lines import Line, lines_of, short
from sessions_app.web.lineage_strip import STEPS, strip_of
from sessions_app.web.lineage_text import text_of

LENGTH = 30  # rows of a window
FOUND = 1000  # sessions that a word is marked in
LEGEND = [
    ("root", "", "root"),
    ("fork", "", "fork"),
    ("subagent", "", "sub-agent"),
    ("compaction", "", "compaction"),
    ("continuation", "", "continuation"),
    ("fork", "inferred", "inferred"),
    ("fork", "ghost", "in the trash, or not in the store"),
]
FACTS = [
    ("relation", "Relation"),
    ("turns", "Turns"),
    ("own", "Own"),
    ("size", "Size"),
    ("tokens", "Tokens"),
    ("status", "Status"),
    ("age", "Age"),
]
LEAST_OF_ID = 8  # hex digits by which an address names a session of the tree
MOST_FOLDED = 500  # sessions that an address folds or unfolds


class LineageForm(forms.Form):
    """The query string: from=ROW, fold=ID.ID… and open=ID.ID…, runs=all, sort=newest, at=MOMENT or step=NUMBER, q=WORDS,
    only=found, alone=1 (of a project), about=ID (told beside the tree), as=text, or as=about for that alone."""

    at = forms.DateTimeField(required=False)
    step = forms.IntegerField(required=False, min_value=0, max_value=STEPS)
    q = forms.CharField(required=False, max_length=256, strip=False)
    sort = forms.ChoiceField(required=False, choices=[("newest", "")])
    runs = forms.ChoiceField(required=False, choices=[("all", "")])
    only = forms.ChoiceField(required=False, choices=[("found", "")])
    alone = forms.BooleanField(required=False)
    about = forms.UUIDField(required=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose lineage a page is about: that of a session, or of all sessions of a project."""

    project: Project
    session: Session | None
    within: str  # the word of the grammar that keeps a search to it

    @property
    def current(self) -> UUID | None:
        return self.session.pk if self.session else None


@require_safe
def lineage(request: HttpRequest, id: UUID) -> HttpResponse:
    marks = live.marks(tree=id)
    session = Session.objects.visible().select_related("project").filter(pk=id).first()
    whole = lineages.of(id)
    if session is None or whole is None:
        raise Http404(f"There is no session {id}.")
    scope = Scope(session.project, session, grammar.quoted("under", whole.tree.roots[0].hex))
    return _answer(request, scope, whole, marks)


@require_safe
def of_project(request: HttpRequest, name: str) -> HttpResponse:
    marks = live.marks(lists=True)
    project = Project.objects.visible().named(name).first()
    if project is None:  # an address of before there was this page, of a project that is named so
        return projects.project(request, f"{name}/lineage")
    scope = Scope(project, None, grammar.quoted("project", name))
    return _answer(request, scope, lineages.of_project(project.pk), marks)


def _answer(request: HttpRequest, scope: Scope, whole: Lineage, marks: dict[str, Any]) -> HttpResponse:
    form = LineageForm(request.GET)
    if not form.is_valid():
        raise BadRequest(next(iter(form.errors.values()))[0])
    wish = form.cleaned_data
    if request.GET.get("as") == "about":
        told = _about(scope, wish)
        if told is None:
            raise Http404("There is no such session.")
        return render(request, "lineage/_about.html", {"about": told})
    if wish["step"] is not None:
        moment = strip_of(whole, None).moment_of(wish["step"])
        return redirect(address(request, step=None, at=f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None))
    shown = whole if scope.session or wish["alone"] else whole.related()
    alone = len(whole.nodes) - len(shown.nodes)
    shown = shown.before(wish["at"].timestamp()) if wish["at"] else shown
    if scope.session and not shown.nodes:
        raise Http404("This lineage was not there yet.")
    query, problem = _read(wish["q"])
    found = _found(scope, query) & shown.nodes.keys()
    if wish["only"] and query and not problem:
        shown = shown.only(with_all_above(shown.tree, found))
    folded, opened = _ids(request, "fold", shown.nodes), _ids(request, "open", shown.nodes)
    rows = shown.layout(
        scope.current,
        folded=folded,
        opened=opened,
        found=found,
        newest=bool(wish["sort"]),
        without_runs=bool(wish["runs"]),
    )
    if request.GET.get("as") == "text":
        answer = HttpResponse("\n".join(text_of(rows, scope.current)) + "\n", content_type="text/plain; charset=utf-8")
        answer["X-Content-Type-Options"] = "nosniff"
        return answer
    context = _totals(request, scope, whole, shown, rows, wish) | _window(
        request, scope, shown, rows, found, folded, opened, wish
    )
    context |= {
        "found": len(found),
        "problem": problem,
        "alone": alone,
        "strip": strip_of(whole, wish["at"]),
        "about": _about(scope, wish),
    }
    # The past stays as it was.
    return render(request, "lineage/page.html", (marks if not wish["at"] else {}) | context)


def _about(scope: Scope, wish: dict[str, Any]) -> About | None:
    return about(wish["about"] or scope.current, scope.current)


def _read(source: str) -> tuple[grammar.Query | None, str]:
    """What is looked for, if anything is, and what of it was not understood."""
    query = grammar.parse(source)
    if query.problems:
        return query, query.problems[0].sentence
    return (query if query.text.strip() else None), ""


def _found(scope: Scope, query: grammar.Query | None) -> set[UUID]:
    if query is None or not query.text.strip() or query.problems:
        return set()
    words = [query.source[part.start : part.stop] for part in query.conditions]
    return {hit.id for hit in store.search(query.text, FOUND, filters=" ".join([scope.within, *words]))}


def _ids(request: HttpRequest, name: str, known: Iterable[UUID]) -> set[UUID]:
    """The sessions that the address names by the first digits of their ids, those that are gone left out."""
    texts = [text for each in request.GET.getlist(name) for text in each.split(".") if text]
    asked = {text.replace("-", "").lower() for text in texts[:MOST_FOLDED]}
    if any(len(digits) < LEAST_OF_ID or set(digits) - set("0123456789abcdef") for digits in asked):
        raise BadRequest(f"{name} names a session by its id.")
    lengths = {len(digits) for digits in asked}
    return {id for id in known if any(id.hex[:length] in asked for length in lengths)} if asked else set()


def _totals(
    request: HttpRequest, scope: Scope, whole: Lineage, shown: Lineage, rows: Layout[UUID], wish: dict[str, Any]
) -> dict[str, Any]:
    if scope.session:
        home = reverse("web:session", args=[scope.session.pk])
        here = reverse("web:lineage", args=[scope.session.pk])
    else:
        home, here = reverse("web:project", args=[scope.project.name]), request.path
    kept = {name: wish[name] for name in ("q", "sort", "runs", "only", "alone") if wish[name]}
    return {
        "session": scope.session,
        "project": scope.project,
        "home": home,
        "here": here,
        "total": len(whole.nodes),
        "listed": len(shown.nodes),
        "trees": len(shown.tree.tops),
        "is_cut": whole.is_cut,
        "trashed": shown.trashed,
        "hidden": rows.hidden,
        "stored": lineages.stored_messages(shown) if scope.session else None,
        "weight_url": address(request, sort=None, **{"from": None}),
        "newest_url": address(request, sort="newest", **{"from": None}),
        "unfolded_url": address(request, runs="all", fold=None, open=None, **{"from": None}),
        "folded_url": address(request, runs=None, fold=None, open=None, **{"from": None}),
        "text_url": address(request, **{"as": "text", "from": None}),
        "now_url": address(request, at=None, **{"from": None}),
        "alone_url": address(request, alone=None if wish["alone"] else "1", **{"from": None}),
        "without_word_url": address(request, q=None, only=None, **{"from": None}),
        "kept": [(name, value) for name, value in kept.items() if name not in ("q", "only")],
        "kept_with_word": [(name, "1" if value is True else value) for name, value in kept.items()],
        "wish": wish,
        "query": wish["q"],
        "at": wish["at"],
        "place": "sessions" if scope.session else "projects",
        "legend": LEGEND,
        "facts": FACTS,
    }


def _window(
    request: HttpRequest,
    scope: Scope,
    shown: Lineage,
    rows: Layout[UUID],
    found: set[UUID],
    folded: set[UUID],
    opened: set[UUID],
    wish: dict[str, Any],
) -> dict[str, Any]:
    start = _start(request, rows, scope.current)
    after = start + LENGTH
    state = [(name, wish[name] if wish[name] is not True else "1") for name in ("q", "sort", "runs", "only", "alone")]
    state += [("at", request.GET.get("at", ""))]
    base = [pair for pair in state if pair[1]] + ([("from", str(start))] if start else [])
    folds = Folds(base, folded, opened)
    return {
        "lines": _lines(scope, shown, rows, start, found, folds, wish["at"]),
        "row_count": len(rows),
        "first": start + 1,
        "last": min(after, len(rows)),
        "before_url": address(request, **{"from": str(max(0, start - LENGTH))}) if start else "",
        "after_url": address(request, **{"from": str(after)}) if after < len(rows) else "",
    }


@dataclass(frozen=True, slots=True)
class Folds:
    """Writes the addresses of this page in which one more session, or one less, is folded or its run is open."""

    base: list[tuple[str, str]]
    folded: set[UUID]
    opened: set[UUID]

    def fold(self, id: UUID) -> str:
        return self._url(self.folded ^ {id}, self.opened)

    def run(self, id: UUID) -> str:
        return self._url(self.folded, self.opened ^ {id})

    def _url(self, folded: set[UUID], opened: set[UUID]) -> str:
        names = [(name, ".".join(sorted(map(short, ids)))) for name, ids in (("fold", folded), ("open", opened)) if ids]
        return f"?{urlencode([*self.base, *names])}"


def _lines(
    scope: Scope,
    shown: Lineage,
    rows: Layout[UUID],
    start: int,
    found: set[UUID],
    folds: Folds,
    at: datetime | None,
) -> list[Line]:
    window = rows[start : start + LENGTH]
    inside = {row.id for row in window if not row.run}

    def place_of(id: UUID | None) -> str:
        """Where the window of a row begins that is not in this one, and its mark; "" if it is in it, or nowhere."""
        if id is None or id in inside or (place := rows.place_of(id)) is None:
            return ""
        return f"{place // LENGTH * LENGTH}#r{short(id)}"

    ahead = rows[start + LENGTH : start + LENGTH + 2]
    return lines_of(window, shown, scope.current, found, folds.fold, folds.run, folds.opened, place_of, ahead, at)


def _start(request: HttpRequest, rows: Layout[UUID], id: UUID | None) -> int:
    """The window that is asked for, or else that of the session itself."""
    text = request.GET.get("from", "")
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(int(text), max(len(rows) - 1, 0))
    place = (rows.place_of(id) or 0) if id else 0
    return place - place % LENGTH

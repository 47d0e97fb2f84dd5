"""The tree of forks that a session belongs to: rows in lanes, in windows, or as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sessions_app import lineages, store, tree
from sessions_app.lineages import Lineage
from sessions_app.models import Session
from sessions_app.web import live
from sessions_app.web.context import address
from sessions_app.web.formats import count_text
from sessions_app.web.rendering.ansi import excerpt_to_text

LENGTH = 50  # rows of a window
FOUND = 1000  # sessions that a word is marked in
LANE, HEIGHT = 16, 28  # pixels
TEXT_LEVELS = 40  # from which on a text is not indented further


class LineageForm(forms.Form):
    """The query string: from=ROW, fold=ID and open=ID (several), sort=newest, at=MOMENT, q=WORD, as=text."""

    at = forms.DateTimeField(required=False)
    q = forms.CharField(required=False, max_length=256, strip=False)
    sort = forms.ChoiceField(required=False, choices=[("newest", "")])


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it is drawn."""

    row: tree.Row[UUID]
    session: Session
    parent: UUID | None
    current: bool
    found: bool
    fold_url: str  # folds it or unfolds it; "" where it has no descendants

    @property
    def width(self) -> int:
        return LANE * self.row.lane + 18

    @property
    def x(self) -> int:
        return LANE * self.row.lane + 9

    @property
    def color(self) -> int:
        return self.row.lane % 4

    @property
    def passing(self) -> list[tuple[int, int]]:
        """Place and colour of the lanes that pass on the left: all of them (tree.py)."""
        return [(LANE * lane + 9, lane % 4) for lane in range(self.row.lane)]

    @property
    def from_x(self) -> int:
        return self.x - LANE

    @property
    def shared(self) -> int:
        return min(self.session.fork_point or 0, self.session.message_count) if self.row.edge != "root" else 0

    @property
    def own(self) -> int:
        return self.session.message_count - self.shared

    @property
    def own_width(self) -> int:
        """Of forty pixels."""
        return round(40 * self.own / self.session.message_count) if self.session.message_count else 40


@require_safe
def lineage(request: HttpRequest, id: UUID) -> HttpResponse:
    marks = live.marks(tree=id)
    session = Session.objects.visible().select_related("project").filter(pk=id).first()
    if session is None:
        raise Http404(f"There is no session {id}.")
    form = LineageForm(request.GET)
    if not form.is_valid():
        raise BadRequest(next(iter(form.errors.values()))[0])
    wish = form.cleaned_data
    whole = lineages.of(id)
    if whole is None:  # it went meanwhile
        raise Http404(f"There is no session {id}.")
    root = whole.tree.roots[0]
    shown = whole.before(wish["at"].timestamp()) if wish["at"] else whole
    if not shown.tree.order:
        raise Http404("This lineage was not there yet.")
    found = _found(root, wish["q"]) & shown.nodes.keys()
    folded = _ids(request, "fold")
    rows = shown.layout(id, folded=folded, opened=_ids(request, "open"), found=found, newest=bool(wish["sort"]))
    if request.GET.get("as") == "text":
        answer = HttpResponse("\n".join(text_of(rows, id)) + "\n", content_type="text/plain; charset=utf-8")
        answer["X-Content-Type-Options"] = "nosniff"
        return answer
    context = _context(request, session, root, shown, rows, found, folded, wish)
    return render(request, "lineage/page.html", (marks if not wish["at"] else {}) | context)  # the past stays as it was


def text_of(rows: list[tree.Row[UUID]], current: UUID) -> Iterator[str]:
    """A line for each row, indented by its level, for terminals and for who hears it."""
    for start in range(0, len(rows), 500):
        together = rows[start : start + 500]
        sessions = Session.objects.visible().in_bulk([row.id for row in together])
        for row in together:
            indent = "  " * min(row.level, TEXT_LEVELS)
            if row.run:
                yield f"{indent}+{count_text(row.hidden)} forks"
            elif session := sessions.get(row.id):
                yield f"{indent}{_words(session, row)}{'  <-- this one' if row.id == current else ''}"


def _words(session: Session, row: tree.Row[UUID]) -> str:
    facts = [str(session.pk)[:8]]
    if row.edge != "root":
        inferred = " (inferred)" if session.relation_inferred else ""
        facts.append(f"{session.get_relation_display().lower()} from #{session.fork_point or 0}{inferred}")
    facts.append(f"{count_text(session.message_count)} message{'' if session.message_count == 1 else 's'}")
    facts += ["in the trash"] if session.trashed_at else []
    facts += [f"{count_text(row.hidden)} folded"] if row.hidden else []
    return f"{excerpt_to_text(session.title)}  [{', '.join(facts)}]"


def _found(root: UUID, query: str) -> set[UUID]:
    if not query.strip():
        return set()
    return {hit.id for hit in store.search(query, FOUND, filters=f"under:{root.hex}")}


def _ids(request: HttpRequest, name: str) -> set[UUID]:
    try:
        return {UUID(text) for text in request.GET.getlist(name)}
    except ValueError:
        raise BadRequest(f"{name} names a session by its id.") from None


def _context(
    request: HttpRequest,
    session: Session,
    root: UUID,
    whole: Lineage,
    rows: list[tree.Row[UUID]],
    found: set[UUID],
    folded: set[UUID],
    wish: dict[str, Any],
) -> dict[str, Any]:
    start = _start(request, rows, session.pk)
    shown = rows[start : start + LENGTH]
    sessions = Session.objects.visible().in_bulk([row.id for row in shown])
    lines = [
        Line(
            row,
            sessions[row.id],
            whole.tree.parents[row.id],
            row.id == session.pk and not row.run,
            row.id in found and not row.run,
            _fold_url(request, row, whole.tree, folded),
        )
        for row in shown
        if row.id in sessions  # one may have been purged since
    ]
    before, after = max(0, start - LENGTH), start + LENGTH
    return {
        "session": session,
        "root": Session.objects.visible().filter(pk=root).first(),
        "lines": lines,
        "total": len(whole.tree.order),
        "trashed": whole.trashed,
        "hidden": sum(row.hidden for row in rows),
        "row_count": len(rows),
        "first": start + 1,
        "last": min(after, len(rows)),
        "before_url": address(request, **{"from": str(before)}) if start else "",
        "after_url": address(request, **{"from": str(after)}) if after < len(rows) else "",
        "stored": lineages.stored_messages(whole),
        "weight_url": address(request, sort=None, **{"from": None}),
        "newest_url": address(request, sort="newest", **{"from": None}),
        "text_url": address(request, **{"as": "text", "from": None}),
        "query": wish["q"],
        "found": len(found),
        "at": wish["at"],
        "newest": bool(wish["sort"]),
        "place": "sessions",
    }


def _start(request: HttpRequest, rows: list[tree.Row[UUID]], id: UUID) -> int:
    """The window that is asked for, or else that of the session itself."""
    text = request.GET.get("from", "")
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(int(text), max(len(rows) - 1, 0))
    place = next((index for index, row in enumerate(rows) if row.id == id and not row.run), 0)
    return place - place % LENGTH


def _fold_url(request: HttpRequest, row: tree.Row[UUID], whole: tree.Tree[UUID], folded: set[UUID]) -> str:
    query = request.GET.copy()
    query.pop("from", None)
    if row.run:
        query.appendlist("open", str(row.id))
    elif row.id in folded:
        query.setlist("fold", [str(each) for each in folded if each != row.id])
    elif whole.children[row.id]:
        query.appendlist("fold", str(row.id))
    else:
        return ""
    return f"{request.path}?{query.urlencode()}"

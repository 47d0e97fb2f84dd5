"""The page of forks that are of no more use, with one deed each, which can be taken back."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from sessions_app import cleanup, hygiene, store
from sessions_app.models import Project, Session
from sessions_app.querysets import SessionQuerySet
from sessions_app.web.context import address
from sessions_app.web.formats import deed_text
from sessions_app.web.journal import take_back_named

LISTED = 100  # of a kind at once
WORDS = {  # heading, what it means, and what the other session is
    "never-diverged": (
        "Forks that never diverged",
        "All that they show stands in their parent too.",
        "the same as",
    ),
    "duplicates": ("Duplicates", "Another session shows the very same messages.", "the same as"),
    "abandoned": (
        "Abandoned retries",
        "A few messages of their own, none for a week, and another one went further from the same place.",
        "retry of",
    ),
}


@dataclass(frozen=True, slots=True)
class Section:
    kind: str
    heading: str
    meaning: str
    link: str
    rows: list[tuple[Session, Session | None]]
    total: int


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """?project= or ?under= narrows it. POST archives or trashes the sessions `id`, or with `undo` brings ?entry= back."""
    if request.method == "POST":
        return _bring_back(request) if request.POST.get("undo") == "1" else _act(request)
    scope, context = _scope(request)
    found = hygiene.find(scope, store.now())
    sections = [_section(kind, rows_of(found)) for kind, rows_of in hygiene.KINDS.items()]
    context |= {
        "sections": sections,
        "any": any(section.total for section in sections),
        "is_cut": found.is_cut,
        "looked_at": hygiene.LOOKED_AT,
        "place": "cleanup",
    }
    return render(request, "hygiene/page.html", context)


# Helpers, in the order in which they are called


def _act(request: HttpRequest) -> HttpResponse:
    action = request.POST.get("action", "")
    if action not in ("archive", "trash"):
        raise BadRequest("What is not needed is archived or moved to the trash.")
    try:
        ids = [UUID(text) for text in request.POST.getlist("id")[:LISTED]]
    except ValueError:
        raise BadRequest("A session is named by its id.") from None
    here = address(request, entry=None)
    if ids:
        entry = cleanup.act(action, ids)  # type: ignore[arg-type]
        # The tag tells the toast what to send to undo it.
        undo = address(request, entry=str(entry.number))
        messages.success(request, deed_text(entry.action, entry.done).capitalize(), extra_tags=undo)
    return redirect(here)


def _bring_back(request: HttpRequest) -> HttpResponse:
    take_back_named(request)
    messages.success(request, "They are back where they were")
    return redirect(address(request, entry=None))


def _scope(request: HttpRequest) -> tuple[SessionQuerySet, dict]:
    if name := request.GET.get("project", ""):
        project = Project.objects.visible().named(name).first()
        if project is None:
            raise Http404(f"There is no project {name!r}.")
        return hygiene.in_project(project.pk), {"project": project}
    if text := request.GET.get("under", ""):
        try:
            session = Session.objects.visible().select_related("project").filter(pk=UUID(text)).first()
        except ValueError:
            session = None
        if session is None:
            raise Http404(f"There is no session {text}.")
        return hygiene.in_lineage(Session.objects.visible().roots_of([session.pk])[session.pk]), {"session": session}
    return Session.objects.visible(), {}


def _section(kind: str, rows: list[hygiene.Row]) -> Section:
    shown = rows[:LISTED]
    sessions = Session.objects.visible().select_related("project").in_bulk({id for row in shown for id in row})
    return Section(
        kind, *WORDS[kind], [(sessions[id], sessions.get(of)) for id, of in shown if id in sessions], len(rows)
    )

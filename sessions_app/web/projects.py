"""The projects, and the sessions of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from sessions_app import actors, figures, gate
from sessions_app.folding import fold
from sessions_app.models import Project, Session
from sessions_app.web import live
from sessions_app.web.context import Choice, address, projects_in_sight, rail, seconds, wants_fragment
from sessions_app.web.lists import list_of

LONGEST_PAGE = 500  # projects, unless all are asked for
ORDERS: dict[str, tuple[str, Callable[[Project], Any]]] = {
    "name": ("Project", lambda project: project.name.casefold()),
    "sessions": ("Sessions", lambda project: -project.session_count),
    "forks": ("Forks", lambda project: -project.fork_count),
    "size": ("Size", lambda project: -project.size_bytes),
    "activity": ("Last activity", lambda project: -seconds(project.last_activity)),
}


class ProjectsForm(forms.Form):
    q = forms.CharField(required=False, max_length=255)
    sort = forms.ChoiceField(choices=[(word, word) for word in ORDERS], required=False)
    all = forms.BooleanField(required=False)
    archived = forms.BooleanField(required=False)


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    marks = live.marks(lists=True)
    form = ProjectsForm(request.GET)
    form.is_valid()  # a wish that is none is passed over
    wish = form.cleaned_data
    sort = wish.get("sort") or "activity"
    query = wish.get("q", "")
    known = with_forks_in_sight(projects_in_sight())
    archived = sum(project.archived_at is not None for project in known)
    if not wish.get("archived"):
        known = [project for project in known if project.archived_at is None]
    found = [project for project in known if fold(query) in fold(project.name)]
    found.sort(key=lambda project: (ORDERS[sort][1](project), project.name))
    context = marks | {
        "found": found if wish.get("all") else found[:LONGEST_PAGE],
        "found_count": len(found),
        "project_count": len(known),
        "columns": [Choice(label, address(request, sort=word), word == sort) for word, (label, _) in ORDERS.items()],
        "sort": sort,
        "query": query,
        "all_url": address(request, all="1"),
        "archived_count": archived,
        "archived_shown": wish.get("archived"),
        "archived_url": address(request, archived=None if wish.get("archived") else "1"),
        "place": "projects",
    }
    return render(request, "projects/table.html" if wants_fragment(request) else "projects/list.html", context)


def with_forks_in_sight(projects: list[Project]) -> list[Project]:
    """A fork of what is out of sight is shown as a root."""
    if gate.projects(actors.current()) is not None:
        counts = Session.objects.visible().live().forks_by_project()
        for project in projects:
            project.fork_count = counts.get(project.pk, 0)
    return projects


@require_safe
def project(request: HttpRequest, name: str) -> HttpResponse:
    marks = live.marks(lists=True)
    found = Project.objects.visible().named(name).first()
    if found is None:
        raise Http404(f"There is no project {name!r}.")
    if found.name != name:  # an earlier one of it, or of one that was merged into it
        query = request.GET.urlencode()
        return redirect(f"{reverse('web:project', args=[found.name])}{f'?{query}' if query else ''}")
    totals = figures.summed([found.pk])
    listing = list_of(request, Session.objects.visible().live(), totals, found)
    if wants_fragment(request):
        return render(request, "sessions/rows.html", {"listing": listing})
    context = marks | {"listing": listing, "project": found, "place": "projects"}
    return render(request, "projects/project.html", context | rail(request, found))

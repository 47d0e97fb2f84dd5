"""The projects, and the sessions of one."""

from __future__ import annotations

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sessions_app import figures
from sessions_app.models import Project, Session
from sessions_app.querysets import ProjectQuerySet
from sessions_app.web.context import Choice, address, rail, wants_fragment
from sessions_app.web.lists import list_of

LONGEST_PAGE = 500  # projects, unless all are asked for
ORDERS = {
    "name": ("Project", ProjectQuerySet.by_name),
    "sessions": ("Sessions", ProjectQuerySet.most_sessions_first),
    "forks": ("Forks", ProjectQuerySet.most_forks_first),
    "size": ("Size", ProjectQuerySet.largest_first),
    "activity": ("Last activity", ProjectQuerySet.recently_active_first),
}


class ProjectsForm(forms.Form):
    q = forms.CharField(required=False, max_length=255)
    sort = forms.ChoiceField(choices=[(word, word) for word in ORDERS], required=False)
    all = forms.BooleanField(required=False)


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    form = ProjectsForm(request.GET)
    form.is_valid()  # a wish that is none is passed over
    wish = form.cleaned_data
    sort = wish.get("sort") or "activity"
    found = ORDERS[sort][1](Project.objects.visible().with_figures().named_like(wish.get("q", "")))
    context = {
        "found": list(found if wish.get("all") else found[:LONGEST_PAGE]),
        "found_count": Project.objects.visible().named_like(wish.get("q", "")).count(),
        "project_count": Project.objects.visible().count(),
        "columns": [Choice(label, address(request, sort=word), word == sort) for word, (label, _) in ORDERS.items()],
        "sort": sort,
        "query": wish.get("q", ""),
        "all_url": address(request, all="1"),
        "place": "projects",
    }
    return render(request, "projects/table.html" if wants_fragment(request) else "projects/list.html", context)


@require_safe
def project(request: HttpRequest, name: str) -> HttpResponse:
    found = Project.objects.visible().filter(name=name).first() if "\0" not in name else None
    if found is None:
        raise Http404(f"There is no project {name!r}.")
    totals = figures.summed([found.pk])
    listing = list_of(request, Session.objects.visible().of_projects([found.pk]).live(), totals)
    if wants_fragment(request):
        return render(request, "sessions/rows.html", {"listing": listing})
    context = {"listing": listing, "project": found, "place": "projects"}
    return render(request, "projects/project.html", context | rail(request, found))

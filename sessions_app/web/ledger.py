"""What a session, its descendants or a project come to, with nothing that is shared counted twice."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sessions_app import ledger
from sessions_app.models import Project, Session


@require_safe
def of_session(request: HttpRequest, id: UUID) -> HttpResponse:
    session = Session.objects.visible().select_related("project", "parent").filter(pk=id).first()
    if session is None:
        raise Http404(f"There is no session {id}.")
    root = Session.objects.visible().roots_of([id])[id]
    account = ledger.accounts([id])[id]
    families = ledger.families(root)
    amounts = [
        ("Inherited from its parent", account.inherited),
        ("Its own", account.own),
        ("With all that descends from it", families[id]),
        ("The whole lineage", families[root]),
    ]
    context = {"session": session, "amounts": amounts, "root": root, "place": "sessions"}
    return render(request, "ledger/session.html", context)


@require_safe
def of_project(request: HttpRequest) -> HttpResponse:
    """?project= names it."""
    name = request.GET.get("project", "")
    project = Project.objects.visible().named(name).first()
    if project is None:
        raise Http404(f"There is no project {name!r}.")
    live = Session.objects.visible().live().of_projects([project.pk])
    told = live.figures()
    context = {
        "project": project,
        "told": told,
        "message_total": live.message_total(),
        "amounts": [("Counted once", ledger.of_project(project.pk))],
        "place": "projects",
    }
    return render(request, "ledger/project.html", context)

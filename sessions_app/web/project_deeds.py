"""What a maintainer does to a project from the list of projects: rename in place, merge into another one, archive.

Each works as a plain form too: then it answers with a page or a redirect. Projects are named in the query string or the
form, for in a path any word may be a part of a project's name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from sessions_app import gate, projects
from sessions_app.actors import Role
from sessions_app.errors import InvalidProject, ProjectNotFound, QuotaExceeded
from sessions_app.models import Project
from sessions_app.web.context import wants_fragment
from sessions_app.web.formats import counted_text, deed_text

OFFERED = 200  # projects to choose from; others can be typed


def missing_is_404(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except ProjectNotFound as error:
            raise Http404(str(error)) from error

    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@missing_is_404
def name(request: HttpRequest) -> HttpResponse:
    """The field that renames a project, or with ?shown its name again; POST renames."""
    project = _found(request)
    if request.method == "POST":
        return _rename(request, project)
    if wants_fragment(request):
        template = "projects/_name.html" if "shown" in request.GET else "projects/_name_form.html"
        return render(request, template, _name_context(project))
    return render(request, "projects/name.html", _name_context(project))


@require_http_methods(["GET", "HEAD", "POST"])
@missing_is_404
def merge(request: HttpRequest) -> HttpResponse:
    """Asks into which one, then tells what moves; POST with confirm=1 does it."""
    project = _found(request)
    into = request.POST.get("into", "").strip()
    if request.method != "POST" or not into:
        return _ask(request, project)
    try:
        if request.POST.get("confirm") != "1":
            return _ask(request, project, into=into, merging=projects.merging(project.name, into))
        entry = projects.merge(project.name, into)
    except (InvalidProject, QuotaExceeded) as error:
        return _ask(request, project, into=into, error=str(error))
    text = f"“{project.name}” merged into “{entry.value}”: {counted_text(entry.done, 'session')} moved"
    return _tell(request, text, entry.number)


@require_POST
@missing_is_404
def archive(request: HttpRequest) -> HttpResponse:
    """Or with back=1 takes the project out of the archive."""
    project = _found(request)
    back = request.POST.get("back") == "1"
    number = (projects.unarchive if back else projects.archive)(project.name)
    return _tell(request, deed_text("project:show" if back else "project:hide", 1, project.name), number)


# Helpers, in the order in which they are called


def _found(request: HttpRequest) -> Project:
    """The project that is asked for, to which the actor may do these things. Raises ProjectNotFound and NotAllowed."""
    found = projects.find(request.POST.get("project") or request.GET.get("project", ""))
    if request.method == "POST":
        gate.check_maintainer(found.pk, found.name)
    return found


def _name_context(project: Project) -> dict[str, Any]:
    return {"project": project, "focus": True, "wanted": project.name}


def _rename(request: HttpRequest, project: Project) -> HttpResponse:
    wanted = request.POST.get("title", "")
    try:
        number = projects.rename(project.name, wanted.strip())
    except InvalidProject as error:
        context = _name_context(project) | {"wanted": wanted, "error": str(error)}
        template = "projects/_name_form.html" if wants_fragment(request) else "projects/name.html"
        return render(request, template, context, status=422)
    if wants_fragment(request):
        return render(request, "projects/_name.html", _name_context(Project.objects.visible().get(pk=project.pk)))
    if number:
        messages.success(request, deed_text("project:name", 1, wanted.strip()), extra_tags=f"entry:{number}")
    return redirect("web:projects")


def _ask(request: HttpRequest, project: Project, **more: Any) -> HttpResponse:
    mine = Project.objects.visible().standing().with_role(Role.MAINTAINER).exclude(pk=project.pk)
    context = {"project": project, "offered": mine.order_by("name").values_list("name", flat=True)[:OFFERED], **more}
    if wants_fragment(request):
        return render(request, "projects/asked.html", context)
    return render(request, "projects/merge.html", context, status=422 if more.get("error") else 200)


def _tell(request: HttpRequest, text: str, entry: int) -> HttpResponse:
    undo = f"entry:{entry}"
    if wants_fragment(request):
        return render(request, "selection/done.html", {"text": text, "undo": undo})
    messages.success(request, text, extra_tags=undo)
    return redirect("web:projects")

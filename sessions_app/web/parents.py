"""The page on which an admin says whose child a session is."""

from __future__ import annotations

import re
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from sessions_app import parents
from sessions_app.errors import InvalidLineage
from sessions_app.models import Relation, Session
from sessions_app.web.errors import missing_is_404
from sessions_app.web.journal import take_back_named
from sessions_app.web.settings_context import check_admin

ID = re.compile(r"[0-9a-fA-F-]{8,36}")


@require_http_methods(["GET", "HEAD", "POST"])
@missing_is_404
def parent(request: HttpRequest, id: UUID) -> HttpResponse:
    """POST takes a `parent` by its id, the first digits of it or an address with it, or `root`; `undo` with ?entry=."""
    check_admin(request)
    session = Session.objects.visible().select_related("project", "parent").filter(pk=id).first()
    if session is None:
        raise Http404(f"There is no session {id}.")
    if request.method != "POST":
        return _page(request, session)
    if request.POST.get("undo") == "1":
        return _bring_back(request, id)
    try:
        found = None if request.POST.get("root") else _named(request.POST.get("parent", ""))
        relation = request.POST.get("relation", "fork")
        if relation not in Relation.values:
            raise InvalidLineage("A child is a fork, a sub-agent, a compaction or a continuation.")
        entry = parents.attach(id, found, relation)  # type: ignore[arg-type]
    except InvalidLineage as error:
        return _page(request, session, str(error))
    text = "put under another parent" if found else "made a root"
    messages.success(request, f"“{session.title}” was {text}", extra_tags=f"{reverse('web:parent', args=[id])}?entry={entry}")  # fmt: skip
    return redirect("web:lineage", id)


def _page(request: HttpRequest, session: Session, error: str = "") -> HttpResponse:
    relations = [(value, str(label).capitalize()) for value, label in Relation.choices]
    context = {"session": session, "relations": relations, "error": error, "wanted": request.POST.get("parent", "")}
    return render(request, "sessions/parent.html", context, status=422 if error else 200)


def _bring_back(request: HttpRequest, id: UUID) -> HttpResponse:
    take_back_named(request)
    messages.success(request, "The session is where it was")
    return redirect("web:lineage", id)


def _named(text: str) -> UUID:
    """Raises InvalidLineage for what names no session, or several."""
    digits = ID.search(text)
    found = list(Session.objects.visible().with_id_prefix(digits[0]).values_list("pk", flat=True)[:2]) if digits else []
    if len(found) != 1:
        raise InvalidLineage(f"{'Several sessions have' if found else 'No session has'} the id “{text.strip()[:60]}”.")
    return found[0]

"""Takes what a message holds of secrets out of the store, by a maintainer who has confirmed it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from sessions_app import gate, redaction
from sessions_app.actors import Role
from sessions_app.errors import InvalidRedaction
from sessions_app.models import Session
from sessions_app.web.errors import missing_is_404
from sessions_app.web.rendering.text import counted, visible
from sessions_app.web.transcript_parts import LARGEST_POSITION
from sessions_app.web.transcript_window import one_entry


@require_http_methods(["GET", "HEAD", "POST"])
@missing_is_404
def redact(request: HttpRequest, id: UUID, position: int) -> HttpResponse:
    """Says what would go; POST with confirm=1 takes it out, and with it what `text` names."""
    session = Session.objects.visible().live().select_related("project").filter(pk=id).first()
    if session is None or position >= min(session.message_count, LARGEST_POSITION):
        raise Http404(f"There is no message #{position} in session {id}.")
    if request.method != "POST":
        return _page(request, session, position)
    named = request.POST.get("text", "")
    if request.POST.get("confirm") != "1":
        return _page(request, session, position, 422, error="Confirm that it shall go for good.")
    try:
        done = redaction.redact(id, position, texts=[named] if named else [])
    except InvalidRedaction as error:
        return _page(request, session, position, 422, error=str(error))
    messages.success(request, _told(done))
    return redirect("web:message", id, position)


def _page(request: HttpRequest, session: Session, position: int, status: int = 200, **more: Any) -> HttpResponse:
    one = one_entry(session.pk, position)
    if one is None:
        raise Http404(f"There is no message #{position} in session {session.pk}.")
    found = redaction.preview(dict(one.message))
    context = {
        "session": session,
        "position": position,
        "found": [(each.kind, visible(each.begins)) for each in found],
        "may": gate.role_in(session.project_id) >= Role.MAINTAINER,
        **more,
    }
    return render(request, "transcript/redact.html", context, status=status)


def _told(done: redaction.Redaction) -> str:
    words = f"Took it out of {counted(done.messages, 'message')} in {counted(done.sessions, 'session')}"
    return words if done.scrubbed else f"{words}; run “redact --scrub” to clear the database's files, too"

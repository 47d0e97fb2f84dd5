"""What can be done to a session from a list or its page: rename, trash, restore, purge.

Each works as a plain form too: then it answers with a redirect, and what was done is said on the next page.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from sessions_app import cleanup, space, store
from sessions_app.errors import InvalidTitle
from sessions_app.models import Session
from sessions_app.web.context import wants_fragment
from sessions_app.web.errors import missing_is_404


@require_http_methods(["GET", "HEAD", "POST"])
@missing_is_404
def title(request: HttpRequest, id: UUID) -> HttpResponse:
    """The field that renames a session, or with ?shown the title again; POST renames."""
    if request.method == "POST":
        return _rename(request, id)
    session = _live(id)
    if wants_fragment(request):
        template = "sessions/_title.html" if "shown" in request.GET else "sessions/_title_form.html"
        return render(request, template, _title_context(request, session))
    return render(request, "sessions/title.html", _title_context(request, session))


def _rename(request: HttpRequest, id: UUID) -> HttpResponse:
    session, wanted = _live(id), request.POST.get("title", "")
    try:
        store.rename(id, wanted)
    except InvalidTitle as error:
        context = _title_context(request, session) | {"wanted": wanted, "error": str(error)}
        template = "sessions/_title_form.html" if wants_fragment(request) else "sessions/title.html"
        return render(request, template, context, status=422)
    if wants_fragment(request):
        return render(request, "sessions/_title.html", _title_context(request, _live(id)))
    return redirect("web:session", id)


def _title_context(request: HttpRequest, session: Session) -> dict:
    """`place` is "head" in the head of a session, where its title is no link to it; `focus` takes the focus back."""
    place = request.POST.get("place") or request.GET.get("place", "row")
    return {"session": session, "place_of_title": place, "focus": True, "wanted": session.title}


@require_POST
@missing_is_404
def delete(request: HttpRequest, id: UUID) -> HttpResponse:
    session = _live(id)
    store.delete(id)
    text = f"Moved “{session.title}” to the trash{_forks_stay(session)}"
    if wants_fragment(request):
        return render(request, "sessions/trashed.html", {"session": session, "text": text})
    messages.success(request, text, extra_tags=str(id))
    return redirect("web:project", session.project.name)


def _forks_stay(session: Session) -> str:
    if not session.fork_count:
        return ""
    return "; its fork stays" if session.fork_count == 1 else f"; its {session.fork_count:,} forks stay"


@require_POST
@missing_is_404
def restore(request: HttpRequest, id: UUID) -> HttpResponse:
    _trashed(id)
    store.restore(id)
    session = _live(id)
    text = f"Restored “{session.title}”"
    if wants_fragment(request):
        return render(request, "sessions/restored.html", {"session": session, "text": text})
    messages.success(request, text)
    return redirect("web:session", id)


@require_http_methods(["GET", "HEAD", "POST"])
@missing_is_404
def purge(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks once; POST removes the session for good."""
    session = _trashed(id)
    if request.method != "POST":
        template = "sessions/_purge.html" if wants_fragment(request) else "sessions/purge.html"
        return render(request, template, {"session": session})
    store.purge(id)
    space.give_back(cleanup.GIVING_BACK)
    text = f"Removed “{session.title}” for good"
    if wants_fragment(request):
        return render(request, "sessions/purged.html", {"session": session, "text": text})
    messages.success(request, text)
    return redirect("web:trash")


def _live(id: UUID) -> Session:
    session = Session.objects.visible().with_fork_count().select_related("project", "parent").filter(pk=id).first()
    if session is None:
        raise Http404(f"There is no session {id}.")
    if session.trashed_at:
        raise Http404(f"Session {id} is in the trash.")
    return session


def _trashed(id: UUID) -> Session:
    session = Session.objects.visible().trashed().with_fork_count().select_related("project").filter(pk=id).first()
    if session is None:
        raise Http404(f"There is no session {id} in the trash.")
    return session

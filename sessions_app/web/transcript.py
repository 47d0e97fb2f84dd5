"""The page of a session: its transcript in windows, and what can be done from a message."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from sessions_app import ledger, store
from sessions_app.access.throttle import ThrottleOfEach
from sessions_app.actors import Actor, Role
from sessions_app.errors import InvalidLineage, InvalidProject, SessionNotFound
from sessions_app.grammar import SHORTENED_ID
from sessions_app.models import Project, Session, Transcript
from sessions_app.web import find, live
from sessions_app.web import transcript_window as window
from sessions_app.web.context import wants_fragment
from sessions_app.web.enter import sentence
from sessions_app.web.formats import resume_command
from sessions_app.web.rendering.marks import QUERY_LIMIT
from sessions_app.web.transcript_outline import outline
from sessions_app.web.transcript_proof import PROOF, holds, proof_of
from sessions_app.web.transcript_subagents import link_subagents

CHOICES = 10  # sessions offered where a shortened id fits several
PROJECTS = 500  # offered to fork into; any other may be named
KINDS = (("tool", "Tool calls"), ("thinking", "Thinking"), ("notice", "Notices of the agent"))
FORMATS = (("html", "A page to read (HTML)"), ("markdown", "Markdown"), ("bundle", "A bundle, to be imported"))
CHILDREN = 12  # forks and sub-agents listed in the head

# Nobody reads more by hand, and who tries all that there are learns little in a day.
shortened_ids = ThrottleOfEach(most=60, seconds=60)


class WindowForm(forms.Form):
    """The query string of a transcript: from=POSITION or from=end, to=POSITION, edge=, mode=focused, q=WORDS.

    held=PROOF is what the page that asks was drawn from; it is told whether that still holds.
    """

    held = forms.RegexField(rf"\A{PROOF}\Z", required=False)
    to = forms.IntegerField(required=False, min_value=0)
    edge = forms.ChoiceField(required=False, choices=[("earlier", ""), ("later", "")])
    mode = forms.ChoiceField(required=False, choices=[("focused", "")])
    q = forms.CharField(required=False, max_length=QUERY_LIMIT, strip=False)


@require_safe
def session(request: HttpRequest, id: UUID) -> HttpResponse:
    return _page(request, id, None)


@require_safe
def message(request: HttpRequest, id: UUID, position: int) -> HttpResponse:
    return _page(request, id, position)


@require_safe
def prefix(request: HttpRequest, prefix: str) -> HttpResponse:
    """A shortened id: the one session that it fits, a choice of several, or a page that says there is none.

    Who may not see all may ask sixty times a minute, whatever the answer was.
    """
    wait = _wait_for_another(request.actor)  # type: ignore[attr-defined]  # by FindActor
    if wait:
        answer = sentence(request, 429, f"Too many shortened ids; try again in {wait + 1:.0f} seconds.")
        answer["Retry-After"] = f"{wait + 1:.0f}"
        return answer
    digits = prefix.replace("-", "")
    if len(digits) < SHORTENED_ID:
        return _missing(request, f"A shortened id has at least {SHORTENED_ID} digits; “{prefix}” has {len(digits)}.")
    found = (
        Session.objects.visible().live().with_id_prefix(digits).select_related("project").newest_first()[: CHOICES + 1]
    )
    if len(found) == 1:
        return redirect("web:session", found[0].pk)
    if not found:
        return _missing(request, f"No session has an id that begins with “{prefix}”.")
    context = {"prefix": prefix, "sessions": found[:CHOICES], "are_more": len(found) > CHOICES}
    return render(request, "transcript/choice.html", context)


@require_safe
def beside(request: HttpRequest, id: UUID, side: str) -> HttpResponse:
    """Goes to the session that stands beside this one in the list of its project, and at an end of it to the list."""
    here = get_object_or_404(Session.objects.visible().live().select_related("project"), pk=id)
    listed = Session.objects.visible().live().of_projects([here.project_id]).without_subagents().unarchived()
    found = listed.exclude(pk=id).next_older(here) if side == "older" else listed.exclude(pk=id).next_newer(here)
    return redirect("web:session", found.pk) if found else redirect("web:project", here.project.name)


@require_http_methods(["GET", "HEAD", "POST"])
def fork(request: HttpRequest, id: UUID) -> HttpResponse:
    """Asks where to and into which project; POST forks before the message at `position`, and goes to the fork."""
    if request.method != "POST":
        return _ask_where_to(request, id)
    try:
        position = int(request.POST.get("position", ""))
        child = store.fork_at(id, position, request.POST.get("project") or None)
    except InvalidProject as error:
        return _ask_where_to(request, id, str(error))
    except (ValueError, OverflowError, InvalidLineage):
        return _missing(request, "There is no such place to fork this session at.", status=400)
    except SessionNotFound as error:
        return _missing(request, str(error))
    return redirect("web:session", child.id)


def _ask_where_to(request: HttpRequest, id: UUID, error: str = "") -> HttpResponse:
    asked = request.POST if error else request.GET
    found = Session.objects.visible().live().select_related("project").filter(pk=id).first()
    if found is None:
        raise Http404(f"There is no session {id}.")
    writable = Project.objects.visible().standing().with_role(Role.WRITER).order_by("name")[:PROJECTS]
    context = {
        "session": found,
        "projects": writable.values_list("name", flat=True),
        "position": asked.get("position") or found.message_count,
        "project": asked.get("project") or found.project.name,
        "error": error,
    }
    return render(request, "sessions/fork.html", context, status=422 if error else 200)


def _wait_for_another(actor: Actor) -> float:
    """Seconds; 0 when another shortened id may be asked for now, which then counts."""
    if actor.sees_all:
        return 0
    # By the user, for each may have any number of tokens.
    asker = f"user {actor.user_id}" if actor.user_id is not None else f"token {actor.name}"
    wait = shortened_ids.wait(asker)
    if not wait:
        shortened_ids.count(asker)
    return wait


def _page(request: HttpRequest, id: UUID, target: int | None) -> HttpResponse:
    marks = live.marks(session=id)
    shown_session = (
        Session.objects.visible().with_fork_count().select_related("project", "parent").filter(pk=id).first()
    )
    if shown_session is None:
        return _missing(request, f"There is no session {id}.")
    if shown_session.trashed_at:
        return render(request, "transcript/trashed.html", {"session": shown_session}, status=404)
    if target is not None and target >= shown_session.message_count:
        words = f"This session has {shown_session.message_count:,} messages; there is no message #{target}."
        return _missing(request, words, session=shown_session)
    form = WindowForm(request.GET)
    if not form.is_valid():
        return _missing(request, "This address names no part of the transcript.", session=shown_session)
    context = marks | _window_context(request, shown_session, target, form.cleaned_data)
    context |= _proof_context(shown_session, form.cleaned_data["held"])
    if wants_fragment(request) and form.cleaned_data["edge"]:
        return render(request, "transcript/_window.html", context)
    return render(request, "transcript/session.html", context | _head_context(shown_session, context, target))


def _proof_context(shown_session: Session, held: str) -> dict[str, Any]:
    return {"proof": proof_of(shown_session), "rewritten": bool(held) and not holds(shown_session, held)}


def _window_context(request: HttpRequest, shown_session: Session, target: int | None, asked: dict) -> dict[str, Any]:
    query = asked["q"]
    common = {"session": shown_session, "query": query, "target": target, "edge": asked["edge"], "mode": asked["mode"]}
    start = _start(request)
    if asked["mode"] == "focused":
        begin = start if start is not None else target or 0
        drawn, later = window.focused(shown_session, begin if begin >= 0 else 0, query=query)
        return common | {"items": drawn, "later": later, "earlier": None, "start": begin, "has_before": begin > 0}
    shown = _range(shown_session, target, start, asked["to"])
    drawn = window.items(shown_session, shown, query=query, target=target)
    link_subagents(shown_session, drawn)
    window.with_forks(drawn, shown_session, shown)
    return common | {
        "items": drawn,
        "shown": shown,
        "earlier": shown.earlier,
        "later": shown.later,
        "start": shown.start,
    }


def _start(request: HttpRequest) -> int | None:
    """The position in the address; -1 for the end."""
    text = request.GET.get("from", "")
    if text == "end":
        return -1
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _range(shown_session: Session, target: int | None, start: int | None, stop: int | None) -> window.Range:
    if start == -1:
        return window.at_end(shown_session)
    if start is not None:
        return window.starting(shown_session, start, stop)
    return window.around(shown_session, target) if target is not None else window.opening(shown_session)


def _head_context(shown_session: Session, context: dict[str, Any], target: int | None) -> dict[str, Any]:
    children = Session.objects.visible().live().children_of(shown_session.pk).newest_first()
    subagents = children.subagents()
    return {
        "find": find.figures(shown_session.pk, context["query"], target),
        "find_end": find.address(shown_session.pk, target, ""),
        "outline": outline(shown_session, target if target is not None else context["start"]),
        "forks": children.without_subagents()[:CHILDREN],
        "subagents": subagents[:CHILDREN],
        "subagent_count": subagents.count(),
        "root": _root(shown_session),
        "place_of_title": "head",
        "kinds": KINDS,
        "formats": FORMATS,
        "resume": _resume_command(shown_session),
        "account": ledger.accounts([shown_session.pk])[shown_session.pk] if shown_session.parent_id else None,
    }


def _root(shown_session: Session) -> Session | None:
    """The first session of its lineage, where that is neither itself nor its parent, which the head names anyway."""
    if shown_session.parent is None or shown_session.parent.parent_id is None:
        return None
    root = Session.objects.visible().roots_of([shown_session.pk])[shown_session.pk]
    return Session.objects.visible().filter(pk=root).first() if root != shown_session.parent_id else None


def _resume_command(shown_session: Session) -> str:
    """Of a session as its agent wrote it, "" of a fork made here, and of a sub-agent."""
    known = Transcript.objects.filter(session=shown_session.pk, subpath="").values_list("source", "external_id").first()
    return resume_command(*known, shown_session.project.name) if known else ""


def _missing(request: HttpRequest, words: str, status: int = 404, session: Session | None = None) -> HttpResponse:
    if wants_fragment(request):
        raise Http404(words)
    return render(request, "transcript/missing.html", {"words": words, "session": session}, status=status)

"""What is done to many sessions of a list at once: those that were ticked, or all that the list holds.

Each is one entry of the journal, which the toast, `z` and the page of the journal take back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.views.decorators.http import require_POST

from sessions_app import cleanup
from sessions_app.actors import Role
from sessions_app.errors import InvalidProject, InvalidTag, NotAllowed
from sessions_app.models import Project, Session
from sessions_app.querysets import SessionQuerySet
from sessions_app.web import lists
from sessions_app.web.context import wants_fragment
from sessions_app.web.formats import deed_text

LIVE_DEEDS = ("trash", "archive", "unarchive", "pin", "unpin", "tag", "untag", "move")
TRASH_DEEDS = ("restore", "purge")
OFFERED = 200  # tags or projects to choose from; others can be typed


class SelectionForm(forms.Form):
    """do=DEED, and id=IDS or all=1 with list=ADDRESS; value= the tag or project, forks=only|with, typed= the count."""

    do = forms.ChoiceField(choices=[(deed, deed) for deed in (*LIVE_DEEDS, *TRASH_DEEDS)])
    all = forms.BooleanField(required=False)
    list = forms.CharField(required=False, max_length=5000)
    value = forms.CharField(required=False, max_length=255)
    forks = forms.ChoiceField(required=False, choices=[("only", ""), ("with", "")])
    typed = forms.CharField(required=False, max_length=20)

    def clean(self) -> dict:
        data = super().clean() or {}
        try:
            # A question that was asked in between has all ids in one field.
            data["ids"] = [UUID(id) for field in _fields(self.data, "id") for id in field.split(",") if id]
        except ValueError:
            raise forms.ValidationError("That is no id of a session.") from None
        return data


@require_POST
def selection(request: HttpRequest) -> HttpResponse:
    """Does it, or asks for what is missing: a tag, a project, what becomes of forks, a word that it is meant."""
    form = SelectionForm(request.POST)
    if not form.is_valid():
        raise BadRequest(next(iter(form.errors.values()))[0])
    wish = form.cleaned_data
    ids = _permitted(wish, _chosen(wish))
    forks = Session.objects.visible().live().descending_from(ids) if wish["do"] == "trash" else set()
    if forks and not wish["forks"]:
        return _ask(request, wish, ids, forks=len(forks))
    if wish["do"] == "purge" and wish["typed"].replace(",", "").strip() != str(len(ids)):
        return _ask(request, wish, ids, error="That is another number." if wish["typed"] else "")
    if wish["do"] in ("tag", "untag", "move") and not wish["value"]:
        return _ask(request, wish, ids)
    try:
        entry = cleanup.act(wish["do"], [*ids, *(forks if wish["forks"] == "with" else ())], wish["value"])
    except (InvalidTag, InvalidProject) as error:
        return _ask(request, wish, ids, error=str(error))
    return _tell(request, wish, entry)


# Helpers, in the order in which they are called


def _fields(data: Any, name: str) -> list[str]:
    return data.getlist(name)


def _chosen(wish: dict) -> SessionQuerySet:
    visible = Session.objects.visible()
    of = visible.trashed() if wish["do"] in TRASH_DEEDS else visible.live()
    if not wish["all"]:
        return of.filter(pk__in=wish["ids"])
    return of.filter(pk__in=_list_at(wish["list"]).order_by().values("pk"))


def _list_at(address: str) -> SessionQuerySet:
    """All sessions of the list that is shown there. Raises BadRequest and Http404."""
    parts = urlsplit(address)
    try:
        if parts.scheme or parts.netloc:  # who was sent back there would leave us
            raise Resolver404
        found = resolve(unquote(parts.path))
    except Resolver404:
        raise BadRequest("There is no such list.") from None
    visible = Session.objects.visible()
    match found.view_name:
        case "web:home":
            return lists.all_of(QueryDict(parts.query), visible.live())
        case "web:project":
            project = Project.objects.visible().named(found.kwargs["name"]).first()
            if project is None:
                raise Http404("There is no such list.")
            return lists.all_of(QueryDict(parts.query), visible.live().of_projects([project.pk]))
        case "web:trash":
            return visible.trashed()
    raise BadRequest("There is no such list.")


def _permitted(wish: dict, sessions: SessionQuerySet) -> list[UUID]:
    """Those to which it may be done. Raises NotAllowed where that is none of them, and Http404 without any."""
    needs = Role.MAINTAINER if wish["do"] == "purge" else Role.WRITER
    mine = sessions.filter(project__in=Project.objects.visible().with_role(needs))
    ids = list(mine.order_by().values_list("pk", flat=True))
    if ids:
        return ids
    if sessions.exists():
        raise NotAllowed(f"You may read these sessions; this takes a {needs.name.lower()} of their project.")
    raise Http404("None of these sessions is here any more.")


def _ask(request: HttpRequest, wish: dict, ids: list[UUID], *, forks: int = 0, error: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "wish": wish,
        "ids": "" if wish["all"] else ",".join(map(str, wish["ids"])),
        "count": len(ids),
        "forks": forks,
        "error": error,
        "back": _back(wish),
        "offered": _offered(wish["do"], ids),
    }
    if wants_fragment(request):
        return render(request, "selection/asked.html", context)
    return render(request, "selection/ask.html", context, status=422 if error else 200)


def _back(wish: dict) -> str:
    """The list, which is one of ours or home."""
    try:
        _list_at(wish["list"])
    except (BadRequest, Http404):
        return reverse("web:trash" if wish["do"] in TRASH_DEEDS else "web:home")
    return wish["list"]


def _offered(deed: str, ids: Iterable[UUID]) -> list[str]:
    """What can be chosen without typing it: tags that are there, of these sessions where they are taken off."""
    visible = Session.objects.visible()
    if deed == "move":
        projects = Project.objects.visible().standing().with_role(Role.WRITER)
        return list(projects.order_by("name").values_list("name", flat=True)[:OFFERED])
    if deed not in ("tag", "untag"):
        return []
    tagged = visible.filter(tags__isnull=False, **({"pk__in": list(ids)[:500]} if deed == "untag" else {}))
    return list(tagged.order_by("tags__name").values_list("tags__name", flat=True).distinct()[:OFFERED])


def _tell(request: HttpRequest, wish: dict, entry: cleanup.Entry) -> HttpResponse:
    text = deed_text(entry.action, entry.done, entry.value)
    undo = f"entry:{entry.number}" if entry.done and entry.action != "purge" else ""
    if wants_fragment(request):
        return render(request, "selection/done.html", {"text": text, "undo": undo})
    messages.success(request, text, extra_tags=undo)
    return redirect(_back(wish))

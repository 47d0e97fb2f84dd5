"""Finding within one session: how many of its messages contain a text, and the one before and after the reader."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from sessions_app import search
from sessions_app.models import Session
from sessions_app.web.context import wants_fragment
from sessions_app.web.rendering.marks import QUERY_LIMIT

LARGEST_POSITION = 2**31 - 1


class FindForm(forms.Form):
    """The query string: q=TEXT, at=POSITION of the message that is shown, step=previous for the match before it."""

    q = forms.CharField(required=False, max_length=QUERY_LIMIT, strip=False)
    at = forms.IntegerField(required=False, min_value=0, max_value=LARGEST_POSITION)
    step = forms.ChoiceField(required=False, choices=[("next", ""), ("previous", "")])


@dataclass(frozen=True, slots=True)
class Figures:
    """What the find box tells. The first match follows the last; the positions are None where nothing matches."""

    count: int
    complete: bool  # False when the time was up before the whole session was looked through
    place: int  # of the message that is shown among the matches, from 1; 0 if it is none
    previous: int | None
    next: int | None


def figures(id: UUID, text: str, at: int | None) -> Figures:
    """Of the live session with that id; `at` is the message that is shown, None for the beginning."""
    found, complete = search.positions(id, text, search.BUDGET) if text else ([], True)
    if not found:
        return Figures(0, complete, 0, None, None)
    here = -1 if at is None else at
    before, behind = bisect_left(found, here), bisect_right(found, here)
    return Figures(
        count=len(found),
        complete=complete,
        place=behind if before < behind else 0,
        previous=found[before - 1],
        next=found[behind % len(found)],
    )


@require_safe
def find(request: HttpRequest, id: UUID) -> HttpResponse:
    """The figures for the box, or without htmx the page of the next match."""
    session = get_object_or_404(Session.objects.visible().live(), pk=id)
    form = FindForm(request.GET)
    if not form.is_valid():
        raise BadRequest(next(iter(form.errors.values()))[0])
    asked = form.cleaned_data
    told = figures(id, asked["q"], asked["at"])
    if wants_fragment(request):
        return render(request, "transcript/_find.html", {"session": session, "query": asked["q"], "find": told})
    position = told.previous if asked["step"] == "previous" else told.next
    return redirect(address(id, asked["at"] if position is None else position, asked["q"]))


def address(id: UUID, position: int | None, text: str) -> str:
    """Of a message of a session, or of the session, with the text marked in it."""
    path = reverse("web:session", args=[id]) if position is None else reverse("web:message", args=[id, position])
    return f"{path}?{urlencode({'q': text})}" if text else path

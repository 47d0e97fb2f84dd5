"""What people put on a session: a pin, the archive, tags."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from sessions_app import store
from sessions_app.errors import InvalidTag
from sessions_app.models import Session
from sessions_app.web.context import wants_fragment
from sessions_app.web.errors import missing_is_404

SWITCH = [("1", "on"), ("0", "off")]
WISHES = ("pin", "archive", "tag", "untag")


class LabelForm(forms.Form):
    """Exactly one of pin=1|0, archive=1|0, tag=NAME and untag=NAME."""

    pin = forms.ChoiceField(choices=SWITCH, required=False)
    archive = forms.ChoiceField(choices=SWITCH, required=False)
    tag = forms.CharField(required=False, strip=True)
    untag = forms.CharField(required=False, strip=True)

    def clean(self) -> dict:
        if sum(name in self.data for name in WISHES) != 1:
            raise forms.ValidationError("One label at a time is set or taken off.")
        return super().clean() or {}


@require_POST
@missing_is_404
def label(request: HttpRequest, id: UUID) -> HttpResponse:
    """Answers with the labels of the session's head; without JavaScript the session's page follows."""
    session = get_object_or_404(Session.objects.visible().live(), pk=id)
    form = LabelForm(request.POST)
    if not form.is_valid():
        raise BadRequest(next(iter(form.errors.values()))[0])
    (wish,) = (name for name in WISHES if name in request.POST)
    error = ""
    try:
        _set(session.pk, wish, form.cleaned_data[wish])
    except InvalidTag as refused:
        error = str(refused)
    if not wants_fragment(request) and not error:
        return redirect("web:session", id)
    session.refresh_from_db()
    context = {
        "session": session,
        "focus": "pin" if wish == "pin" else "tag",
        "error": error,
        "wanted": form.cleaned_data[wish] if error else "",
    }
    template = "transcript/_labels.html" if wants_fragment(request) else "transcript/labels.html"
    return render(request, template, context, status=422 if error else 200)


def _set(id: UUID, wish: str, value: str) -> None:
    match wish, value:
        case "pin", "1":
            store.pin(id)
        case "pin", _:
            store.unpin(id)
        case "archive", "1":
            store.archive(id)
        case "archive", _:
            store.unarchive(id)
        case "tag", _:
            store.tag(id, value)
        case _:
            store.untag(id, value)

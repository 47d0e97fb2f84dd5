"""Forks a session several times at once, and shows where they hang."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from sessions_app import forking
from sessions_app.errors import InvalidLineage
from sessions_app.web.errors import missing_is_404
from sessions_app.web.formats import count_text


class ForksForm(forms.Form):
    position = forms.IntegerField(min_value=0, max_value=2**31 - 1)
    count = forms.IntegerField(min_value=1, max_value=forking.MOST)


@require_POST
@missing_is_404
def fork_often(request: HttpRequest, id: UUID) -> HttpResponse:
    """`count` forks before the message at `position`; goes to the lineage."""
    form = ForksForm(request.POST)
    if not form.is_valid():
        raise BadRequest(f"From 1 to {forking.MOST:,} forks are made at once, at a message of the session.")
    position, count = form.cleaned_data["position"], form.cleaned_data["count"]
    try:
        forking.fork_often(id, position, count)
    except InvalidLineage as error:
        raise BadRequest(str(error)) from error
    messages.success(request, f"Made {count_text(count)} fork{'' if count == 1 else 's'} at #{position}")
    return redirect("web:lineage", id)

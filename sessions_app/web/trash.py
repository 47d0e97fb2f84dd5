"""What is in the trash, and how long it stays."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from sessions_app.models import Session
from sessions_app.web import live
from sessions_app.web.context import address, wants_fragment
from sessions_app.web.formats import days_left
from sessions_app.web.lists import PAGE_LENGTH, Cursor
from sessions_app.web.settings_context import actor_of


class TrashForm(forms.Form):
    after = forms.CharField(required=False)

    def clean_after(self) -> Cursor | None:
        text = self.cleaned_data["after"]
        try:
            return Cursor.parse(text, "updated_at") if text else None
        except ValueError:
            raise forms.ValidationError("The trash has no such page.") from None


@require_safe
def trash(request: HttpRequest) -> HttpResponse:
    marks = live.marks(lists=True)
    form = TrashForm(request.GET)
    if not form.is_valid():
        raise BadRequest(form.errors["after"][0])
    trashed, after = Session.objects.visible().trashed(), form.cleaned_data["after"]
    rows = trashed.sorted_by("trashed_at", descending=True)
    if after:
        rows = rows.following(after.value, after.id, descending=True)
    page = list(rows.with_fork_count().select_related("project")[: PAGE_LENGTH + 1])
    context = marks | {
        "rows": [(session, _days_left(session)) for session in page[:PAGE_LENGTH]],
        "figures": trashed.figures(),
        "days": settings.FORKLORE_TRASH_DAYS,
        "more_url": "",
        "cleans": actor_of(request).may("admin"),
        "place": "trash",
    }
    if len(page) > PAGE_LENGTH:
        last = page[PAGE_LENGTH - 1]
        context["more_url"] = address(request, after=str(Cursor(last.pk, last.trashed_at)))
    return render(request, "trash/rows.html" if wants_fragment(request) else "trash/list.html", context)


def _days_left(session: Session) -> int:
    assert session.trashed_at  # by the queryset
    return days_left(session.trashed_at, settings.FORKLORE_TRASH_DAYS, timezone.now())

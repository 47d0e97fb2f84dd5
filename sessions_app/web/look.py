"""How lists of sessions look to whoever reads them: how close the rows stand, and which columns are left out.

It is kept in a cookie, so that a page is drawn right at once, with scripts or without.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from sessions_app.web.context import wants_fragment

COMPACT = "compact"
COLUMNS = {  # class of the cells, and heading
    "of": "Project",
    "by": "Agent",
    "turns": "Turns",
    "messages": "Messages",
    "size": "Size",
    "age": "Updated",
}
KEPT = timedelta(days=365)


class LookForm(forms.Form):
    """density=compact|comfortable, column=WORD for each that is shown, back=ADDRESS to return to."""

    density = forms.ChoiceField(choices=[(COMPACT, ""), ("comfortable", "")])
    column = forms.MultipleChoiceField(choices=list(COLUMNS.items()), required=False)
    back = forms.CharField(max_length=5000, required=False)


@dataclass(frozen=True, slots=True)
class Look:
    compact: bool = False
    without: tuple[str, ...] = ()  # words of COLUMNS

    @property
    def columns(self) -> list[tuple[str, str, bool]]:
        """Of each column its word, its heading, and whether it is shown."""
        return [(word, name, word not in self.without) for word, name in COLUMNS.items()]

    def __str__(self) -> str:
        return ".".join((*([COMPACT] if self.compact else []), *self.without))


def look(request: HttpRequest) -> dict[str, Any]:
    """For every template (settings.TEMPLATES)."""
    kept = request.COOKIES.get(_cookie(), "").split(".")
    return {"look": Look(COMPACT in kept, tuple(word for word in COLUMNS if word in kept))}


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    form = LookForm(request.POST)
    form.is_valid()  # a wish that is none is passed over
    wish = form.cleaned_data
    without = tuple(word for word in COLUMNS if word not in wish.get("column", COLUMNS))
    back = wish.get("back", "")
    ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    answer = HttpResponse(status=204) if wants_fragment(request) else redirect(back if ours else reverse("web:home"))
    answer.set_cookie(
        _cookie(),
        str(Look(wish.get("density") == COMPACT, without)),
        max_age=KEPT,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return answer


def _cookie() -> str:
    return f"{settings.FORKLORE_COOKIE}-look"

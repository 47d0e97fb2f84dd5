"""Leads from sessions that were ticked in a lineage to their comparison."""

from __future__ import annotations

from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

MOST = 4  # sessions that are compared with each other


@require_safe
def chosen(request: HttpRequest) -> HttpResponse:
    """?session=ID, two to four times."""
    try:
        ids = list(dict.fromkeys(UUID(text) for text in request.GET.getlist("session")))
    except ValueError:
        raise BadRequest("A session is named by its id.") from None
    if not 2 <= len(ids) <= MOST:
        raise BadRequest(f"Tick from two to {MOST} sessions to compare them; {len(ids) or 'none'} came.")
    return redirect("web:compare", *ids)

"""The page of clean-up: policies, what each would do, and the journal with what takes it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from sessions_app import cleanup
from sessions_app.errors import InvalidPolicy, InvalidQuery
from sessions_app.models import Session
from sessions_app.web.formats import saving_text
from sessions_app.web.journal import text_of, told
from sessions_app.web.settings_context import check_admin

LATEST = 10  # entries of the journal
SHOWN = 20  # sessions of a preview, by title


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """?policy= previews one; POST saves one."""
    check_admin(request)
    if request.method == "POST":
        return _save(request)
    return _page(request, request.GET.get("policy", ""))


@require_POST
def run(request: HttpRequest) -> HttpResponse:
    check_admin(request)
    try:
        entry = cleanup.run(cleanup.policy(request.POST.get("policy", "")))
    except InvalidPolicy as error:
        return _page(request, status=422, error=str(error))
    undo = f"entry:{entry.number}" if entry.done and entry.action != "purge" else ""
    messages.success(request, text_of(entry), extra_tags=undo)
    return redirect("web:cleanup")


# Helpers, in the order in which they are called


def _save(request: HttpRequest) -> HttpResponse:
    form = request.POST
    try:
        enabled, action = form.get("enabled") == "1", cast("cleanup.PolicyAction", form.get("action", ""))
        saved = cleanup.save_policy(form.get("name", ""), form.get("query", ""), action, enabled=enabled)
    except (InvalidPolicy, InvalidQuery) as error:
        return _page(request, status=422, error=str(error), wanted=form)
    messages.success(request, f"Saved “{saved.name}”, which is {'on' if enabled else 'off'}")
    return redirect("web:cleanup")


def _page(request: HttpRequest, chosen: str = "", status: int = 200, **more: object) -> HttpResponse:
    policies = cleanup.policies()
    policy = next((each for each in policies if each.name == chosen), None)
    preview = cleanup.preview(policy) if policy else None
    context = {
        "policies": policies,
        "policy": policy,
        "preview": preview,
        "saving": saving_text(preview.freed_bytes, preview.measured_bytes) if preview else "",
        "kept": sorted(preview.kept.items()) if preview else [],
        "titles": _titles(preview.sessions[:SHOWN]) if preview else [],
        "journal": told(cleanup.entries(LATEST)),
        "place": "cleanup",
        **more,
    }
    return render(request, "cleanup/page.html", context, status=status)


def _titles(ids: Sequence[UUID]) -> list[str]:
    found = dict(Session.objects.visible().filter(pk__in=ids).values_list("pk", "title"))
    return [found[id] for id in ids if id in found]

"""The page of clean-up: policies, what each would do, and the journal with what takes it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from sessions_app import cleanup, schedule, store
from sessions_app.cleanup import Preview
from sessions_app.errors import InvalidPolicy, InvalidQuery
from sessions_app.models import Session
from sessions_app.web.formats import saving_text
from sessions_app.web.journal import text_of, told
from sessions_app.web.settings_context import check_admin

LATEST = 10  # entries of the journal
SHOWN = 20  # sessions of a preview


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


@require_POST
def set_schedule(request: HttpRequest) -> HttpResponse:
    """Whether clean-up runs by itself; or `trust`, that the clock is right."""
    check_admin(request)
    form = request.POST
    if form.get("trust"):
        schedule.trust_clock()
        messages.success(request, "Clean-up goes on by itself")
        return redirect("web:cleanup")
    try:
        hours, days = int(form.get("every_hours", "")), int(form.get("trash_days", ""))
        found = schedule.set_schedule(
            enabled=form.get("by_itself") == "1", every_hours=hours, trash_days=days if days else None
        )
    except ValueError:
        return _page(request, status=422, error="Hours and days are numbers.")
    except InvalidPolicy as error:
        return _page(request, status=422, error=str(error))
    messages.success(request, f"Clean-up by itself is {'on' if found.enabled else 'off'}")
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
    planned, until = schedule.schedule(), schedule.doubted_until(store.now())
    context = {
        "policies": policies,
        "policy": policy,
        "preview": preview,
        "saving": saving_text(preview.freed_bytes, preview.measured_bytes) if preview else "",
        "kept": sorted(preview.kept.items()) if preview else [],
        "going": _rows(preview.sessions[:SHOWN]) if preview else [],
        "staying": _kept(preview) if preview else [],
        "staying_total": sum(preview.kept.values()) if preview else 0,
        "new": len(preview.sessions) - preview.again if preview else 0,
        "wanted": policy and {**asdict(policy), "enabled": "1" if policy.enabled else "0"},
        "journal": told(cleanup.entries(LATEST)),
        "program": settings.FORKLORE_PROGRAM,
        "schedule": planned,
        "doubt": schedule.doubt_text(until) if until and planned.enabled else "",
        "place": "cleanup",
        **more,
    }
    return render(request, "cleanup/page.html", context, status=status)


def _rows(ids: Sequence[UUID]) -> list[Session]:
    found = Session.objects.visible().select_related("project").in_bulk(ids)
    return [found[id] for id in ids if id in found]


def _kept(preview: Preview) -> list[tuple[Session, str]]:
    """Sessions that fit and stay, each with the reason."""
    reasons = dict(preview.kept_sessions[:SHOWN])
    return [(session, reasons[session.pk]) for session in _rows(list(reasons))]

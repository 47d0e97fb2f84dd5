"""The page of clean-up: policies, what each would do, and the journal with what takes it back.

Its query string is the whole state: ?policy= names one, and ?q=, ?action= and ?on= say how it was changed since it was
saved. So each control is a link, and what is tried out is kept nowhere.
"""

from __future__ import annotations

from dataclasses import astuple

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST

from sessions_app import cleanup, figures, schedule, store
from sessions_app.cleanup import Preview
from sessions_app.errors import InvalidPolicy, InvalidQuery
from sessions_app.grammar import parse
from sessions_app.models import Session
from sessions_app.web import cleanup_preview
from sessions_app.web.cleanup_words import Wish, examples, wish_of, words
from sessions_app.web.formats import saving_text
from sessions_app.web.journal import text_of, told
from sessions_app.web.settings_context import check_admin

LATEST = 6  # entries of the journal


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """?add= puts words to the others, ?show=goes or stays lists all of these from the number ?first= on; POST saves or
    removes a policy."""
    check_admin(request)
    if request.method == "POST":
        return _change(request)
    wish = wish_of(request.GET, cleanup.policies())
    if added := request.GET.get("add", "").strip():
        return redirect(wish.with_added(added))
    return _page(request, wish)


@require_POST
def run(request: HttpRequest) -> HttpResponse:
    """Does what the page shows, or with `dry` writes a report of it."""
    check_admin(request)
    wish = wish_of(request.POST, cleanup.policies())
    try:
        if request.POST.get("policy") and wish.saved is None:
            cleanup.policy(request.POST["policy"])
        if request.POST.get("dry"):
            return _report(wish)
        entry = cleanup.run(wish.as_run)
    except (InvalidPolicy, InvalidQuery) as error:
        return _page(request, wish, status=422, error=str(error))
    messages.success(request, text_of(entry), extra_tags=f"entry:{entry.number}" if entry.can_be_undone else "")
    return redirect(wish.address())


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
        return _page(request, _first(), status=422, error="Hours and days are numbers.")
    except InvalidPolicy as error:
        return _page(request, _first(), status=422, error=str(error))
    messages.success(request, f"Clean-up by itself is {'on' if found.enabled else 'off'}")
    return redirect("web:cleanup")


# Helpers, in the order in which they are called


def _change(request: HttpRequest) -> HttpResponse:
    """Saves what the form holds, removes what ?policy= names, or brings back what was removed."""
    if request.POST.get("remove"):
        removed = cleanup.remove_policy(request.GET.get("policy", ""))
        back = Wish(None, *astuple(removed)).address()
        messages.success(request, f"Removed “{removed.name}”", extra_tags=back)
        return redirect("web:cleanup")
    form = request.GET if request.POST.get("undo") else request.POST
    wish = wish_of(form, cleanup.policies(), name="was")
    try:
        if form.get("action") != wish.action:
            raise InvalidPolicy("Say what becomes of the sessions.")
        known = wish.saved.name if wish.saved else ""
        if not known and wish.name.strip() in {each.name for each in cleanup.policies()}:
            raise InvalidPolicy(f"There is a policy “{wish.name.strip()}” already.")
        saved = cleanup.save_policy(wish.name, wish.query, wish.action, enabled=wish.enabled, instead_of=known)
    except (InvalidPolicy, InvalidQuery) as error:
        return _page(request, wish, status=422, error=str(error))
    messages.success(request, f"Saved “{saved.name}”, which runs {'by itself' if saved.enabled else 'by hand'}")
    return redirect(Wish(saved, *astuple(saved)).address())


def _page(request: HttpRequest, wish: Wish, status: int = 200, error: str = "") -> HttpResponse:
    preview, problem = _preview(wish)
    planned, until = schedule.schedule(), schedule.doubted_until(store.now())
    context = {
        "wish": wish,
        "policies": [(each, Wish(each, *astuple(each)).address()) for each in cleanup.policies()],
        "saved_url": Wish(wish.saved, *astuple(wish.saved)).address() if wish.saved else "",
        **words(wish),
        **(_told(request, wish, preview) if preview else {}),
        "error": error or problem,
        "examples": examples(),
        "journal": told(cleanup.entries(LATEST)),
        "journal_total": cleanup.entry_count(),
        "program": settings.FORKLORE_PROGRAM,
        "schedule": planned,
        "doubt": schedule.doubt_text(until) if until and planned.enabled else "",
        "place": "cleanup",
    }
    return render(request, "cleanup/page.html", context, status=status)


def _preview(wish: Wish) -> tuple[Preview | None, str]:
    """And what is wrong with the words as a whole; of a single one the words tell."""
    if not wish.query or parse(wish.query).problems:
        return None, ""
    try:
        return cleanup.preview(wish.policy), ""
    except (InvalidPolicy, InvalidQuery) as error:
        return None, str(error)


def _told(request: HttpRequest, wish: Wish, preview: Preview) -> dict[str, object]:
    show, first = request.GET.get("show", ""), request.GET.get("first", "0")
    if show not in ("", "goes", "stays") or not (first.isascii() and first.isdecimal() and len(first) < 10):
        raise BadRequest("?show= is goes or stays, and ?first= is a number.")
    sessions = Session.objects.visible()
    of = sessions.trashed().count() if wish.action == "purge" else _live_total()
    return {
        **cleanup_preview.told(wish, preview, show, int(first)),
        "of": of,
        "saving": saving_text(preview.freed_bytes, preview.measured_bytes),
        "last_can_be_undone": preview.last is not None and preview.last.can_be_undone,
    }


def _live_total() -> int:
    return sum(each.sessions for each in figures.by_project().values())


def _report(wish: Wish) -> HttpResponse:
    name = f"clean-up-{slugify(wish.name) or 'policy'}-{timezone.now():%Y-%m-%d}.csv"
    text = cleanup_preview.report(wish, cleanup.preview(wish.policy))
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=disposition)


def _first() -> Wish:
    return wish_of(QueryDict(), cleanup.policies())

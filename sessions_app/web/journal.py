"""What was done to many sessions at once, newest first, each with what takes it back."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from sessions_app import cleanup
from sessions_app.cleanup import Entry
from sessions_app.errors import JournalEntryNotFound
from sessions_app.web.context import address, wants_fragment
from sessions_app.web.formats import deed_text, packed_text

PAGE_LENGTH = 50  # entries
LARGEST = 2**63 - 1


@require_safe
def journal(request: HttpRequest) -> HttpResponse:
    """?before=NUMBER goes on below an entry."""
    before = _number(request.GET.get("before", ""))
    found = cleanup.entries(PAGE_LENGTH + 1, before=before)
    more = address(request, before=str(found[PAGE_LENGTH - 1].number)) if len(found) > PAGE_LENGTH else ""
    context = {"journal": told(found[:PAGE_LENGTH]), "more_url": more, "begun": before is not None, "place": "journal"}
    return render(request, "journal/page.html", context)


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Takes back the entry of that number, or the last of one's own that can be."""
    number = _number(request.POST.get("number", ""))
    try:
        entry = cleanup.undo(number)
        text = f"Took back: {deed_text(entry.action, entry.done, entry.value)}"
    except JournalEntryNotFound as error:
        text = str(error)
    if wants_fragment(request):
        return render(request, "journal/undone.html", {"text": text, "undo": ""})
    messages.success(request, text)
    back = request.POST.get("back", "")
    ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if ours else reverse("web:journal"))


def take_back_named(request: HttpRequest) -> None:
    """Undo what ?entry= names, for pages whose toast asks for it. Raises BadRequest and Http404."""
    entry = request.GET.get("entry", "")
    if not (entry.isascii() and entry.isdigit() and len(entry) < 19):
        raise BadRequest("An undo names what it takes back.")
    try:
        cleanup.undo(int(entry))
    except JournalEntryNotFound as error:
        raise Http404(str(error)) from None


def told(entries: list[Entry]) -> list[tuple[Entry, str]]:
    """Each with what it did, in words."""
    return [(entry, text_of(entry)) for entry in entries]


def text_of(entry: Entry) -> str:
    text = deed_text(entry.action, entry.done, entry.value)
    packed = entry.action == "pack" and entry.value
    return f"{text}: {packed_text(int(entry.value), entry.freed_bytes)}" if packed else text


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) > LARGEST:
        raise BadRequest("That is no number of an entry.")
    return int(text)

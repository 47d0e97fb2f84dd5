"""What a page of a transcript leaves out: all of an output, a message as it was stored, a picture out of it."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sessions_app import secret_rules
from sessions_app.errors import SessionNotFound
from sessions_app.projection import Part
from sessions_app.web.context import wants_fragment
from sessions_app.web.rendering import ansi, images, json_tree
from sessions_app.web.rendering.blocks import Entry, entry
from sessions_app.web.rendering.cards import Body, Exchange, Source, card, full_output
from sessions_app.web.rendering.inert import fenced, inert
from sessions_app.web.transcript_window import one_entry

SANDBOX = "default-src 'none'; sandbox"
LARGEST_POSITION = 2**31 - 1


@require_safe
def part(request: HttpRequest, id: UUID, position: int, number: int) -> HttpResponse:
    """All of one output: as a fragment for htmx, else as plain text."""
    one = _entry(id, position)
    if number >= len(one.seen.parts):
        raise Http404("This message has no such part.")
    found = one.seen.parts[number]
    if not wants_fragment(request):
        return _plain(_text_of(found))
    query, index = request.GET.get("q", ""), request.GET.get("body", "0")
    body = _full_body(found, Source(position, number), query, int(index) if index.isdigit() else 0)
    return render(request, "transcript/_output.html", {"body": body, "session_id": id})


@require_safe
def raw(request: HttpRequest, id: UUID, position: int) -> HttpResponse:
    """A message as JSON, or with ?as=text or ?as=markdown what there is to read in it; always as plain text.

    ?secrets=hidden leaves out tokens, keys and passwords.
    """
    one = _entry(id, position)
    if request.GET.get("secrets") == "hidden":
        one = entry(position, secret_rules.redacted_value(dict(one.message)))
    kind = request.GET.get("as", "json")
    if kind == "text":
        return _plain("\n\n".join(filter(None, map(_text_of, one.seen.parts))))
    if kind == "markdown":
        return _plain("\n\n".join(filter(None, map(_markdown_of, one.seen.parts))))
    return _plain(json_tree.to_text(dict(one.message)))


@require_safe
def image(request: HttpRequest, id: UUID, position: int, number: int) -> HttpResponse:
    """A picture of a message, told by its first bytes; it can run nothing, whatever the message calls it."""
    one = _entry(id, position)
    found = one.seen.parts[number] if number < len(one.seen.parts) else None
    picture = images.picture(found.image) if found and found.image else None
    if picture is None:
        raise Http404("There is no picture here that a browser draws.")
    response = HttpResponse(picture.content, content_type=picture.media_type)
    response["Content-Disposition"] = f'inline; filename="{id}-{position}-{number}.{picture.suffix}"'
    response["Cache-Control"] = "private, max-age=86400"
    return _sandboxed(response)


def _entry(id: UUID, position: int) -> Entry:
    try:
        one = one_entry(id, position) if position <= LARGEST_POSITION else None
    except SessionNotFound as error:
        raise Http404(str(error)) from None
    if one is None:
        raise Http404(f"Session {id} has no message #{position}.")
    return one


def _full_body(found: Part, source: Source, query: str, index: int) -> Body:
    if found.kind != "tool_call":
        return full_output(found, query)
    bodies = card(Exchange(found, source, query=query, is_full=True)).bodies
    return bodies[min(index, len(bodies) - 1)] if bodies else full_output(found, query)


def _text_of(found: Part) -> str:
    if found.kind == "tool_call":
        return f"{found.tool_name} {_argument_words(found)}"
    if found.kind == "json":
        return json_tree.to_text(found.data)
    return ansi.to_text(found.text)


def _markdown_of(found: Part) -> str:
    text = _text_of(found)
    if found.kind == "thinking":
        return "\n".join(f"> {line}" for line in inert(text).splitlines())
    return fenced(text) if found.kind in ("tool_call", "tool_result", "json", "unreadable") else inert(text)


def _argument_words(found: Part) -> str:
    arguments = found.arguments
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, indent=2)


def _plain(text: str) -> HttpResponse:
    """Lone surrogates, which UTF-8 cannot carry, become question marks; JSON has them as escapes already."""
    response = HttpResponse(text.encode("utf-8", "replace"), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = "inline"
    return _sandboxed(response)


def _sandboxed(response: HttpResponse) -> HttpResponse:
    response["Content-Security-Policy"] = SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
    return response

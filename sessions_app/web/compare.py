"""Up to four sessions against their last common message: figures, what they share, and where they differ, by turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from sessions_app import cleanup, gate, store
from sessions_app.actors import Role
from sessions_app.models import Session
from sessions_app.projection import Kind, Projection, project
from sessions_app.web.compare_beginning import said_alike, shared_by
from sessions_app.web.compare_figures import READ, Figures, figures_of, lowest
from sessions_app.web.compare_words import Run, differing
from sessions_app.web.errors import missing_is_404
from sessions_app.web.journal import take_back_named
from sessions_app.web.rendering import ansi
from sessions_app.web.rendering.cards import line_of
from sessions_app.web.rendering.text import visible

LETTERS = "ABCD"
TURNS = 8  # of a window
SHOWN = 12  # messages of a turn on each side
LENGTH = 3000  # characters of a message
UNFOLDED = 30  # messages of what is shared that are shown at once
OFFERED = 8  # further sessions


@dataclass(slots=True)
class Side:
    letter: str
    session: Session
    prompts: list[int]  # behind the last common message
    figures: Figures
    keep_url: str
    without_url: str  # the comparison without this one; "" where there are but two

    def turn(self, number: int) -> range:
        """The positions of a turn, counted from the last common message; what precedes the first prompt is of it."""
        ends = [*self.prompts[1:], self.session.message_count]
        if number < len(self.prompts):
            start = self.prompts[number] if number else self.session.message_count - self.figures.messages
            return range(start, ends[number])
        start = self.session.message_count - self.figures.messages
        return range(start, self.session.message_count) if number == 0 else range(0)


@dataclass(slots=True)
class Cell:
    letter: str
    session: UUID
    position: int
    role: str
    runs: list[Run]
    is_cut: bool


@dataclass(slots=True)
class Turn:
    number: int
    rows: list[list[tuple[str, Cell | None]]]  # by letters
    more: int  # messages that are not drawn
    ended: str  # the letters of the sessions that have no such turn


@dataclass(slots=True)
class Comparison:
    sides: list[Side]
    shared: int  # leading messages that all have
    shared_turns: int
    total: int  # turns behind those, of the one that has most
    start: int  # the first of these that is drawn
    turns: list[Turn]


@require_safe
@missing_is_404
def compare(request: HttpRequest, id: UUID, other: UUID, third: UUID | None = None, fourth: UUID | None = None) -> HttpResponse:  # fmt: skip
    ids = [each for each in (id, other, third, fourth) if each]
    sessions = [_live(each) for each in ids]
    found = compared(sessions, _number(request, "turn") or 0)
    sides, start, total, before = found.sides, found.start, found.total, found.shared_turns
    files = _shared_files(sides)
    context = {
        "sides": sides,
        "better": lowest([(side.letter, side.figures) for side in sides]),
        "touched": [(side, [(name, name in files) for name in sorted(side.figures.files)]) for side in sides],
        "shared": found.shared,
        "shared_turns": before,
        "unfolded": _unfolded(request, sessions[0], found.shared),
        "turns": found.turns,
        "total": total,
        "first": before + start + 1,
        "last": before + min(start + TURNS, total),
        "before_url": _address(request, turn=max(0, start - TURNS)) if start else "",
        "after_url": _address(request, turn=start + TURNS) if start + TURNS < total else "",
        "side": side if (side := request.GET.get("side", "")) in [each.letter for each in sides] else "",
        "side_urls": [(each.letter, _address(request, side=each.letter)) for each in sides],
        "all_url": _address(request, side=None),
        "offered": _offered(sessions) if len(sessions) < len(LETTERS) else [],
        "swapped_url": _compare_url([ids[1], ids[0], *ids[2:]]),
        "are_many": len(sides) > 2,
        "are_distinct": len(set(ids)) == len(ids),
        "may_keep": all(_may_write(each) for each in sessions),
        "are_more": max(side.figures.messages for side in sides) > READ,
        "read": READ,
        "place": "sessions",
    }
    return render(request, "compare/page.html", context)


@require_POST
@missing_is_404
def keep(request: HttpRequest, id: UUID, other: UUID, third: UUID | None = None, fourth: UUID | None = None) -> HttpResponse:  # fmt: skip
    """Archives the others, as one entry of the journal; ?entry= with `undo` takes that back."""
    ids = [each for each in (id, other, third, fourth) if each]
    if len(set(ids)) < len(ids):
        raise BadRequest("A session is kept against another one, not against itself.")
    sessions = [_live(each) for each in ids]
    for each in sessions[1:]:
        gate.check_role_in(each.project_id, each.project.name, Role.WRITER)
    named = f"“{sessions[1].title}”" if len(ids) == 2 else f"{len(ids) - 1} sessions"
    if request.POST.get("undo") == "1":
        take_back_named(request)
        messages.success(request, f"Brought back {named}")
    else:
        entry = cleanup.act("archive", ids[1:])
        # The tag tells the toast what to send to undo it.
        undo = f"{reverse('web:keep', args=ids)}?entry={entry.number}"
        messages.success(request, f"Archived {named}", extra_tags=undo)
    return redirect("web:compare", *ids)


def compared(sessions: Sequence[Session], start: int) -> Comparison:
    """Two to four live sessions, with the turns from `start` on, counted from the last common message."""
    ids = [each.pk for each in sessions]
    shared = said_alike(sessions, min(shared_by(sessions[0], each) for each in sessions[1:]))
    sides = [_side(letter, each, ids, shared) for letter, each in zip(LETTERS, sessions, strict=False)]
    total = max(1 if any(side.figures.messages for side in sides) else 0, *(len(side.prompts) for side in sides))
    start = min(start, max(total - 1, 0))
    before = len([position for position in store.prompt_positions(ids[0]) if position < shared])
    turns = [_turn(sides, number, before) for number in range(start, min(start + TURNS, total))]
    return Comparison(sides, shared, before, total, start, turns)


def _live(id: UUID) -> Session:
    session = Session.objects.visible().live().select_related("project").filter(pk=id).first()
    if session is None:
        raise Http404(f"There is no session {id}.")
    return session


def _side(letter: str, session: Session, ids: list[UUID], shared: int) -> Side:
    prompts = [position for position in store.prompt_positions(session.pk) if position >= shared]
    others = [each for each in ids if each != session.pk]
    keep_url = reverse("web:keep", args=[session.pk, *others]) if others else ""
    without = _compare_url(others) if len(others) > 1 else ""
    return Side(letter, session, prompts, figures_of(session, shared, len(prompts)), keep_url, without)


def _compare_url(ids: Sequence[UUID]) -> str:
    return reverse("web:compare", args=[*ids])


def _shared_files(sides: Sequence[Side]) -> set[str]:
    """Files that more than one of them touched."""
    found = [name for side in sides for name in side.figures.files]
    return {name for name in found if found.count(name) > 1}


def _unfolded(request: HttpRequest, session: Session, shared: int) -> dict | None:
    """Some of what they share, where ?shared= asks for what stands there; the last of it by itself is what leads on."""
    start = _number(request, "shared")
    last = max(0, shared - UNFOLDED)
    if start is None or not shared:
        return {"open_url": f"{_address(request, shared=last)}#shared"} if shared else None
    start = min(start, shared - 1)
    stop = min(start + UNFOLDED, shared)
    read = enumerate(map(project, store.get_messages(session.pk, start, stop)), start)
    return {
        "cells": [_cell("", session, one, _text(one), [(_text(one)[:LENGTH], False)]) for one in read],
        "fold_url": f"{_address(request, shared=None)}#shared",
        "earlier_url": f"{_address(request, shared=max(0, start - UNFOLDED))}#shared" if start else "",
        "later_url": f"{_address(request, shared=stop)}#shared" if stop < shared else "",
        "first": start,
        "last": stop - 1,
    }


def _address(request: HttpRequest, **changes: object) -> str:
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def _offered(sessions: Sequence[Session]) -> list[tuple[str, str]]:
    """Titles and addresses of the same comparison with one more: the children and siblings of these."""
    ids = [each.pk for each in sessions]
    known = {*ids, *(each.parent_id for each in Session.objects.visible().filter(pk__in=ids) if each.parent_id)}
    related = Session.objects.visible().live().filter(parent__in=known).exclude(relation="subagent")
    found = related.exclude(pk__in=ids).newest_first()[:OFFERED]
    return [(each.title, _compare_url([*ids, each.pk])) for each in found]


def _may_write(session: Session) -> bool:
    return gate.role_in(session.project_id) >= Role.WRITER


def _turn(sides: Sequence[Side], number: int, before: int) -> Turn:
    places = [side.turn(number) for side in sides]
    read = [_read(side, positions) for side, positions in zip(sides, places, strict=True)]
    rows = [_row(sides, row) for row in zip_longest(*read)]
    ended = [side.letter for side, positions in zip(sides, places, strict=True) if not positions]
    return Turn(before + number + 1, rows, sum(max(0, len(each) - SHOWN) for each in places), " and ".join(ended))


def _read(side: Side, positions: range) -> list[tuple[int, Projection]]:
    if not positions:
        return []
    stop = min(positions.stop, positions.start + SHOWN)
    return list(enumerate(map(project, store.get_messages(side.session.pk, positions.start, stop)), positions.start))


def _row(sides: Sequence[Side], row: Sequence[tuple[int, Projection] | None]) -> list[tuple[str, Cell | None]]:
    """The messages that stand beside each other, each with the words marked that the first of its kind lacks."""
    texts = [_text(each) for each in row]
    runs: list[list[Run]] = [[(text[:LENGTH], False)] for text in texts]
    for at in range(1, len(row)):
        if _alike(row[0], row[at]):
            first, runs[at] = differing(texts[0][:LENGTH], texts[at][:LENGTH])
            if len(row) == 2:
                runs[0] = first
    return [
        (side.letter, _cell(side.letter, side.session, one, text, marked) if one else None)
        for side, one, text, marked in zip(sides, row, texts, runs, strict=True)
    ]


def _alike(one: tuple[int, Projection] | None, two: tuple[int, Projection] | None) -> bool:
    return bool(one and two and one[1].role == two[1].role and one[1].kind == two[1].kind)


def _cell(letter: str, session: Session, of: tuple[int, Projection], text: str, runs: list[Run]) -> Cell:
    return Cell(letter, session.pk, of[0], _role(of[1]), runs, len(text) > LENGTH)


def _role(seen: Projection) -> str:
    """Who said it: a result comes from a tool, though agents write it under the name of the user."""
    if seen.kind in (Kind.TOOL_RESULT, Kind.NOTICE):
        return "Tool" if seen.kind == Kind.TOOL_RESULT else "Notice"
    return {"user": "You", "assistant": "Agent", "tool": "Tool", "system": "System"}.get(seen.role, "Notice")


def _text(of: tuple[int, Projection] | None) -> str:
    if of is None:
        return ""
    parts = [line_of(part) if part.kind == "tool_call" else ansi.to_text(part.text) for part in of[1].parts]
    return visible("\n".join(part for part in parts if part) or of[1].label)


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

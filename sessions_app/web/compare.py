"""Two sessions against their last common message: figures, what they share, and where they differ, turn by turn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from sessions_app import store
from sessions_app.models import Message, Session
from sessions_app.projection import Kind, Projection, project
from sessions_app.web.compare_words import Run, differing
from sessions_app.web.errors import missing_is_404
from sessions_app.web.rendering import ansi
from sessions_app.web.rendering.cards import line_of
from sessions_app.web.rendering.text import visible

TURNS = 8  # of a window
SHOWN = 12  # messages of a turn on each side
LENGTH = 3000  # characters of a message
READ = 1500  # messages of each session whose tokens, tools, errors and files are counted
PATHS = ("file_path", "notebook_path", "path")  # where tools name the file they touch


@dataclass(slots=True)
class Figures:
    """What a session came to behind the last common message."""

    turns: int
    messages: int
    tokens: int | None = None
    tools: int = 0
    errors: int = 0
    files: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None

    @property
    def duration(self) -> timedelta | None:
        return self.last - self.first if self.first and self.last else None

    @property
    def minutes(self) -> str:
        if self.duration is None:
            return ""
        hours, minutes = divmod(round(self.duration.total_seconds() / 60), 60)
        return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@dataclass(slots=True)
class Side:
    letter: str
    session: Session
    other: Session  # which is archived where this one is kept
    prompts: list[int]  # behind the last common message
    figures: Figures
    keep_url: str

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
    rows: list[tuple[Cell | None, Cell | None]]
    more: int  # messages that are not drawn
    ended: str  # the letter of the session that has no such turn


@dataclass(slots=True)
class Comparison:
    left: Side
    right: Side
    shared: int  # leading messages that both have
    shared_turns: int
    total: int  # turns behind those, of the one that has more
    start: int  # the first of these that is drawn
    turns: list[Turn]


@require_safe
@missing_is_404
def compare(request: HttpRequest, id: UUID, other: UUID) -> HttpResponse:
    found = compared(_live(id), _live(other), _start(request))
    left, right, start, total = found.left, found.right, found.start, found.total
    before = found.shared_turns
    context = {
        "sides": (left, right),
        "better": _better(left.figures, right.figures),
        "shared": found.shared,
        "shared_turns": before,
        "turns": found.turns,
        "total": total,
        "first": before + start + 1,
        "last": before + min(start + TURNS, total),
        "before_url": f"?turn={max(0, start - TURNS)}" if start else "",
        "after_url": f"?turn={start + TURNS}" if start + TURNS < total else "",
        "are_more": max(left.figures.messages, right.figures.messages) > READ,
        "read": READ,
        "place": "sessions",
    }
    return render(request, "compare/page.html", context)


@require_POST
@missing_is_404
def keep(request: HttpRequest, id: UUID, other: UUID) -> HttpResponse:
    """Archives the other one; with `undo` brings it back."""
    if id == other:
        raise BadRequest("A session is kept against another one, not against itself.")
    _live(id)
    archived = _live(other)
    back = request.POST.get("undo") == "1"
    (store.unarchive if back else store.archive)(other)
    done = "Brought back" if back else "Archived"
    # The tag tells the toast what to send to undo it.
    tags = "" if back else f"{reverse('web:keep', args=[id, other])}"
    messages.success(request, f"{done} “{archived.title}”", extra_tags=tags)
    return redirect("web:compare", id, other)


def compared(first: Session, second: Session, start: int) -> Comparison:
    """Two live sessions, with the turns from `start` on, counted from the last common message."""
    shared = shared_by(first, second)
    left, right = _side("A", first, second, shared), _side("B", second, first, shared)
    total = max(len(left.prompts), len(right.prompts), 1 if left.figures.messages or right.figures.messages else 0)
    start = min(start, max(total - 1, 0))
    before = len([position for position in store.prompt_positions(first.pk) if position < shared])
    turns = [_turn(left, right, number, before) for number in range(start, min(start + TURNS, total))]
    return Comparison(left, right, shared, before, total, start, turns)


def shared_by(first: Session, second: Session) -> int:
    """How many leading messages two sessions have in common.

    Where they show the same strand they do; past that their chained digests tell, in about log2(n) steps. So it is
    right too where a long chain of forks was copied into a strand of its own, or two agents wrote the same.
    """
    if first.pk == second.pk:
        return first.message_count
    one, two = _ranges(first), _ranges(second)
    low, high = 0, min(first.message_count, second.message_count)
    for (strand, start, stop), (strand2, start2, stop2) in zip(one, two, strict=False):
        if (strand, start) != (strand2, start2):
            break
        low = min(stop, stop2)
        if stop != stop2:
            break
    while low < high:
        middle = (low + high + 1) // 2
        if _digest(one, middle - 1) == _digest(two, middle - 1):
            low = middle
        else:
            high = middle - 1
    return low


def _ranges(session: Session) -> list[tuple[int, int, int]]:
    return sorted(Session.objects.visible().filter(pk=session.pk).shown_ranges(), key=lambda one: one[1])


def _digest(ranges: Sequence[tuple[int, int, int]], position: int) -> bytes:
    strand = ranges[bisect_right(ranges, position, key=lambda one: one[1]) - 1][0]
    return bytes(Message.objects.values_list("digest", flat=True).get(strand=strand, position=position))


def _live(id: UUID) -> Session:
    session = Session.objects.visible().live().select_related("project").filter(pk=id).first()
    if session is None:
        raise Http404(f"There is no session {id}.")
    return session


def _side(letter: str, session: Session, other: Session, shared: int) -> Side:
    prompts = [position for position in store.prompt_positions(session.pk) if position >= shared]
    figures = Figures(len(prompts), session.message_count - shared)
    for message in store.get_messages(session.pk, shared, min(shared + READ, session.message_count)):
        _count(figures, project(message))
    if figures.messages > READ:
        last = store.get_messages(session.pk, session.message_count - 1)
        figures.last = project(last[0]).timestamp or figures.last
    return Side(letter, session, other, prompts, figures, reverse("web:keep", args=[session.pk, other.pk]))


def _count(figures: Figures, seen: Projection) -> None:
    if seen.output_tokens is not None:
        figures.tokens = (figures.tokens or 0) + seen.output_tokens
    if seen.timestamp:
        figures.first = figures.first or seen.timestamp
        figures.last = seen.timestamp
    for part in seen.parts:
        if part.kind == "tool_call":
            figures.tools += 1
            if isinstance(part.arguments, dict):
                named = (part.arguments.get(name) for name in PATHS)
                figures.files.update(name for name in named if isinstance(name, str))
        elif part.kind == "tool_result" and part.is_error:
            figures.errors += 1


def _better(left: Figures, right: Figures) -> dict[str, str]:
    """The letter of the lower figure of each kind; none where they are equal or one is not known."""
    ways: dict[str, Callable[[Figures], int | timedelta | None]] = {
        "turns": lambda of: of.turns,
        "messages": lambda of: of.messages,
        "tokens": lambda of: of.tokens,
        "tools": lambda of: of.tools,
        "errors": lambda of: of.errors,
        "files": lambda of: len(of.files),
        "duration": lambda of: of.duration,
    }
    found = {}
    for name, way in ways.items():
        a, b = way(left), way(right)
        if a is not None and b is not None and a != b:
            found[name] = "A" if a < b else "B"  # type: ignore[operator]  # both of one kind
    return found


def _turn(left: Side, right: Side, number: int, before: int) -> Turn:
    a, b = left.turn(number), right.turn(number)
    rows = [_row(left, right, one, two) for one, two in zip_longest(_read(left, a), _read(right, b))]
    ended = "" if a and b else left.letter if not a else right.letter
    return Turn(before + number + 1, rows, max(0, len(a) - SHOWN) + max(0, len(b) - SHOWN), ended)


def _read(side: Side, positions: range) -> list[tuple[int, Projection]]:
    if not positions:
        return []
    stop = min(positions.stop, positions.start + SHOWN)
    return list(enumerate(map(project, store.get_messages(side.session.pk, positions.start, stop)), positions.start))


def _row(
    left: Side, right: Side, one: tuple[int, Projection] | None, two: tuple[int, Projection] | None
) -> tuple[Cell | None, Cell | None]:
    a, b = _text(one), _text(two)
    if one and two and one[1].role == two[1].role and one[1].kind == two[1].kind:
        runs = differing(a[:LENGTH], b[:LENGTH])
    else:
        runs = [(a[:LENGTH], False)], [(b[:LENGTH], False)]
    return _cell(left, one, a, runs[0]), _cell(right, two, b, runs[1])


def _cell(side: Side, of: tuple[int, Projection] | None, text: str, runs: list[Run]) -> Cell | None:
    if of is None:
        return None
    return Cell(side.letter, side.session.pk, of[0], _role(of[1]), runs, len(text) > LENGTH)


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


def _start(request: HttpRequest) -> int:
    text = request.GET.get("turn", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

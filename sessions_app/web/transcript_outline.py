"""The prompts beside a transcript, and how many forks leave in the turn of each."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from sessions_app import bodies, piece_table
from sessions_app.errors import DamagedMessage
from sessions_app.models import Session
from sessions_app.projection import prompt_text
from sessions_app.session_rows import snapshot
from sessions_app.web.rendering.text import visible

LENGTH = 200  # prompts
DAMAGED = "(damaged)"
WORDS_LENGTH = 200  # characters of each
FORKS_LIMIT = 2000  # forks that are counted


@dataclass(frozen=True, slots=True)
class Prompt:
    position: int
    words: str
    forks: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Outline:
    prompts: list[Prompt]
    total: int
    before: int  # prompts left out before and after those shown
    after: int


def outline(session: Session, position: int) -> Outline:
    """The prompts around a position."""
    total = session.prompt_count
    found, before = _read(session, position, LENGTH + 1)  # one more, to see where the last turn ends
    if before + len(found) >= total:
        end = session.message_count
        before, found = before + max(0, len(found) - LENGTH), found[-LENGTH:]
    else:
        end = found[-1][0]
        found = found[:LENGTH]
    places = [place for place, _ in found]
    current = max(0, bisect_right(places, position) - 1)
    forks = _forks_by_prompt(session, places, end)
    shown = [
        Prompt(place, visible(words), forks[index], index == current) for index, (place, words) in enumerate(found)
    ]
    return Outline(shown, total, before, max(0, total - before - len(shown)))


def _read(session: Session, position: int, count: int) -> tuple[list[tuple[int, str]], int]:
    try:
        with snapshot():
            of = piece_table.pieces(session.id, session.message_count)
            found, before = piece_table.prompts_around(of, position, count)
            if found:
                piece_table.check_pieces(session.id, of, found[0][0], found[-1][0])
    except DamagedMessage:  # the rest of the page can be read
        return [(position, DAMAGED)], 0
    return [(at, _words(body)) for at, body in found], before


def first_words(session: Session, position: int) -> str:
    """The first prompt from a position on, or else the last one before it; "" where there is none."""
    found, _ = _read(session, position - 1, 2)
    return next((words for at, words in found if at >= position), found[0][1] if found else "")


def _words(body: bytes | None) -> str:
    return DAMAGED if body is None else (prompt_text(bodies.decode(body)) or "")[:WORDS_LENGTH]


def _forks_by_prompt(session: Session, places: list[int], end: int) -> Counter[int]:
    children = Session.objects.visible().live().without_subagents().children_of(session.id)
    leaving = children.filter(fork_point__gt=places[0] if places else end, fork_point__lte=end)
    points = leaving.values_list("fork_point", flat=True)[:FORKS_LIMIT]
    return Counter(bisect_right(places, (point or 0) - 1) - 1 for point in points)

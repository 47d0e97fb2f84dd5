"""The prompts beside a transcript, and how many forks leave in the turn of each."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from sessions_app import store
from sessions_app.models import Session
from sessions_app.web.rendering.text import visible

LENGTH = 200  # prompts
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
    """The prompts around a position. Raises SessionNotFound."""
    places = store.prompt_positions(session.id)
    current = max(0, bisect_right(places, position) - 1)
    start = max(0, min(current - LENGTH // 2, len(places) - LENGTH))
    forks = _forks_by_prompt(session, places)
    shown = [
        Prompt(place, visible(words), forks[index], index == current)
        for index, (place, words) in enumerate(_read(session, places[start : start + LENGTH]), start)
    ]
    return Outline(shown, len(places), start, max(0, len(places) - start - LENGTH))


def _read(session: Session, places: list[int]) -> list[tuple[int, str]]:
    return store.prompts(session.id, places[0], places[-1] + 1) if places else []


def _forks_by_prompt(session: Session, places: list[int]) -> Counter[int]:
    children = Session.objects.visible().live().without_subagents().children_of(session.id)
    points = children.filter(fork_point__gt=0).values_list("fork_point", flat=True)[:FORKS_LIMIT]
    return Counter(bisect_right(places, (point or 0) - 1) - 1 for point in points)

"""What the index says may contain a query; whether it does is for the search to verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

FEW = 800  # candidates that are mapped to their sessions; more are met in walking through the sessions
MANY = 100_000  # candidates that are worth listing; where there are more, most messages are


@dataclass(slots=True)
class Candidates:
    positions: dict[int, list[int]] = field(default_factory=dict)  # by strand, ascending
    titles: list[int] = field(default_factory=list)  # ids of rows of forklore_searchtitle

    def add(self, places: Sequence[tuple[int, int]]) -> None:
        for strand, position in places:
            self.positions.setdefault(strand, []).append(position)

    def sort(self) -> Candidates:
        """Positions in ascending order, each once."""
        for strand, positions in self.positions.items():
            self.positions[strand] = sorted(set(positions))
        return self


class Finder(Protocol):
    """The index's side of one search. Nothing that contains the query is ever missing from an answer."""

    def few(self) -> Candidates | None:
        """All candidates, or None if they are more than FEW or cannot be told apart from the rest."""

    def many(self) -> Candidates | None:
        """All candidates, or None if they are more than MANY or cannot be told apart from the rest."""

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        """The candidates in messages of some strands, or of those of them that can be told; None if none can."""


class NoFinder:
    """Where there is no index: whatever there is has to be read."""

    def few(self) -> Candidates | None:
        return None

    def many(self) -> Candidates | None:
        return None

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        return None

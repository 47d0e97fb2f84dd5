"""What the index says may contain a query; whether it does is for the search to verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

FEW = 1200  # candidates that are mapped to their sessions at once; more are met in walking through the sessions
MANY = 100_000  # candidates that are worth listing; where there are more, most messages are
FIRST_READ = 300  # messages that are read before all candidates are listed, where nothing tells how many there are


@dataclass(slots=True)
class Candidates:
    positions: dict[int, list[int]] = field(default_factory=dict)  # by strand, ascending
    titles: list[int] = field(default_factory=list)  # ids of rows of forklore_searchtitle

    def add(self, places: Sequence[tuple[int, int]]) -> None:
        positions = self.positions
        for strand, position in places:
            if strand in positions:
                positions[strand].append(position)
            else:
                positions[strand] = [position]

    def sort(self) -> Candidates:
        """Positions in ascending order, each once."""
        for strand, positions in self.positions.items():
            if len(positions) > 1:
                self.positions[strand] = sorted(set(positions))
        return self


class Finder(Protocol):
    """The index's side of one search. Nothing that contains the query is ever missing from an answer."""

    worth: float  # messages that may be read before to list all candidates takes less time

    def few(self) -> Candidates | None:
        """All candidates, or None if they are more than FEW or cannot be told apart from the rest."""

    def many(self) -> Candidates | None:
        """All candidates, or None if they are more than MANY or cannot be told apart from the rest."""

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        """The candidates in messages of some strands, or of those of them that can be told; None if none can."""


class NoFinder:
    """Where there is no index: whatever there is has to be read."""

    worth = float("inf")

    def few(self) -> Candidates | None:
        return None

    def many(self) -> Candidates | None:
        return None

    def in_strands(self, strands: Sequence[int]) -> Candidates | None:
        return None

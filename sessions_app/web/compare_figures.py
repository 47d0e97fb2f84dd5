"""What a session did behind a message: turns, tokens, tools, errors, files and how long it took."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sessions_app import ledger, store
from sessions_app.models import Session
from sessions_app.projection import Part, Projection, project

READ = 1500  # messages of each session whose tools, errors and files are counted
PATHS = ("file_path", "notebook_path", "path")  # where tools name the file they touch
PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$", re.M)  # in a patch of Codex


@dataclass(slots=True)
class Figures:
    turns: int
    messages: int
    tokens: int | None = None  # None where none are recorded
    tools: Counter[str] = field(default_factory=Counter)  # calls, by the name of the tool
    errors: int = 0
    files: set[str] = field(default_factory=set)  # from the project's directory on
    first: datetime | None = None
    last: datetime | None = None

    @property
    def calls(self) -> int:
        return self.tools.total()

    @property
    def calls_by_tool(self) -> list[tuple[str, int]]:
        return self.tools.most_common()

    @property
    def duration(self) -> timedelta | None:
        return self.last - self.first if self.first and self.last else None

    @property
    def minutes(self) -> str:
        if self.duration is None:
            return ""
        hours, minutes = divmod(round(self.duration.total_seconds() / 60), 60)
        return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def figures_of(session: Session, start: int, turns: int) -> Figures:
    """Of the messages from `start` on, the first READ of which are looked into."""
    found = Figures(turns, session.message_count - start, ledger.behind(session.pk, start).tokens or None)
    for message in store.get_messages(session.pk, start, min(start + READ, session.message_count)):
        _count(found, project(message), session.project.name)
    if found.messages > READ:
        last = store.get_messages(session.pk, session.message_count - 1)
        if (moment := project(last[0]).timestamp) and found.last:
            found.last = max(found.last, moment)
    return found


def lowest(of: Sequence[tuple[str, Figures]]) -> dict[str, str]:
    """The letter of the lowest figure of each kind; none where two are lowest or one is not known."""
    ways: dict[str, Callable[[Figures], Any]] = {
        "turns": lambda of: of.turns,
        "messages": lambda of: of.messages,
        "tokens": lambda of: of.tokens,
        "tools": lambda of: of.calls,
        "errors": lambda of: of.errors,
        "files": lambda of: len(of.files),
        "duration": lambda of: of.duration,
    }
    found = {}
    for name, way in ways.items():
        values = [way(figures) for _, figures in of]
        if None not in values and values.count(min(values)) == 1:
            found[name] = of[values.index(min(values))][0]
    return found


def shortened(path: str, base: str) -> str:
    """A path from the project's directory on, where it is in there."""
    path, base = path.replace("\\", "/"), base.replace("\\", "/").rstrip("/")
    if base and path.startswith(f"{base}/"):
        return path[len(base) + 1 :]
    return path.removeprefix("./") or path


def _count(figures: Figures, seen: Projection, base: str) -> None:
    if seen.timestamp:
        # Clocks go back, and what sub-agents wrote stands where it arrived.
        figures.first = min(figures.first or seen.timestamp, seen.timestamp)
        figures.last = max(figures.last or seen.timestamp, seen.timestamp)
    for part in seen.parts:
        if part.kind == "tool_call":
            figures.tools[part.tool_name or "tool"] += 1
            figures.files.update(shortened(path, base) for path in _files(part))
        elif part.kind == "tool_result" and part.is_error:
            figures.errors += 1


def _files(part: Part) -> Iterator[str]:
    arguments = part.arguments
    texts = list(arguments.values()) if isinstance(arguments, dict) else [arguments]
    if isinstance(arguments, dict):
        named = (arguments.get(name) for name in PATHS)
        yield from (name for name in named if isinstance(name, str) and name)
    for text in texts:
        if isinstance(text, str) and text.lstrip().startswith("*** Begin Patch"):
            for match in PATCHED.finditer(text):
                yield (match[1] or match[2]).strip()

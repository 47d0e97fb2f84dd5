"""Finds the transcripts that the agents on this machine keep in their usual places."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sessions_app.integrations import claude_code, codex
from sessions_app.integrations.files import SUFFIX


@dataclass(frozen=True, slots=True)
class Found:
    source: str  # the agent, as in records.Origin
    root: Path
    files: int
    bytes: int


def discover(home: Path | None = None) -> list[Found]:
    """Every usual place that holds transcripts, with how many; `home` stands for the user's in tests.

    CLAUDE_CONFIG_DIR and CODEX_HOME move the places, as they do for the agents. Reads names and sizes, no contents.
    """
    places = [(source, root, *_measure(root)) for source, root in _places(home or Path.home())]
    return [Found(*place) for place in places if place[2]]


def _places(home: Path) -> Iterator[tuple[str, Path]]:
    claude = os.environ.get("CLAUDE_CONFIG_DIR")
    yield claude_code.SOURCE, (Path(claude) if claude else home / ".claude") / "projects"
    codex_home = Path(os.environ.get("CODEX_HOME") or home / ".codex")
    yield codex.SOURCE, codex_home / "sessions"
    yield codex.SOURCE, codex_home / "archived_sessions"


def _measure(root: Path) -> tuple[int, int]:
    """Number and bytes of the transcripts below a directory; links are not followed."""
    number = size = 0
    directories = [os.fspath(root)]
    while directories:
        try:
            with os.scandir(directories.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(entry.path)
                    elif entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                        number += 1
                        size += entry.stat(follow_symlinks=False).st_size
        except OSError:  # not there, or not for us: importing says so
            continue
    return number, size

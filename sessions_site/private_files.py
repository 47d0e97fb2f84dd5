"""Keeps what Forklore stores from the machine's other users: directories 0700, files 0600, its own user's both."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path


class NotPrivate(Exception):
    """Somebody else can read it, or it is somebody else's, and that cannot be mended from here."""


def check(directory: Path, more: Iterable[Path] = ()) -> Iterator[str]:
    """Tighten the data directory, the files in it and `more`; a sentence for each that was open to others.

    Raises NotPrivate. Windows keeps a user's own directories private by itself.
    """
    if os.name != "posix":
        return
    yield from _tighten(directory, 0o700)
    for path in [*sorted(directory.iterdir()), *more]:
        if path.is_file():
            yield from _tighten(path, 0o600)


def database_files(name: str) -> list[Path]:
    """A SQLite database and what stands beside it while it is open."""
    return [Path(name + suffix) for suffix in ("", "-wal", "-shm")]


def _tighten(path: Path, mode: int) -> Iterator[str]:
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise NotPrivate(
            f"{path} belongs to another user (id {found.st_uid}), who can read it. "
            "Start Forklore as that user, or choose another place by FORKLORE_DATA or DATABASE_URL."
        )
    if not found.st_mode & 0o077:
        return
    if found.st_mode & stat.S_ISVTX:  # /tmp and the like: others could not work any more
        raise NotPrivate(f"{path} is a place that all users share; choose another by FORKLORE_DATA.")
    try:
        path.chmod(mode)
    except OSError as error:
        raise NotPrivate(
            f"{path} can be read by other users ({_octal(found)}), and that cannot be changed: {error.strerror}."
        ) from error
    if path.stat().st_mode & 0o077:  # a file system that knows no users takes the change and forgets it
        raise NotPrivate(
            f"{path} can be read by other users ({_octal(found)}), and its file system cannot change that."
        )
    yield f"Other users could read {path} ({_octal(found)}); now only you can ({mode:04o})."


def _octal(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"

"""Tells other commands where this installation's servers are: a file for each in the data directory, while it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "server-"


@contextmanager
def announced(directory: Path, url: str) -> Iterator[None]:
    """Named by its port, which no two servers share; locked, so that what a killed server left is told from a living."""
    path = directory / f"{_PREFIX}{url.rpartition(':')[2]}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    _lock(descriptor)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, url.encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def newest(directory: Path) -> str | None:
    """The address of the server that was started last and still runs, or None."""
    for path in sorted(directory.glob(f"{_PREFIX}*"), key=lambda path: path.stat().st_mtime_ns, reverse=True):
        descriptor = os.open(path, os.O_RDWR)
        try:
            if not _lock(descriptor):
                return os.read(descriptor, 1000).decode()
        finally:
            os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    """Whether nobody else holds it; it ends with the process that does."""
    try:
        import fcntl
    except ImportError:  # Windows, where the file alone has to do
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

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


@contextmanager
def serving_database(name: str, url: str) -> Iterator[str | None]:
    """Beside a SQLite database: who serves it. Gives what another server that does so already has said of itself."""
    path = Path(f"{name}-server")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _lock(descriptor):
            yield os.read(descriptor, 1000).decode(errors="replace") or "another process"
            return
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} at {url}".encode())
        try:
            yield None
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


_FAR = "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"


def far_file_system(path: Path, mounts: str | None = None) -> str | None:
    """The kind of file system under a path, if it is one of another machine, on which locks may not hold."""
    try:
        lines = (mounts if mounts is not None else Path("/proc/self/mounts").read_text()).splitlines()
    except OSError:  # not Linux
        return None
    under = [words for words in map(str.split, lines) if len(words) > 2 and path.is_relative_to(words[1])]
    kind = max(under, key=lambda words: len(words[1]))[2] if under else ""
    return kind if kind in _FAR else None


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

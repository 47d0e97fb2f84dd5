"""Finds and opens transcripts in a tree that may be hostile: nothing is read from outside of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".jsonl"
_COMPRESSED = (".jsonl.zst", ".jsonl.gz")
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO would wait for its writer otherwise


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may hold a transcript, `relative` to the tree in which it must stay ("" for the root itself)."""

    root: Path
    relative: str
    size: int  # bytes, when it was found

    @property
    def path(self) -> Path:
        return self.root / self.relative


@dataclass(frozen=True, slots=True)
class Refused:
    path: Path
    why: str  # one sentence


@dataclass(frozen=True, slots=True)
class Other:
    """A file whose name says that it is no transcript."""

    path: Path


class CannotRead(Exception):
    """Why a file is not read, in one sentence."""


def find(root: Path) -> Iterator[Candidate | Refused | Other]:
    """Every file below a directory in a steady order, those named *.jsonl as candidates, or the one file that `root` is.

    `root` itself may be a symbolic link. What is below it may not lead out of it; a link within the tree is passed
    over, for what it leads to is found anyway.
    """
    root = Path(os.path.realpath(root))
    if not root.is_dir():
        yield Candidate(root.parent, root.name, root.stat().st_size)
        return
    closed: list[OSError] = []
    for directory, directories, names in os.walk(root, onerror=closed.append):
        directories.sort()
        yield from _links_out(root, directory, directories)
        for name in sorted(names):
            path = os.path.join(directory, name)
            if name.endswith(SUFFIX):
                yield from _found(root, path)
            elif name.endswith(_COMPRESSED):
                yield Refused(Path(path), "It is compressed; unpack it first.")
            else:
                yield Other(Path(path))
    for error in closed:
        yield Refused(Path(error.filename), _why(error))


def open_beneath(candidate: Candidate) -> BinaryIO:
    """The file, opened for reading without following a link on the way from its root.

    Raises CannotRead for links, pipes, devices and what may not be read; another process may have put them there
    after the file was found.
    """
    try:
        descriptor = _descriptor(candidate)
    except OSError as error:
        raise CannotRead(_why(error)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CannotRead("It is no regular file.")
    return os.fdopen(descriptor, "rb", buffering=0)


def _descriptor(candidate: Candidate) -> int:
    *parents, name = Path(candidate.relative).parts
    directory = os.open(candidate.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for parent in parents:
            below = os.open(parent, _OPEN | os.O_DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = below
        return os.open(name, _OPEN, dir_fd=directory)
    finally:
        os.close(directory)


def _found(root: Path, path: str) -> Iterator[Candidate | Refused]:
    try:
        found = os.lstat(path)
    except OSError as error:
        yield Refused(Path(path), _why(error))
        return
    if stat.S_ISREG(found.st_mode):
        yield Candidate(root, os.path.relpath(path, root), found.st_size)
    elif stat.S_ISLNK(found.st_mode):
        yield from _links_out(root, os.path.dirname(path), [os.path.basename(path)])
    elif not stat.S_ISDIR(found.st_mode):
        yield Refused(Path(path), "It is no regular file.")


def _links_out(root: Path, directory: str, names: list[str]) -> Iterator[Refused]:
    for name in names:
        path = Path(directory, name)
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
            yield Refused(path, "It is a symbolic link that leads out of the directory.")


def _why(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "It is a symbolic link."
    if error.errno == errno.EACCES:
        return "Permission denied."
    if error.errno == errno.ENOENT:
        return "It is gone."
    return f"{error.strerror}."

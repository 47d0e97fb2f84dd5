"""Imports the transcripts of agents: finds them, reads on where an earlier import ended, and links forks to parents.

Importing again changes nothing. Nothing is deleted because a file shrank or is gone: what a rewritten file said
before is kept as a child of its session.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from sessions_app import store
from sessions_app.access import audit
from sessions_app.errors import InvalidLineage, SessionPurged, StoreError
from sessions_app.grouped_writes import GroupedWrites
from sessions_app.integrations import claude_code, codex, files, known, lineage
from sessions_app.integrations.file_import import Cancelled, FileImport, Outcome
from sessions_app.integrations.files import Candidate, CannotRead, Other, Refused
from sessions_app.integrations.lines import read_lines
from sessions_app.integrations.transcripts import Transcript
from sessions_app.records import Message, Origin, ParentLink

FORMATS: list[tuple[Callable[[Message], bool], type[Transcript]]] = [
    (codex.recognises, codex.CodexTranscript),
    (claude_code.recognises, claude_code.ClaudeCodeTranscript),
]
_LOOKED_AT = 30  # lines by which a format is told
_SMALL = 256 * 1024  # bytes of a file that shares its transaction with others


@dataclass(frozen=True, slots=True)
class Progress:
    files: int  # looked at so far
    files_total: int
    bytes: int
    bytes_total: int
    messages: int  # written so far
    path: Path


@dataclass(frozen=True, slots=True)
class Skipped:
    path: Path
    why: str  # one sentence
    problem: bool  # somebody should look at it; otherwise it is no transcript


@dataclass(slots=True)
class Summary:
    """What an import found and did. Of the lines read, lines = messages + unreadable + blank."""

    files: int = 0  # that are transcripts
    new: int = 0  # sessions, of these some:
    new_subagents: int = 0
    grown: int = 0
    rewritten: int = 0  # whose former messages are kept as a child
    unchanged: int = 0  # files
    lines: int = 0
    messages: int = 0
    unreadable: int = 0  # lines, kept as they are
    blank: int = 0  # lines, not kept
    forks_linked: int = 0
    subagents_linked: int = 0
    waiting: int = 0  # children whose parent has not been imported
    bytes: int = 0  # read
    others: int = 0  # files that are not named as transcripts are
    skipped: list[Skipped] = field(default_factory=list)
    seconds: float = 0.0
    cancelled: bool = False

    @property
    def has_problems(self) -> bool:
        return self.unreadable > 0 or any(skipped.problem for skipped in self.skipped)


class ImportRunning(StoreError):
    """Another import writes to the same data directory."""


def import_paths(
    paths: Iterable[str | os.PathLike[str]],
    *,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Summary:
    """Import every transcript in these files and directories.

    `cancelled` is asked after each batch and each file. Raises FileNotFoundError for a path that is not there, and
    ImportRunning.
    """
    roots = [Path(path) for path in paths]
    for root in roots:
        root.stat()
    with _alone():
        summary = _Run(progress, cancelled or (lambda: False)).run(roots)
    changed = summary.new + summary.grown + summary.rewritten
    if changed:
        audit.append("imported", "session", "from transcripts", count=changed)
    return summary


def recognise(first: list[Message]) -> type[Transcript] | None:
    """The format of a file with these first messages."""
    for message in first:
        for recognises, transcript in FORMATS:
            if recognises(message):
                return transcript
    return None


class _Run:
    def __init__(self, progress: Callable[[Progress], None] | None, cancelled: Callable[[], bool]):
        self.summary = Summary()
        self._progress, self._cancelled = progress, cancelled
        self._links: dict[Origin, tuple[ParentLink, bool]] = {}  # and whether the child had a parent before
        self._sources: set[str] = set()  # of new and grown sessions
        self._sizes = known.sizes_by_path()
        self._beginnings = known.Beginnings()
        self._group = GroupedWrites()
        self._done = self._bytes_done = self._total = self._bytes_total = 0

    def run(self, roots: list[Path]) -> Summary:
        started = time.monotonic()
        candidates = list(self._candidates(roots))
        self._total, self._bytes_total = len(candidates), sum(candidate.size for candidate in candidates)
        with self._group:
            try:
                for candidate in candidates:
                    self._import(candidate)
                    self._group.end_if_due()
                    self._done += 1
                    self._bytes_done += candidate.size
                    self._report(candidate)
            except Cancelled:
                self.summary.cancelled = True
        self._link_again()
        if self.summary.messages:
            store.tidy(self.summary.messages)
        self.summary.seconds = time.monotonic() - started
        return self.summary

    def _candidates(self, roots: list[Path]) -> Iterator[Candidate]:
        seen = set()
        for root in roots:
            for found in files.find(root):
                if isinstance(found, Other):
                    self.summary.others += 1
                elif isinstance(found, Refused):
                    self._skip(found.path, found.why, problem=True)
                elif found.path not in seen:
                    seen.add(found.path)
                    yield found

    def _import(self, candidate: Candidate) -> None:
        try:
            with files.open_beneath(candidate) as file:
                self._import_open(candidate, file)
        except CannotRead as error:
            self._skip(candidate.path, str(error), problem=True)
        except SessionPurged as error:
            self._skip(candidate.path, str(error), problem=False)
        except StoreError as error:
            self._skip(candidate.path, str(error), problem=True)
        except OSError as error:  # while reading: a disk that fails, a network that is gone
            self._skip(candidate.path, f"{error.strerror}.", problem=True)

    def _import_open(self, candidate: Candidate, file: BinaryIO) -> None:
        status = os.fstat(file.fileno())
        if self._sizes.get(str(candidate.path)) == (status.st_size, status.st_mtime_ns):
            self.summary.files += 1
            self.summary.unchanged += 1
            return
        first = _first_messages(file, status.st_size)
        transcript_of = recognise(first)
        if transcript_of is None:
            self._skip(candidate.path, _other_content(first, status.st_size), problem=False)
            return
        self.summary.files += 1
        if status.st_size <= _SMALL:
            self._group.begin()
        else:
            self._group.end()
        one = FileImport(candidate, file, transcript_of(candidate, first), self._after_batch, self._link, self._beginnings)  # fmt: skip
        try:
            one.run()
        finally:
            self._count(one.outcome, transcript_of.agent)

    def _count(self, outcome: Outcome, source: str) -> None:
        for name in ("new", "new_subagents", "grown", "rewritten", "lines", "messages", "unreadable", "blank", "bytes"):
            setattr(self.summary, name, getattr(self.summary, name) + getattr(outcome, name))
        if outcome.new or outcome.grown or outcome.rewritten:
            self._sources.add(source)
        else:
            self.summary.unchanged += 1

    def _after_batch(self, candidate: Candidate, outcome: Outcome) -> None:
        self._report(candidate, outcome)
        if self._cancelled():
            raise Cancelled

    def _report(self, candidate: Candidate, outcome: Outcome | None = None) -> None:
        if self._progress:
            bytes_done = self._bytes_done + (outcome.position if outcome else 0)
            messages = self.summary.messages + (outcome.messages if outcome else 0)
            self._progress(Progress(self._done, self._total, bytes_done, self._bytes_total, messages, candidate.path))
        if outcome is None and self._cancelled():
            raise Cancelled

    def _link(self, child: Origin, link: ParentLink) -> None:
        had_parent = self._links[child][1] if child in self._links else known.parent_of(child) is not None
        self._links[child] = (link, had_parent)
        try:
            store.link_parent(child, link)
        except InvalidLineage as error:
            self._skip(Path(child.external_id), str(error), problem=True)

    def _link_again(self) -> None:
        """What arrived in this run may be the parent that something waited for, or tell how much is shared."""
        for child, link in lineage.found(self._sources):
            self._link(child, link)
        for child, (link, had_parent) in self._links.items():
            if known.parent_of(child) is None:
                self.summary.waiting += 1
            elif not had_parent:
                self.summary.subagents_linked += link.relation == "subagent"
                self.summary.forks_linked += link.relation != "subagent"

    def _skip(self, path: Path, why: str, problem: bool) -> None:
        self.summary.skipped.append(Skipped(path, why, problem))


@contextmanager
def _alone() -> Iterator[None]:
    """Two imports at once would write the same lines twice."""
    with open(Path(settings.DATA_DIR) / "import.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImportRunning("Another import is running; wait until it is done.") from None
        yield


def _first_messages(file: BinaryIO, size: int) -> list[Message]:
    messages = []
    for line in read_lines(file, 0, size):
        if line.readable:
            messages += line.messages
        if line.number >= _LOOKED_AT:
            break
    file.seek(0)
    return messages


def _other_content(first: list[Message], size: int) -> str:
    keys = first[0].keys() if first else set()
    if not size:
        return "It is empty."
    if {"display", "project"} <= keys or {"session_id", "ts", "text"} <= keys:
        return "It is a history of prompts, not a transcript."
    if {"id", "thread_name"} <= keys:
        return "It is Codex's list of names, not a transcript."
    if {"ts", "dir", "kind"} <= keys:
        return "It is a log of Codex's terminal interface, not a transcript."
    return "It holds no transcript of Claude Code or Codex."

"""Imports one transcript: from its beginning, or from where an earlier import ended, batch by batch.

Each batch is one transaction together with how far it got, so that an import that was killed goes on from there. A
last line without its newline may still grow: it is imported, but read again as soon as there is more.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings

from sessions_app import store
from sessions_app.integrations import known
from sessions_app.integrations.files import Candidate
from sessions_app.integrations.lines import READ_SIZE, Line, read_lines
from sessions_app.integrations.transcripts import Facts, Transcript, project_name
from sessions_app.projection import project
from sessions_app.records import ImportBatch, ImportState, Message, Origin, ParentLink

BATCH_MESSAGES = 500
BATCH_BYTES = 4 * 1024 * 1024


class Cancelled(Exception):
    """Somebody asked for an end; what was written so far stays, and the next import goes on from there."""


@dataclass(slots=True)
class Outcome:
    new: int = 0  # sessions
    new_subagents: int = 0
    grown: int = 0
    rewritten: int = 0
    lines: int = 0
    messages: int = 0
    unreadable: int = 0
    blank: int = 0
    bytes: int = 0
    position: int = 0  # in the file


class FileImport:
    """One file on its way into its session and those of its inline sub-agents."""

    def __init__(
        self,
        candidate: Candidate,
        file: BinaryIO,
        transcript: Transcript,
        after_batch: Callable[[Candidate, Outcome], None],
        link: Callable[[Origin, ParentLink], None],
        beginnings: known.Beginnings | None = None,
    ):
        self.outcome = Outcome()
        self._candidate, self._file, self._transcript = candidate, file, transcript
        self._after_batch, self._link = after_batch, link
        self._beginnings = beginnings or known.Beginnings()
        self._status = os.fstat(file.fileno())
        self._sessions: dict[str, _Session] = {}
        self._rewritten = False
        self._weight = 0  # bytes in the present batch
        # What is settled, up to the end of the last complete line:
        self._offset = self._lines = 0
        self._digest = hashlib.sha256()
        self._memory: dict[str, Any] | None = None  # None: the transcript's own, for nothing came after
        self._running: Any = None  # the digest with an incomplete line, where there is one

    def run(self) -> None:
        """Raises Cancelled if `after_batch` does; what was written until then stays."""
        found = self._find()
        if found and self._is_unchanged(found[1]):
            return
        self._begin(found[1] if found else None)
        size, limit = self._status.st_size, settings.FORKLORE_MESSAGE_LIMIT
        for line in read_lines(self._file, self._offset, size, self._lines, limit):
            self._take(line)
            if self._weight >= BATCH_BYTES or self._pending() >= BATCH_MESSAGES or self._starts_with_pointer(line):
                self._write()
                self._after_batch(self._candidate, self.outcome)
        self._session("")
        self._write(finished=True)
        self._sum_up()

    def _find(self) -> tuple[UUID, ImportState] | None:
        """What is known of this file, after making sure that no other file has its identity."""
        found = store.import_state(self._transcript.origin(""))
        if found is None or not self._is_elsewhere(found[1]):
            return found
        state = found[1]
        if self._hash(state.offset) == state.digest or self._is_older_copy(state):
            return found
        self._transcript.stand_apart()
        return store.import_state(self._transcript.origin(""))

    def _is_elsewhere(self, state: ImportState) -> bool:
        return state.path != str(self._candidate.path) and Path(state.path).is_file()

    def _is_older_copy(self, state: ImportState) -> bool:
        """Whether this file is the beginning of the one that was imported."""
        size = self._status.st_size
        if size > state.size:
            return False
        try:
            with open(state.path, "rb", buffering=0) as other:
                return _hash(other, size) == self._hash(size)
        except OSError:
            return False

    def _is_unchanged(self, state: ImportState) -> bool:
        size = self._status.st_size
        if state.size == size and self._hash(size) == state.detail["whole"]:
            return True
        return self._is_elsewhere(state) and self._is_older_copy(state)

    def _begin(self, state: ImportState | None) -> None:
        self._file.seek(0)
        if state and state.offset <= self._status.st_size:
            digest = _sha256(self._file, state.offset)
            if digest.hexdigest() == state.digest:
                self._offset, self._lines, self._digest = state.offset, state.detail["lines"], digest
                self._transcript.remember(state.detail["memory"])
        if state and not self._offset:
            self._rewritten = True
            self._file.seek(0)
        self.outcome.position = self._offset

    def _hash(self, size: int) -> str:
        """Of the first bytes of the file, in hex; "" if it has fewer."""
        if size > self._status.st_size:
            return ""
        self._file.seek(0)
        return _hash(self._file, size)

    def _take(self, line: Line) -> None:
        if not line.complete and self._running is None:
            self._freeze()
        digest = self._digest if self._running is None else self._running
        for part in line.raw:
            digest.update(part)
        for index, message in enumerate(line.messages):
            name = self._transcript.session_of(message) if line.readable else ""
            self._session(name).take(message, line, index == 0, self._transcript)
        self._count(line)
        if line.complete:
            self._settle(line, digest)

    def _freeze(self) -> None:
        """From here on nothing is settled, for a line has begun that may yet become another."""
        self._running = self._digest.copy()
        self._memory = self._transcript.memory()
        for session in self._sessions.values():
            session.freeze()

    def _settle(self, line: Line, digest: Any) -> None:
        self._offset, self._lines, self._digest = line.stop, line.number, digest
        if self._running is not None:
            self._running = self._memory = None
            for session in self._sessions.values():
                session.frozen = None

    def _count(self, line: Line) -> None:
        outcome, size = self.outcome, line.stop - self.outcome.position
        outcome.position = line.stop
        outcome.bytes += size
        self._weight += size
        if line.first:
            outcome.lines += 1
            outcome.blank += not line.messages
            outcome.unreadable += not line.readable
            outcome.messages += line.readable and len(line.messages)

    def _starts_with_pointer(self, line: Line) -> bool:
        """Whether the session is to say where its beginning is before its messages get positions that will change."""
        link = self._transcript.link("", self._session("").facts) if line.number == 1 else None
        return link is not None and link.prefix_needed

    def _pending(self) -> int:
        return sum(len(session.pending) for session in self._sessions.values())

    def _session(self, name: str) -> _Session:
        if name not in self._sessions:
            origin = self._transcript.origin(name)
            self._sessions[name] = _Session(name, origin, store.import_state(origin), self._rewritten)
            if self._running is not None:
                self._sessions[name].freeze()
        return self._sessions[name]

    def _write(self, finished: bool = False) -> None:
        """Sub-agents first: a line counts as read only when the file's own session says so, which comes last."""
        main = self._session("")
        written = []
        for session in [*(one for one in self._sessions.values() if one is not main), main]:
            if finished:
                session.end_comparison()
            if session.has_news or (session is main and (finished or not session.is_comparing)):
                self._write_session(session, finished)
                written.append(session)
        for session in written:
            self._say_parent(session)
        self._weight = 0

    def _write_session(self, session: _Session, finished: bool) -> None:
        facts, name = session.facts, session.name
        cwd = self._session("").facts.cwd or facts.cwd  # an inline sub-agent may have changed its directory
        batch = ImportBatch(
            project_name(cwd, self._transcript.fallback_project()),
            session.pending,
            self._state(session, finished and not name),
            keep=session.position - len(session.pending),
            title=self._transcript.title(name, facts),
            turns=facts.turns,
            created_at=self._time(facts.first),
            updated_at=self._time(facts.last),
            beside=self._alike(session),
        )
        record = store.import_batch(session.origin, batch, agent=self._transcript.agent)
        if session.is_new and facts.opening:
            self._beginnings.add(self._transcript.agent, facts.opening, record.id)
        session.written()

    def _alike(self, session: _Session) -> tuple[UUID, ...]:
        if not session.is_new or not session.facts.opening:
            return ()
        return self._beginnings.alike(self._transcript.agent, session.facts.opening)

    def _say_parent(self, session: _Session) -> None:
        link = self._transcript.link(session.name, session.facts)
        if link and link != session.link:
            session.link = link
            self._link(session.origin, link)

    def _state(self, session: _Session, finished: bool) -> ImportState:
        """With a size only when the file has been read to its end, which tells a later import that it may pass by."""
        settled = session.frozen or session.now()
        running = self._digest if self._running is None else self._running
        return ImportState(
            path=str(self._candidate.path),
            size=self.outcome.position if finished else 0,
            mtime_ns=self._status.st_mtime_ns if finished else 0,
            offset=self._offset,
            digest=self._digest.hexdigest(),
            lines=session.position,
            unreadable=session.unreadable,
            detail={
                "lines": self._lines,  # of the file, blank ones and those of other sessions included
                "memory": self._transcript.memory() if self._memory is None else self._memory,
                "whole": running.hexdigest(),
                "settled": asdict(settled),
                "facts": session.facts.as_json(),
            },
        )

    def _time(self, text: str) -> datetime:
        return datetime.fromisoformat(text) if text else datetime.fromtimestamp(self._status.st_mtime, UTC)

    def _sum_up(self) -> None:
        for session in self._sessions.values():
            self.outcome.new += session.is_new
            self.outcome.new_subagents += session.is_new and session.origin.subpath != ""
            self.outcome.rewritten += session.has_diverged
            self.outcome.grown += session.has_grown and not session.is_new and not session.has_diverged


@dataclass(frozen=True, slots=True)
class _Settled:
    """What a session is without the incomplete line at the end of its file."""

    position: int
    unreadable: int
    facts: dict[str, Any]


class _Session:
    """One session as it takes messages: those that it has yet to be given, or compared with those that it has."""

    def __init__(self, name: str, origin: Origin, found: tuple[UUID, ImportState] | None, rewritten: bool):
        self.name, self.origin = name, origin
        self.is_new = found is None
        self.has_diverged = self.has_grown = False
        self.link: ParentLink | None = None
        self.pending: list[Message] = []
        self.frozen: _Settled | None = None
        self.position = self.unreadable = self._skip_before = 0
        self.facts = Facts()
        self._stored: Iterator[Message] | None = None
        self._stored_count = 0
        if found and rewritten:
            self._stored = known.messages_of(found[0], known.prefix_of(found[0]))
            self._stored_count = found[1].lines
        elif found:
            self._go_on_from(found[1])

    @property
    def is_comparing(self) -> bool:
        return self._stored is not None

    @property
    def has_news(self) -> bool:
        return bool(self.pending) or (self.has_diverged and not self.has_grown)

    def take(self, message: Message, line: Line, first: bool, transcript: Transcript) -> None:
        """`first` tells the first message of a line from the other pieces of a long one."""
        if line.start < self._skip_before:
            return  # it was written before an import was ended between two sessions of a file
        self.facts.note(project(message))
        if line.readable:
            transcript.note(self.facts, message, self.position)
        self.unreadable += first and line.first and not line.readable
        if self._stored is not None:
            self._compare(message)
        if self._stored is None:
            self.pending.append(message)
        self.position += 1

    def freeze(self) -> None:
        self.frozen = self.now()

    def now(self) -> _Settled:
        return _Settled(self.position, self.unreadable, copy.deepcopy(self.facts.as_json()))

    def end_comparison(self) -> None:
        """The file is at its end: what the session has beyond is no longer in it."""
        if self._stored is not None:
            if self.position < self._stored_count:
                self._diverge()
            self._stored = None

    def written(self) -> None:
        self.has_grown = self.has_grown or bool(self.pending)
        self.pending = []

    def _go_on_from(self, state: ImportState) -> None:
        settled = state.detail["settled"]
        self.position, self.unreadable = settled["position"], settled["unreadable"]
        self.facts = Facts.from_json(settled["facts"])
        self._skip_before = state.offset

    def _compare(self, message: Message) -> None:
        stored = next(self._stored, None) if self._stored is not None else None
        if stored is not None and json.dumps(stored) == json.dumps(message):
            return
        if self.position < self._stored_count:
            self._diverge()
        self._stored = None

    def _diverge(self) -> None:
        store.archive_before_rewrite(self.origin)
        self.has_diverged = True


def _sha256(file: BinaryIO, size: int) -> Any:
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(READ_SIZE, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest


def _hash(file: BinaryIO, size: int) -> str:
    return _sha256(file, size).hexdigest()

"""What the importer needs to know of a transcript's format, and what it learns of a session line by line."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, ClassVar, Protocol, Self

from sessions_app.integrations.files import Candidate
from sessions_app.projection import Kind, Projection
from sessions_app.records import Message, Origin, ParentLink
from sessions_app.titles import PROJECT_LIMIT

ANSWERS = (Kind.ANSWER, Kind.TOOL_CALL)


def content_digest(seen: Projection, before: bytes = b"") -> bytes:
    """Of what a message says, whatever the ids and times that its agent wrote beside it, chained to those before."""
    parts = [[part.kind, part.text, part.tool_name, part.tool_id, part.arguments] for part in seen.parts]
    text = json.dumps([int(seen.kind), parts], sort_keys=True, default=str)
    return blake2b(before + text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(slots=True)
class Facts:
    """What the lines of one session said so far, besides being its messages. All JSON, to go on from in another run."""

    cwd: str = ""
    title: str = ""  # that the agent gave, the best so far
    first: str = ""  # time of its first line in ISO 8601
    last: str = ""
    turns: int = 0
    asked: str = ""  # a digest of the first prompt, until it is answered
    opening: str = ""  # a digest of the first prompt and its answer, by which forks are found that have no pointer
    detail: dict[str, Any] = field(default_factory=dict)  # belongs to the format

    def note(self, projection: Projection) -> None:
        self.turns += projection.kind == Kind.PROMPT
        if not self.opening:
            self._note_opening(projection)
        if projection.timestamp is not None:
            time = projection.timestamp.isoformat()
            if not self.first or projection.timestamp < datetime.fromisoformat(self.first):
                self.first = time
            if not self.last or projection.timestamp > datetime.fromisoformat(self.last):
                self.last = time

    def _note_opening(self, seen: Projection) -> None:
        if seen.kind == Kind.PROMPT and not self.asked:
            self.asked = content_digest(seen).hex()
        elif self.asked and seen.kind in ANSWERS:
            self.opening = content_digest(seen, bytes.fromhex(self.asked)).hex()
            self.asked = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        return cls(**values)


class Transcript(Protocol):
    """One file of an agent: which sessions it holds, and what its lines say of them."""

    agent: ClassVar[str]

    def __init__(self, candidate: Candidate, first: list[Message]) -> None:
        """`first` are some of the first messages in the file, enough to know whose it is."""

    def origin(self, session: str) -> Origin:
        """Of a session in the file: "" for the file's own, else a name that `session_of` gave."""

    def stand_apart(self) -> None:
        """Take another identity, for a file elsewhere has this one and says something else."""

    def fallback_project(self) -> str: ...

    def session_of(self, message: Message) -> str:
        """The session in this file to which a line belongs; called once for each line, in order."""

    def note(self, facts: Facts, message: Message, position: int) -> None:
        """Learn from a message at that position of its session."""

    def link(self, session: str, facts: Facts) -> ParentLink | None: ...

    def title(self, session: str, facts: Facts) -> str | None:
        """None where the store may derive one from the first prompt."""

    def memory(self) -> dict[str, Any]:
        """What to hand to `remember` before this file is read on from the middle; small, and all JSON."""

    def remember(self, memory: dict[str, Any]) -> None: ...


def project_name(cwd: str, fallback: str) -> str:
    """A name that the store takes, from a path that may hold anything; of one that is too long the end is kept."""
    name = _clean(cwd) or _clean(fallback) or "unknown"
    return name if len(name) <= PROJECT_LIMIT else "…" + name[1 - PROJECT_LIMIT :]


def _clean(name: str) -> str:
    return "".join("\ufffd" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in name).strip()

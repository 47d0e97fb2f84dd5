"""The frozen records that cross the store's boundary, and nothing else does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Message = dict[str, Any]
TitleSource = Literal["derived", "agent", "user"]
Relation = Literal["fork", "subagent", "compaction", "continuation"]
KeptRelation = Relation | Literal["revision"]  # of a row in the trash
ChangeKind = Literal["created", "messages", "renamed", "labelled", "moved", "deleted", "restored", "purged"]
Role = Literal["user", "assistant", "thinking", "tool", "image", "notice"]


@dataclass(frozen=True, slots=True)
class SessionRecord:
    id: UUID
    project: str
    created_at: datetime  # aware, UTC
    updated_at: datetime  # aware, UTC
    parent_id: UUID | None
    title: str
    turns: int
    messages: list[Message] = field(compare=True, repr=False)  # empty where asked for without messages
    title_source: TitleSource = "derived"
    relation: Relation | None = None  # None for a root
    fork_point: int | None = None  # number of leading messages shared with the parent when it was forked
    message_count: int = 0
    version: int = 1  # +1 at each write of messages

    def facts(self) -> dict[str, Any]:
        """All but the messages, as JSON has them: over HTTP, in bundles and on the command line."""
        return {
            "id": str(self.id),
            "project": self.project,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "parent_id": self.parent_id and str(self.parent_id),
            "title": self.title,
            "title_source": self.title_source,
            "turns": self.turns,
            "relation": self.relation,
            "fork_point": self.fork_point,
            "message_count": self.message_count,
            "version": self.version,
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any], messages: list[Message]) -> SessionRecord:
        """The record whose facts these are; further ones are passed by. Raises KeyError, TypeError and ValueError."""
        return cls(
            id=UUID(facts["id"]),
            project=facts["project"],
            created_at=datetime.fromisoformat(facts["created_at"]),
            updated_at=datetime.fromisoformat(facts["updated_at"]),
            parent_id=facts["parent_id"] and UUID(facts["parent_id"]),
            title=facts["title"],
            turns=facts["turns"],
            messages=messages,
            title_source=facts["title_source"],
            relation=facts["relation"],
            fork_point=facts["fork_point"],
            message_count=facts["message_count"],
            version=facts["version"],
        )


@dataclass(frozen=True, slots=True)
class SearchHit:
    id: UUID
    project: str
    title: str
    updated_at: datetime  # aware, UTC
    turns: int
    snippet: str  # about 120 characters of the original text
    position: int | None = None  # 0-based message of the hit; None for a hit in the title
    shared_with: int = 0  # how many other live sessions hold that very message
    role: Role | None = None  # what the message mostly is; None for a hit in the title


@dataclass(frozen=True, slots=True)
class Change:
    """That a session changed. Numbers ascend in the order of the changes, and not always by one."""

    number: int
    session: UUID
    project: str
    kind: ChangeKind  # "labelled": pinned, archived, tagged or no longer; "moved": to another parent or project

    def facts(self) -> dict[str, Any]:
        return {"number": self.number, "session": str(self.session), "project": self.project, "kind": self.kind}

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Change:
        return cls(facts["number"], UUID(facts["session"]), facts["project"], facts["kind"])


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an imported session was written: the identity of a transcript outside of Forklore.

    `source` is the agent ("claude-code", "codex"); `project_key` its own name for the project; `external_id` its
    own id, not always a UUID; `subpath` tells a sub-agent's transcript from its session's and is "" otherwise.
    """

    source: str
    project_key: str
    external_id: str
    subpath: str = ""


@dataclass(frozen=True, slots=True)
class NamedSession:
    """A session that an SDK knows by a name of its own, with what that SDK's adapter keeps of it."""

    origin: Origin
    session: SessionRecord  # without messages
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImportState:
    """How far a transcript has been read, so that it is read again only where it grew.

    `offset` bytes of the file are in the store as `lines` messages of which `unreadable` could not be parsed;
    `digest` is the SHA-256 of those bytes in hex. `detail` belongs to the importer: any JSON object.
    """

    path: str = ""
    size: int = 0  # bytes
    mtime_ns: int = 0
    offset: int = 0  # bytes
    digest: str = ""
    lines: int = 0
    unreadable: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """What an importer has read of one transcript, to be written in one transaction.

    `keep` lines of the transcript stay, counted without what the session shows of its parent; whatever followed them
    is replaced by `messages`. None appends. Fields that are None leave what the session has. A title never replaces one that a person gave.
    """

    project: str
    messages: list[Message]
    state: ImportState
    keep: int | None = None
    title: str | None = None
    turns: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ParentLink:
    """What an imported session says of its parent; legal while the parent is unknown, made true when it arrives.

    `fork_point` is the number of leading messages that the two share, counted in the child (0 for a sub-agent).
    With `prefix_needed` the child's own transcript starts after them, and they are taken from the parent.
    """

    parent: Origin
    relation: Relation
    fork_point: int = 0
    inferred: bool = False
    prefix_needed: bool = False

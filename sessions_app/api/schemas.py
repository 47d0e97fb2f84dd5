"""What goes in and out, as the description of the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema
from pydantic import AfterValidator, AwareDatetime, WithJsonSchema

from sessions_app.cleanup import PolicyAction
from sessions_app.projection import PartKind
from sessions_app.records import ChangeKind, Relation, Role, SearchHit, SessionRecord, TitleSource

# Checked by the store, which names the position of the one that is none; a schema would read every message twice.
Message = Annotated[Any, WithJsonSchema({"type": "object", "description": "Any JSON object; it comes back as it is."})]


def _is_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is a text")
    return value


# As a schema's own texts are, but for lone surrogates, which the store refuses by its own words or keeps.
Text = Annotated[Any, AfterValidator(_is_text), WithJsonSchema({"type": "string"})]
EXAMPLE = {"role": "user", "content": "Mend the cart"}


class Session(Schema):
    id: UUID
    project: str
    created_at: datetime
    updated_at: datetime
    parent_id: UUID | None
    title: str
    title_source: TitleSource
    turns: int
    relation: Relation | None = Field(description="To the parent; null for a root.")
    fork_point: int | None = Field(description="Number of leading messages shared with the parent when it was forked.")
    message_count: int
    version: int = Field(description="1 at first, one more at each write of messages; also the ETag.")
    messages: list[Message] = Field(description="Empty unless asked for.")


class Sessions(Schema):
    sessions: list[Session]
    next: str | None = Field(description="To hand back as `after` for the next page; null after the last.")


class Hit(Schema):
    id: UUID
    project: str
    title: str
    updated_at: datetime
    turns: int
    snippet: str
    position: int | None = Field(description="Of the message that contains it; null for a hit in the title.")
    shared_with: int = Field(description="How many other live sessions hold that very message.")
    role: Role | None


class Hits(Schema):
    hits: list[Hit]


class Messages(Schema):
    messages: list[Message]
    start: int
    message_count: int


class Positions(Schema):
    positions: list[int]


class Change(Schema):
    number: int = Field(description="Ascends in the order of the changes, not always by one.")
    session: UUID
    project: str
    kind: ChangeKind = Field(
        description="labelled: pinned, archived, tagged or no longer; moved: to another parent or project."
    )


class Changes(Schema):
    changes: list[Change]
    until: int = Field(description="To ask with next; it also passes by what the token may not see.")


class Imported(Schema):
    sessions: int
    messages: int
    new: int = Field(description="Of the sessions; the others were there already.")


class Part(Schema):
    """One block of a message, as it was understood."""

    kind: PartKind
    text: str
    tool_name: str
    tool_id: str = Field(description="Pairs a call with its result.")
    arguments: Any
    is_error: bool | None
    media_type: str = Field(description="Of an image, whose data is in the message itself.")
    data: Any = Field(description="What is in no known shape.")


class Shown(Schema):
    position: int
    role: Role
    timestamp: datetime | None
    model: str
    parts: list[Part]


class Transcript(Schema):
    shown: list[Shown]
    next: int | None = Field(description="Where the next window starts; null after the last.")
    message_count: int


class Amount(Schema):
    messages: int
    size_bytes: int
    tokens: int = Field(description="Output tokens that the messages record; 0 where none are recorded.")


class Ledger(Schema):
    inherited: Amount = Field(description="Leading messages that its parent shows too.")
    own: Amount
    family: Amount


class Relative(Schema):
    id: UUID
    parent_id: UUID | None
    relation: Relation | None
    fork_point: int | None
    title: str
    project: str
    message_count: int
    created_at: datetime
    updated_at: datetime
    trashed: bool


class Lineage(Schema):
    root: UUID
    count: int = Field(description="Sessions of the whole tree.")
    sessions: list[Relative] = Field(description="Each after its parent.")


class Compared(Schema):
    id: UUID
    title: str
    project: str
    message_count: int
    own_messages: int = Field(description="Behind the last common message.")
    own_turns: int
    output_tokens: int | None = Field(description="As far as the messages tell; null where none does.")
    tool_calls: int
    errors: int
    files: list[str] = Field(description="That its tools named.")
    first: datetime | None
    last: datetime | None


class ComparedMessage(Schema):
    position: int
    role: str
    text: str
    cut: bool = Field(description="Whether there is more of it.")


class ComparedTurn(Schema):
    number: int = Field(description="Counted from 1, from the beginning of the session.")
    rows: list[list[ComparedMessage | None]] = Field(description="A message of each side, or null where it has none.")
    more: int = Field(description="Messages of the turn that are left out.")


class Comparison(Schema):
    shared: int = Field(
        description="Leading messages that both have, or in which they say the same; the next ones are their own."
    )
    shared_turns: int
    sessions: list[Compared] = Field(description="The two, in the order of the address.")
    counted: int = Field(description="Own messages of each whose tokens, calls, errors and files are counted at most.")
    turns: list[ComparedTurn]
    next: int | None = Field(description="The `start` of the turns that follow; null after the last.")


class Project(Schema):
    name: str
    sessions: int


class Projects(Schema):
    projects: list[Project]


class Problem(Schema):
    """RFC 9457. `error` is the name of the store's own error, where it is one."""

    type: str
    title: str
    status: int
    detail: str
    error: str | None = None


class NewSession(Schema):
    project: Text = Field(examples=["/code/shop"])
    messages: list[Message] = Field(default=[], examples=[[EXAMPLE]])
    agent: Text = Field("", description="What wrote it; at most 40 characters.")


class Whole(Schema):
    """A session as it is to be written, with its id and times."""

    id: UUID
    project: Text
    created_at: AwareDatetime
    updated_at: AwareDatetime
    parent_id: UUID | None = None
    title: Text
    title_source: TitleSource = "derived"
    turns: int = 0
    relation: Relation | None = None
    fork_point: int | None = None
    version: int = 1
    messages: list[Message]
    agent: Text = ""


class Put(Schema):
    written: bool = Field(description="False where the session was there already.")


class AllMessages(Schema):
    messages: list[Message] = Field(examples=[[EXAMPLE]])
    turns: int = Field(ge=0, examples=[1])


class FurtherMessages(Schema):
    messages: list[Message] = Field(examples=[[EXAMPLE]])
    turns: int | None = Field(None, ge=0, description="Of the session from now on; stays unless given.")
    turns_added: int = Field(0, ge=0)


class Kept(Schema):
    count: int = Field(description="Leading messages that stay.")
    turns: int | None = Field(None, ge=0)


class Fork(Schema):
    """Either `position`, or `messages` and `turns`."""

    position: int | None = Field(None, examples=[12])
    messages: list[Message] | None = None
    turns: int = Field(0, ge=0)
    project: Text | None = Field(None, description="The parent's unless given.")


class Place(Schema):
    parent_id: UUID | None = Field(description="null for a root.")
    relation: Relation = "fork"


class Changed(Schema):
    """What is given changes."""

    title: Text | None = None
    title_source: Literal["user", "agent"] = "user"
    pinned: bool | None = None
    archived: bool | None = None
    tags: list[Text] | None = Field(None, description="All tags from now on.")


class Tags(Schema):
    tags: list[str]


class Tag(Schema):
    name: Text


class Find(Schema):
    query: Text


class Search(Find):
    limit: int = Field(20, ge=0, le=1000)
    filters: Text = ""
    distinct: Literal["session", "message"] = "session"


class Written(Schema):
    written: int = Field(ge=0, description="Messages that came in.")


class Name(Schema):
    """An SDK's own name of a session."""

    source: str = Field(min_length=1, max_length=40, examples=["openai-agents"])
    project_key: Text
    external_id: Text
    subpath: Text = ""


class Link(Schema):
    parent: Name
    relation: Relation
    fork_point: int = 0
    inferred: bool = False
    prefix_needed: bool = False


class OpenNamed(Schema):
    name: Name
    project: Text
    messages: list[Message] = []
    turns: int = Field(0, ge=0)
    agent: Text = ""
    link: Link | None = None


class ForkNamed(Schema):
    name: Name
    parent: UUID
    position: int | None = None


class Detail(Schema):
    name: Name
    detail: dict[str, Any]


class Opened(Schema):
    session: Session
    created: bool


class Named(Schema):
    name: Name
    session: Session
    detail: dict[str, Any]


class AllNamed(Schema):
    named: list[Named]


def session(record: SessionRecord) -> dict[str, Any]:
    return {**record.facts(), "messages": record.messages}


def hit(found: SearchHit) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "project": found.project,
        "title": found.title,
        "updated_at": found.updated_at.isoformat(),
        "turns": found.turns,
        "snippet": found.snippet,
        "position": found.position,
        "shared_with": found.shared_with,
        "role": found.role,
    }


class CleanupPolicy(Schema):
    policy: str | None = Field(None, description="The name of a saved one; else give query and action.")
    query: str | None = Field(None, description="Words such as before:90d is:archived -tag:keep.")
    action: PolicyAction = "trash"


class JournalEntry(Schema):
    number: int
    action: str
    moment: datetime
    actor: str
    policy: str
    query: str
    value: str = Field(description="The tag, project or title.")
    state: Literal["planning", "running", "done", "undoing", "undone", "kept"]
    sessions: int
    freed_bytes: int


class KeptSession(Schema):
    id: UUID
    reason: str


class Preview(Schema):
    count: int
    sessions: list[UUID] = Field(description="The newest thousand of them.")
    freed_bytes: int = Field(
        description="Bytes of messages that come free once they are purged, or that packing saves."
    )
    measured_bytes: int | None = Field(
        description="Bytes of messages by which it is estimated what packing saves; null where that was measured."
    )
    kept: dict[str, int] = Field(description="How many fit and are kept, by the reason.")
    kept_sessions: list[KeptSession]
    last: JournalEntry | None = Field(description="The last run of the policy.")
    again: int = Field(description="How many of the sessions that run took too.")


class Undo(Schema):
    number: int | None = Field(None, description="Of an entry; null for the last one.")


class Journal(Schema):
    entries: list[JournalEntry]

"""What the demo set is made of, and how it comes into the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sessions_app import store
from sessions_app.demo.conversation import Conversation
from sessions_app.records import ImportBatch, ImportState, Origin, ParentLink, Relation


@dataclass(frozen=True, slots=True)
class Planned:
    """A session of the demo. A fork's conversation is only what comes after the messages it shares."""

    name: str
    conversation: Conversation
    parent: str = ""  # the name of another planned session, one that stands before this one
    relation: Relation = "fork"
    fork_point: int = 0
    agent_id: str = ""  # of a sub-agent
    title: str = ""  # as a person gave it
    pinned: bool = False
    tags: tuple[str, ...] = ()


def load(planned: list[Planned], now: datetime) -> None:
    """Writes the sessions with the times that they would have now. Each call writes a set of its own."""
    run = uuid4().hex[:8]
    origins = {each.name: _origin(each, run) for each in planned}
    prompts: dict[str, list[int]] = {}
    for each in planned:
        prompts[each.name] = _prompts(each, prompts)
        batch = _batch(each, len(prompts[each.name]), now)
        record = store.import_batch(origins[each.name], batch, agent=each.conversation.agent)
        if each.parent:
            is_continued = each.relation == "fork"
            store.link_parent(
                origins[each.name],
                ParentLink(origins[each.parent], each.relation, each.fork_point, prefix_needed=is_continued),
            )
        if each.title:
            store.rename(record.id, each.title)
        if each.pinned:
            store.pin(record.id)
        for tag in each.tags:
            store.tag(record.id, tag)


def _origin(each: Planned, run: str) -> Origin:
    subpath = f"subagents/agent-{each.agent_id}.jsonl" if each.agent_id else ""
    return Origin("demo", each.conversation.cwd, f"{run}-{each.name}", subpath)


def _prompts(each: Planned, known: dict[str, list[int]]) -> list[int]:
    """Positions of what people typed, the shared messages of a fork included."""
    shared = [place for place in known.get(each.parent, []) if each.relation == "fork" and place < each.fork_point]
    return shared + [each.fork_point + place for place in each.conversation.prompts]


def _batch(each: Planned, turns: int, now: datetime) -> ImportBatch:
    talk = each.conversation.starting(now)
    return ImportBatch(
        project=talk.cwd,
        messages=talk.messages,
        state=ImportState(lines=len(talk.messages)),
        title=talk.title or None,
        turns=turns,
        created_at=talk.begun,
        updated_at=talk.ended,
    )

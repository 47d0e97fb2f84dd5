"""Codex's rollouts: ~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl, and archived_sessions/.

A fork of today points into its parent's file (history_base) and goes on from there; an older one copied its parent's
lines. Sub-agents have rollouts of their own, which name their parent.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from sessions_app.integrations import files
from sessions_app.integrations.files import Candidate
from sessions_app.integrations.transcripts import Facts
from sessions_app.projection.values import count_of, dict_of, text_of
from sessions_app.records import Message, Origin, ParentLink, Relation

SOURCE = "codex"

_TYPES = frozenset(
    (
        "session_meta",
        "response_item",
        "event_msg",
        "turn_context",
        "compacted",
        "world_state",
        "token_usage_record",
        "inter_agent_communication",
        "inter_agent_communication_metadata",
    )
)
_FOLDERS = ("sessions", "archived_sessions")
_INDEX_LIMIT = 64 * 1024 * 1024  # bytes of session_index.jsonl


def recognises(message: Message) -> bool:
    return text_of(message.get("type")) in _TYPES and isinstance(message.get("payload"), dict)


class CodexTranscript:
    agent: ClassVar[str] = SOURCE

    def __init__(self, candidate: Candidate, first: list[Message]):
        metas = [dict_of(message.get("payload")) for message in first if message.get("type") == "session_meta"]
        self._path = candidate.path
        self._id = (text_of(metas[0].get("id")) or text_of(metas[0].get("session_id"))) if metas else ""
        self._id = self._id or self._path.stem
        self._project_key = ""  # ids are unique by themselves
        self._names = thread_names(_home(self._path))

    def origin(self, session: str) -> Origin:
        return Origin(SOURCE, self._project_key, self._id)

    def stand_apart(self) -> None:
        self._project_key = str(self._path.parent)

    def fallback_project(self) -> str:
        # The folders of rollouts are days.
        return SOURCE if self._path.parent.name.isdigit() else self._path.parent.name

    def session_of(self, message: Message) -> str:
        return ""

    def note(self, facts: Facts, message: Message, position: int) -> None:
        payload = dict_of(message.get("payload"))
        if not facts.cwd and message.get("type") in ("session_meta", "turn_context"):
            facts.cwd = text_of(payload.get("cwd"))
        if message.get("type") == "session_meta":
            self._note_meta(facts, payload)
        elif payload.get("type") == "thread_name_updated":
            facts.title = text_of(payload.get("thread_name")).strip() or facts.title

    def link(self, session: str, facts: Facts) -> ParentLink | None:
        detail = facts.detail
        forked_from, spawned_by = detail.get("forked_from"), detail.get("spawned_by")
        parent = forked_from or spawned_by
        if not parent:
            return None
        origin = Origin(SOURCE, "", parent)
        relation: Relation = "subagent" if spawned_by else "fork"
        if base := detail.get("base"):
            return ParentLink(Origin(SOURCE, "", base["thread"]), relation, base["messages"], prefix_needed=True)
        return ParentLink(origin, relation)

    def title(self, session: str, facts: Facts) -> str | None:
        return self._names.get(self._id) or facts.title or None

    def memory(self) -> dict[str, Any]:
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        pass

    def _note_meta(self, facts: Facts, meta: dict[str, Any]) -> None:
        detail = facts.detail
        detail["metas"] = detail.get("metas", 0) + 1
        if detail["metas"] > 1:  # a copy of the parent's, in an older fork
            return
        if forked_from := text_of(meta.get("forked_from_id")):
            detail["forked_from"] = forked_from
        if spawned_by := _spawned_by(meta):
            detail["spawned_by"] = spawned_by
        if base := _base(meta):
            detail["base"] = base


def copied_lines(child: Iterable[Message], parent: Iterable[Message]) -> int:
    """How many leading messages an older fork took over: its own session_meta, and what it copied after that."""
    own = iter(child)
    copied = 1 if next(own, None) else 0
    for one, other in zip(own, parent, strict=False):
        if one.get("type") != other.get("type") or one.get("payload") != other.get("payload"):
            break
        copied += 1
    return copied if copied > 1 else 0


@lru_cache(maxsize=8)
def _names_at(home: Path, stamp: tuple[int, ...]) -> dict[str, str]:
    return {**_names_in_index(home), **_names_in_database(home)}


def thread_names(home: Path | None) -> dict[str, str]:
    """The names that threads were given, by id; {} where Codex keeps none beside its sessions.

    A title that only repeats the first prompt is none: the store derives its own.
    """
    if home is None:
        return {}
    return _names_at(home, tuple(_stamps(home)))


def _stamps(home: Path) -> Iterator[int]:
    for path in (home / "session_index.jsonl", *sorted(home.glob("state_*.sqlite"))):
        if path.is_file():
            yield path.stat().st_mtime_ns


def _home(path: Path) -> Path | None:
    return next((parent.parent for parent in path.parents if parent.name in _FOLDERS), None)


def _names_in_index(home: Path) -> dict[str, str]:
    names = {}
    try:
        with files.open_beneath(Candidate(home, "session_index.jsonl", 0)) as file:
            lines = file.read(_INDEX_LIMIT).splitlines()
    except files.CannotRead:
        return {}
    for line in lines:
        try:
            entry = dict_of(json.loads(line))
        except (ValueError, RecursionError):
            continue
        if text_of(entry.get("id")) and text_of(entry.get("thread_name")).strip():
            names[entry["id"]] = entry["thread_name"]  # the last one counts
    return names


def _names_in_database(home: Path) -> dict[str, str]:
    databases = [path for path in home.glob("state_*.sqlite") if path.is_file() and not path.is_symlink()]
    if not databases:
        return {}
    newest = max(databases, key=lambda path: (len(path.name), path.name))  # state_10 is newer than state_5
    try:
        # Immutable: not even a lock is taken on a database that Codex may be using.
        address = f"file:{quote(str(newest))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            rows = connection.execute("SELECT * FROM threads")
            columns = [column[0] for column in rows.description]
            named = [_name(dict(zip(columns, row, strict=True))) for row in rows]
    except (sqlite3.Error, OSError):
        return {}
    return {id: name for id, name in named if id and name}


def _name(thread: dict[str, Any]) -> tuple[str, str]:
    title = text_of(thread.get("title")).strip()
    if title == text_of(thread.get("first_user_message")).strip():
        title = ""
    return text_of(thread.get("id")), text_of(thread.get("name")).strip() or title


def _spawned_by(meta: dict[str, Any]) -> str:
    spawn = dict_of(dict_of(dict_of(meta.get("source")).get("subagent")).get("thread_spawn"))
    return text_of(spawn.get("parent_thread_id")) or text_of(meta.get("parent_thread_id"))


def _base(meta: dict[str, Any]) -> dict[str, Any] | None:
    """The thread that a rollout goes on from, and after how many of its lines: Codex numbers lines from 0."""
    base = dict_of(meta.get("history_base"))
    thread = text_of(base.get("thread_id")) or text_of(meta.get("forked_from_id"))
    messages = count_of(base.get("end_ordinal_exclusive"))
    if messages is None:
        messages = count_of(meta.get("forked_from_ordinal_exclusive"))
    return {"thread": thread, "messages": messages} if thread and messages else None

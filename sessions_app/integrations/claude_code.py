"""Claude Code's transcripts: ~/.claude/projects/<slug>/<session>.jsonl and those of its sub-agents.

A session's file may hold older sub-agents inline (isSidechain), newer ones have files of their own beside it. A fork
by the SDK points at its parent (forkedFrom); one by `--resume X --fork-session` has no pointer, but lines with the
uuids of its parent's, by which importing.py finds it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from sessions_app.integrations import files
from sessions_app.integrations.files import Candidate
from sessions_app.integrations.transcripts import Facts
from sessions_app.projection.values import dict_of, text_of
from sessions_app.records import Message, Origin, ParentLink

SOURCE = "claude-code"

_TYPES = frozenset(
    (
        "user",
        "assistant",
        "system",
        "attachment",
        "progress",
        "summary",
        "custom-title",
        "ai-title",
        "agent-name",
        "tag",
        "last-prompt",
        "queue-operation",
        "file-history-snapshot",
        "permission-mode",
        "pr-link",
        "content-replacement",
    )
)
_TITLES = {"custom-title": ("customTitle", 3), "ai-title": ("aiTitle", 2), "summary": ("summary", 1)}  # and their rank
_RECENT = 512  # uuids of lines that later ones may point at; parallel sub-agents write in turns
_SUMMARIES = 200  # of other lines' uuids, which wait for that line
_LOCAL_COMMANDS = frozenset(("/clear", "/model", "/exit", "/login", "/config", "/resume", "/compact", "/help", "/mcp"))
_COMMAND_LENGTH = 120  # characters
_META_LIMIT = 64 * 1024  # bytes of a sub-agent's .meta.json


def recognises(message: Message) -> bool:
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _TYPES or "payload" in message:
        return False
    if kind in ("user", "assistant"):
        return "message" in message
    return kind not in ("system", "attachment", "progress") or "sessionId" in message or kind in message


class ClaudeCodeTranscript:
    agent: ClassVar[str] = SOURCE

    def __init__(self, candidate: Candidate, first: list[Message]):
        path = candidate.path
        self._session = _first_text(first, "sessionId")
        self._project_key, self._external_id, self._subpath = _identity(path, self._session, first)
        self._folder = path.parent
        self._inline = not self._subpath
        self._meta = _meta(candidate) if self._subpath else {}
        self._chains: OrderedDict[str, str] = OrderedDict()  # uuid of a recent line -> sub-agent, "" for none
        self._last_chain = ""

    def origin(self, session: str) -> Origin:
        return Origin(SOURCE, self._project_key, self._external_id, session or self._subpath)

    def stand_apart(self) -> None:
        self._project_key = str(self._folder)

    def fallback_project(self) -> str:
        return self._folder.name if self._inline else Path(self._project_key).name

    def session_of(self, message: Message) -> str:
        uuid = text_of(message.get("uuid"))
        session = self._chain(message, uuid) if self._inline and message.get("isSidechain") is True else ""
        if uuid:
            self._chains[uuid] = session
            self._chains.move_to_end(uuid)
            if len(self._chains) > _RECENT:
                self._chains.popitem(last=False)
        return session

    def note(self, facts: Facts, message: Message, position: int) -> None:
        facts.cwd = facts.cwd or text_of(message.get("cwd"))
        uuid = text_of(message.get("uuid"))
        if uuid:
            facts.detail.setdefault("uuid", uuid if _is_uuid(uuid) else "")
            self._note_awaited_summary(facts, uuid)
        if not facts.turns and "command" not in facts.detail:
            self._note_command(facts, message)
        if text_of(message.get("type")) in _TITLES:
            self._note_title(facts, message)
        forked_from = dict_of(message.get("forkedFrom"))
        if parent := text_of(forked_from.get("sessionId")):
            # What the fork took over stands before what is its own: the last line with the pointer ends it.
            facts.detail.setdefault("forked_from", parent)
            facts.detail["shared"] = position + 1

    def link(self, session: str, facts: Facts) -> ParentLink | None:
        if session or self._subpath:
            return ParentLink(self._parent_of_subagent(), "subagent")
        if parent := text_of(facts.detail.get("forked_from")):
            origin = Origin(SOURCE, self._project_key, parent)
            return ParentLink(origin, "fork", facts.detail["shared"])
        return None

    def title(self, session: str, facts: Facts) -> str | None:
        if facts.title:
            return facts.title
        if not session and text_of(self._meta.get("description")):
            return self._meta["description"]
        # Many sessions hold nothing typed but a slash command with its arguments.
        return facts.detail.get("command") if not facts.turns else None

    def memory(self) -> dict[str, Any]:
        # A file without inline sub-agents needs to remember the last lines only for summaries that point at them.
        recent = list(self._chains.items())
        if not any(self._chains.values()):
            recent = recent[-8:]
        return {"chains": recent, "last_chain": self._last_chain}

    def remember(self, memory: dict[str, Any]) -> None:
        self._chains = OrderedDict(memory["chains"])
        self._last_chain = memory["last_chain"]

    def _chain(self, message: Message, uuid: str) -> str:
        """Which inline sub-agent a line belongs to: that of the line before it in its chain, or a new one."""
        if agent := text_of(message.get("agentId")):
            return f"subagents/agent-{agent}"
        parent = message.get("parentUuid")
        session = self._chains.get(parent, "") if isinstance(parent, str) else f"subagents/{uuid or 'unnamed'}"
        self._last_chain = session or self._last_chain or f"subagents/{uuid or 'unnamed'}"
        return self._last_chain

    def _note_title(self, facts: Facts, message: Message) -> None:
        key, rank = _TITLES[message["type"]]
        title = text_of(message.get(key)).strip()
        if message["type"] == "summary":
            leaf = text_of(message.get("leafUuid"))
            if leaf not in self._chains:  # of a line to come, or of another file
                summaries = facts.detail.setdefault("summaries", {})
                if len(summaries) < _SUMMARIES:
                    summaries[leaf] = title
                return
        _take_title(facts, title, rank)

    def _note_awaited_summary(self, facts: Facts, uuid: str) -> None:
        if uuid in facts.detail.get("summaries", ()):
            _take_title(facts, facts.detail["summaries"].pop(uuid), _TITLES["summary"][1])

    def _note_command(self, facts: Facts, message: Message) -> None:
        content = dict_of(message.get("message")).get("content")
        if isinstance(content, list) and content:
            content = dict_of(content[0]).get("text")
        name = _between(text_of(content), "<command-name>", "</command-name>")
        if name and name not in _LOCAL_COMMANDS:
            arguments = _between(text_of(content), "<command-args>", "</command-args>")
            facts.detail["command"] = f"{name} {arguments}".strip()[:_COMMAND_LENGTH]

    def _parent_of_subagent(self) -> Origin:
        if not self._subpath:
            return self.origin("")
        agent = text_of(self._meta.get("parentAgentId"))
        folder = self._subpath.rpartition("/")[0]
        return Origin(SOURCE, self._project_key, self._external_id, f"{folder}/agent-{agent}" if agent else "")


def shared_lines(child: Iterable[Message], parent: Iterable[Message]) -> int:
    """How many leading messages of a fork stand in its parent too, by their uuids; lines without one go along."""
    uuids = (message.get("uuid") for message in parent)
    shared = 0
    for position, message in enumerate(child):
        uuid = message.get("uuid")
        if not isinstance(uuid, str):
            continue
        if uuid not in uuids:  # reads the parent on, up to that line or to its end
            break
        shared = position + 1
    return shared


def _identity(path: Path, session: str, first: list[Message]) -> tuple[str, str, str]:
    """Project key, external id and subpath, as Claude Code's own SDK names them."""
    parts = path.parts
    if "subagents" in parts[:-1]:
        index = len(parts) - 2 - parts[-2::-1].index("subagents")
        return parts[index - 2], parts[index - 1], "/".join(parts[index:]).removesuffix(files.SUFFIX)
    if session and path.stem != session and (path.stem.startswith("agent-") or _starts_aside(first)):
        return path.parent.name, session, f"subagents/{path.stem}"
    return path.parent.name, path.stem, ""


def _starts_aside(first: list[Message]) -> bool:
    return next((message["isSidechain"] is True for message in first if "isSidechain" in message), False)


def _first_text(messages: list[Message], key: str) -> str:
    return next((message[key] for message in messages if isinstance(message.get(key), str)), "")


def _meta(candidate: Candidate) -> dict[str, Any]:
    """What stands beside a sub-agent's transcript in agent-<id>.meta.json; {} where nothing does."""
    relative = candidate.relative.removesuffix(files.SUFFIX) + ".meta.json"
    try:
        with files.open_beneath(Candidate(candidate.root, relative, 0)) as file:
            return dict_of(json.loads(file.read(_META_LIMIT)))
    except (files.CannotRead, ValueError, RecursionError):
        return {}


def _is_uuid(text: str) -> bool:
    try:
        return len(text) == 36 and bool(UUID(text))
    except ValueError:
        return False


def _between(text: str, start: str, stop: str) -> str:
    inner, found, _ = text.partition(start)[2].partition(stop)
    return inner.strip() if found else ""


def _take_title(facts: Facts, title: str, rank: int) -> None:
    """The last one of the highest rank counts."""
    if title and rank >= facts.detail.get("title_rank", 0):
        facts.title, facts.detail["title_rank"] = title, rank

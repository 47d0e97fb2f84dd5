"""Reads the lines of Claude Code's transcripts (FORMATS: one content block a line, and metadata lines between)."""

from __future__ import annotations

from typing import Any

from sessions_app.projection.content import content_parts, wrapper_name
from sessions_app.projection.messages import Message, label_of, message_parts, projected, role_of
from sessions_app.projection.parts import Part, Projection
from sessions_app.projection.values import dict_of, text_of, unknown, without, words_of

# Metadata lines, and under which keys their text stands; those without one are settings that nobody looks for.
_TEXT_KEYS = {
    "summary": ("summary",),
    "custom-title": ("customTitle",),
    "ai-title": ("aiTitle",),
    "agent-name": ("agentName",),
    "tag": ("tag",),
    "last-prompt": ("lastPrompt",),
    "queue-operation": ("content",),
    "pr-link": ("prUrl", "prRepository"),
    "file-history-snapshot": (),
    "permission-mode": (),
    "agent-color": (),
    "agent-setting": (),
    "mode": (),
}
_ENVELOPE = frozenset(
    (
        "type",
        "subtype",
        "uuid",
        "parentUuid",
        "logicalParentUuid",
        "isSidechain",
        "isMeta",
        "userType",
        "entrypoint",
        "cwd",
        "sessionId",
        "sessionKind",
        "agentId",
        "version",
        "gitBranch",
        "slug",
        "timestamp",
        "requestId",
        "toolUseID",
        "parentToolUseID",
        "level",
        "forkedFrom",
    )
)


def is_line(message: Message) -> bool:
    """Whether this may be a line of Claude Code: a typed object with a message, or with what its other lines hold."""
    kind = message.get("type")
    if not isinstance(kind, str):
        return False
    return (
        "message" in message
        or kind in _TEXT_KEYS
        or "sessionId" in message
        or "parentUuid" in message
        or (kind == "attachment" and "attachment" in message)
    )


def line_projection(line: Message) -> Projection:
    if isinstance(line.get("message"), dict):
        return _conversation(line, line["message"])
    kind = line["type"]
    if kind == "attachment":
        return _attachment(line, dict_of(line.get("attachment")))
    if kind in _TEXT_KEYS:
        parts = [part for key in _TEXT_KEYS[kind] for part in _notices(line.get(key))]
        return _notice(line, words_of(kind), parts)
    if kind == "system":
        return _system(line)
    return _notice(line, words_of(kind), unknown(without(line, _ENVELOPE)))


def _conversation(line: Message, message: Message) -> Projection:
    kind = line["type"]
    role = role_of(message) or (kind if kind in ("user", "assistant") else "")
    parts = message_parts(message, role)
    meta = line.get("isMeta") is True or line.get("isCompactSummary") is True
    if not meta:
        return projected(parts, role, label_of(message, role, parts), line.get("timestamp"), message)
    label = "summary so far" if line.get("isCompactSummary") is True else "note of the program"
    parts = [Part("notice", part.text) if part.kind == "text" else part for part in parts]
    return projected(parts, role, label, line.get("timestamp"), message, meta=True)


def _attachment(line: Message, attachment: Message) -> Projection:
    if attachment.get("type") == "queued_command":
        # Typed while the agent was working; no other line holds it.
        prompt = attachment.get("prompt")
        typed = attachment.get("commandMode") in (None, "prompt")
        parts = content_parts(prompt, "user") if typed else _notices(prompt)
        return projected(parts, "user", wrapper_name(prompt) or "queued command", line.get("timestamp"), meta=not typed)
    label = f"attachment: {words_of(attachment.get('type'))}".removesuffix(": ")
    return _notice(line, label, unknown(without(attachment, frozenset(("type",)))))


def _system(line: Message) -> Projection:
    label = f"system: {words_of(line.get('subtype'))}".removesuffix(": ")
    parts = _notices(line.get("content")) or unknown(without(line, _ENVELOPE))
    return _notice(line, label, parts)


def _notices(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [Part("notice", content)] if content else []
    return [Part("notice", part.text) if part.kind == "text" else part for part in content_parts(content, "")]


def _notice(line: Message, label: str, parts: list[Part]) -> Projection:
    if mode := text_of(line.get("permissionMode")):
        label = f"{label}: {mode}"
    return projected(parts, "", label, line.get("timestamp"), meta=True)

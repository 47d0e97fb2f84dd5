"""Reads from a raw message what people and search need; the message itself is never changed.

Pure functions of one message: they raise for no JSON object, take time linear in its size and do not recurse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessions_app.projection import claude_code, codex, frameworks, messages
from sessions_app.projection.leaves import leaves
from sessions_app.projection.parts import UNREADABLE, Kind, Part, PartKind, Projection
from sessions_app.projection.values import text_of, unknown

__all__ = ("UNREADABLE", "Kind", "Part", "PartKind", "Projection", "project", "prompt_text", "search_texts", "texts_in")


def project(message: dict[str, Any]) -> Projection:
    """What a message says, in whichever of the known shapes; one part of kind "json" for any other."""
    if frameworks.is_message(message):
        return frameworks.message_projection(message)
    if isinstance(message.get("role"), str):
        return messages.message_projection(message)
    if codex.is_line(message):
        return codex.line_projection(message)
    if messages.is_item(message):
        return messages.item_projection(message)
    if claude_code.is_line(message):
        return claude_code.line_projection(message)
    if isinstance(message.get(UNREADABLE), dict):
        return _unreadable(message[UNREADABLE])
    return messages.projected(unknown(message))


def search_texts(message: dict[str, Any]) -> tuple[str, ...]:
    """The strings in which search looks, each by itself: all texts, no JSON keys, no ids, no base64 data.

    Lines of settings that a tool repeats in every session (Codex's turn_context, Claude Code's permission-mode) have
    none, and neither has what a transcript only keeps for its program, such as Claude Code's toolUseResult.
    """
    return _texts_of(_parts(message))


def texts_in(projection: Projection) -> tuple[str, ...]:
    """What search_texts says of the message that was projected."""
    return _texts_of(projection.parts)


def _parts(message: dict[str, Any]) -> Sequence[Part]:
    """Those of its projection; what else that tells takes longer than they do."""
    if isinstance(message.get("role"), str) and not frameworks.is_message(message):
        return messages.all_parts(message, messages.role_of(message))
    return project(message).parts


def _texts_of(parts: Sequence[Part]) -> tuple[str, ...]:
    found = []
    for part in parts:
        if part.text:
            found.append(part.text)
        if part.tool_name:
            found.append(part.tool_name)
        if part.arguments is not None:
            found.extend(leaves(part.arguments))
        if part.data is not None:
            found.extend(leaves(part.data))
    return tuple(found)


def prompt_text(message: dict[str, Any]) -> str | None:
    """What a person typed, or None: wrappers, slash-command echoes, tool results and blanks are passed over."""
    projection = project(message)
    if projection.kind != Kind.PROMPT:
        return None
    return "\n".join(part.text for part in projection.parts if part.kind == "text").strip()


def _unreadable(line: dict[str, Any]) -> Projection:
    text = text_of(line.get("text")) or text_of(line.get("why"))
    return Projection("", Kind.UNREADABLE, (Part("unreadable", text),))

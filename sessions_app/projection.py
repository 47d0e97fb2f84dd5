"""Reads from a raw message what people and search need; the message itself is never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

PartKind = Literal["text", "thinking", "tool_call", "tool_result", "image", "notice", "json", "unreadable"]


@dataclass(frozen=True, slots=True)
class Part:
    """One block of a message, in reading order."""

    kind: PartKind
    text: str = ""  # what is read; "" for an image
    tool_name: str = ""
    tool_id: str = ""  # pairs a call with its result; never searched
    arguments: Any = None  # of a tool call: the decoded JSON, or the string where it is none
    is_error: bool | None = None  # of a tool result, where recorded
    media_type: str = ""  # of an image
    image: str = ""  # of an image: base64 data, or "" where only an address is known (then text holds it)
    data: Any = None  # kind "json": the unknown value


@dataclass(frozen=True, slots=True)
class Projection:
    role: str  # "user", "assistant", "system", "tool", or "" where none is known
    kind: int  # a models.Kind value: PROMPT only for what a person typed, not for wrappers or tool results
    parts: tuple[Part, ...]
    timestamp: datetime | None = None  # aware
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    label: str = ""  # of a notice: its type in words, such as "file history snapshot"


# Messages are JSON objects under this key where a line of a transcript could not be read:
# {"forklore:unreadable": {"line": 12, "why": "…", "text": "…"}} or "base64" instead of "text" for bytes that are no UTF-8.
UNREADABLE = "forklore:unreadable"


def project(message: dict[str, Any]) -> Projection:
    raise NotImplementedError


def search_texts(message: dict[str, Any]) -> tuple[str, ...]:
    """The strings in which search looks, each by itself: all texts, no JSON keys, no ids, no base64 data."""
    raise NotImplementedError


def prompt_text(message: dict[str, Any]) -> str | None:
    """What a person typed, or None: wrappers, slash-command echoes, tool results and blanks are passed over."""
    raise NotImplementedError

"""What a projection is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal, NamedTuple

PartKind = Literal["text", "thinking", "tool_call", "tool_result", "image", "notice", "json", "unreadable"]

# Messages are JSON objects under this key where a line of a transcript could not be read:
# {"forklore:unreadable": {"line": 12, "why": "…", "text": "…"}} or "base64" instead of "text" for bytes that are no UTF-8.
UNREADABLE = "forklore:unreadable"


class Kind(IntEnum):
    """What a message mostly is. The numbers stand in databases: never change one."""

    OTHER = 0
    PROMPT = 1  # exactly where prompt_text() finds something
    ANSWER = 2
    THINKING = 3
    TOOL_CALL = 4
    TOOL_RESULT = 5
    IMAGE = 6
    NOTICE = 7
    UNREADABLE = 8


class Part(NamedTuple):  # made in a third of a frozen dataclass's time, for every message that is written or searched
    """One block of a message, in reading order."""

    kind: PartKind
    text: str = ""  # what is read; "" for an image, and for thinking that is encrypted
    tool_name: str = ""
    tool_id: str = ""  # pairs a call with its result; never searched
    arguments: Any = None  # of a tool call: the decoded JSON, or the string where it is none
    is_error: bool | None = None  # of a tool result, where recorded
    media_type: str = ""  # of an image
    image: str = ""  # of an image: base64 data, or "" where only an address is known (then text holds it)
    data: Any = None  # kind "json": the unknown value; kind "tool_result": what of it is neither text nor image


@dataclass(frozen=True, slots=True)
class Projection:
    role: str  # "user", "assistant", "system", "tool", or "" where none is known
    kind: Kind  # PROMPT only for what a person typed, not for wrappers or tool results
    parts: tuple[Part, ...]  # empty for a line of settings or counts, of which `label` says all that is read
    timestamp: datetime | None = None  # aware
    model: str = ""
    input_tokens: int | None = None  # cached ones included
    output_tokens: int | None = None
    label: str = ""  # of a notice: its type in words, such as "file history snapshot"
    response: str = ""  # of which the tokens are told; the messages of one response tell the same ones again

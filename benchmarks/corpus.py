"""Messages as agents write them, the same at every run: prompts, answers, calls and outputs, about 1.9 KB each."""

from __future__ import annotations

import random
from typing import Any

WORDS = (
    "session store fork parent message turn title project search index database transaction commit append update "
    "rename delete restore lineage piece strand digest body prefix window page row lock write read test assert "
    "fixture socket thread loop await async def class return import from with self value error trace stack line file "
    "path branch merge review patch retry limit budget token cache queue worker signal timeout migrate schema query"
).split()


def a_message(number: int) -> dict[str, Any]:
    """The message with that number: a user's prompt, then an answer with a call, then its output, and so on."""
    text = random.Random(number)
    role = ("user", "assistant", "tool")[number % 3]
    message: dict[str, Any] = {"id": f"{number:032x}", "role": role, "content": _prose(text, role)}
    if role == "assistant":
        message["tool_calls"] = [{"id": f"call_{number}", "name": "shell", "args": {"command": _words(text, 6)}}]
    if role == "tool":
        message["tool_call_id"] = f"call_{number - 1}"
    return message


def messages(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [a_message(number) for number in range(first, first + count)]


def _prose(text: random.Random, role: str) -> str:
    lines = {"user": 6, "assistant": 24, "tool": 48}[role]
    return "\n".join(_words(text, 12) for _ in range(lines))


def _words(text: random.Random, count: int) -> str:
    return " ".join(text.choices(WORDS, k=count))

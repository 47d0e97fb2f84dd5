"""Reads messages of pydantic-ai, of Microsoft's agent-framework and of Google's ADK, as their own JSON has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from sessions_app.projection.content import block_parts, call_part, image_part, result_parts, text_parts
from sessions_app.projection.messages import projected, role_of
from sessions_app.projection.parts import Part, PartKind, Projection
from sessions_app.projection.values import dict_of, text_of, unknown, without

Message = dict[str, Any]

_MARKS = frozenset(("parts", "contents", "author", "actions"))  # of which one of theirs has one, at least


def is_message(message: Message) -> bool:
    if _MARKS.isdisjoint(message):
        return False
    return _is_of_pydantic_ai(message) or _is_of_agent_framework(message) or _is_of_adk(message)


def message_projection(message: Message) -> Projection:
    if _is_of_adk(message):
        return _of_adk(message)
    return _of_pydantic_ai(message) if _is_of_pydantic_ai(message) else _of_agent_framework(message)


# pydantic-ai: a request or a response with parts; https://ai.pydantic.dev/message-history/


def _is_of_pydantic_ai(message: Message) -> bool:
    return isinstance(message.get("parts"), list) and message.get("kind") in ("request", "response")


def _of_pydantic_ai(message: Message) -> Projection:
    kinds = {text_of(part.get("part_kind")) for part in message["parts"] if isinstance(part, dict)}
    role = "assistant" if message["kind"] == "response" else _asking_role(kinds)
    parts = [found for part in message["parts"] for found in _part(part)]
    # Instructions, ids and settings come with every message again and are nothing that was said.
    parts += unknown(without(message, _MESSAGE_KEYS))
    source = {"model": message.get("model_name"), "usage": message.get("usage")}
    return projected(parts, role, "system message" if role == "system" else "", message.get("timestamp"), source)


def _asking_role(kinds: set[str]) -> str:
    if "user-prompt" in kinds:
        return "user"
    return "tool" if kinds & {"tool-return", "retry-prompt"} else "system"


def _part(part: Any) -> list[Part]:
    if isinstance(part, dict) and (reader := _PARTS.get(text_of(part.get("part_kind")))):
        return reader(part)
    return unknown(part)


def _prompt(part: Message) -> list[Part]:
    content = part.get("content")
    found = []
    for item in content if isinstance(content, list) else [content]:
        found += text_parts(item, "user") if isinstance(item, str) else _attached(item)
    return found


def _attached(item: Any) -> list[Part]:
    if not isinstance(item, dict):
        return unknown(item)
    media_type = text_of(item.get("media_type"))
    if isinstance(item.get("data"), str):
        if media_type.startswith("image/"):
            return [Part("image", media_type=media_type, image=item["data"])]
        return unknown(without(item, frozenset(("data",))))
    return image_part(item.get("url")) if item.get("kind") == "image-url" else unknown(item)


def _called(part: Message) -> list[Part]:
    return [call_part(part.get("tool_name"), part.get("tool_call_id"), part.get("args"))]


def _returned(part: Message) -> list[Part]:
    outcome = part.get("outcome")
    is_error = True if part.get("part_kind") == "retry-prompt" else None if outcome is None else outcome != "success"
    return result_parts(part.get("content"), part.get("tool_call_id"), is_error, part.get("tool_name"))


def _text(kind: PartKind) -> Callable[[Message], list[Part]]:
    def read(part: Message) -> list[Part]:
        text = part.get("content")
        return [Part(kind, text)] if text and isinstance(text, str) else unknown(text)

    return read


_PARTS: dict[str, Callable[[Message], list[Part]]] = {
    "user-prompt": _prompt,
    "system-prompt": _text("notice"),
    "text": _text("text"),
    "thinking": _text("thinking"),
    "file": lambda part: _attached(part.get("content")),
    **dict.fromkeys(("tool-call", "builtin-tool-call"), _called),
    **dict.fromkeys(("tool-return", "builtin-tool-return", "retry-prompt"), _returned),
}
_MESSAGE_KEYS = frozenset(
    "parts kind timestamp instructions run_id conversation_id metadata state usage model_name model_id provider_name "
    "provider_url provider_details provider_response_id canonical_system finish_reason workspace_ref history_digest "
    "failed_attempts".split()
)


# agent-framework: a role and contents; https://learn.microsoft.com/agent-framework/


def _is_of_agent_framework(message: Message) -> bool:
    return isinstance(message.get("contents"), list) and isinstance(message.get("role"), str)


def _of_agent_framework(message: Message) -> Projection:
    role = role_of(message)
    parts = [found for content in message["contents"] for found in _content(content, role)]
    parts += unknown({key: value for key, value in message.items() if key not in _FRAMEWORK_KEYS and value})
    return projected(parts, role, "system message" if role == "system" else "", message.get("created_at"))


def _content(content: Any, role: str) -> list[Part]:
    if not isinstance(content, dict):
        return unknown(content)
    kind = text_of(content.get("type"))
    if kind == "function_call":
        return [call_part(content.get("name"), content.get("call_id"), content.get("arguments"))]
    if kind == "function_result":
        is_error = True if content.get("exception") else None
        return result_parts(content.get("result"), content.get("call_id"), is_error)
    if kind == "text_reasoning":
        return [Part("thinking", text_of(content.get("text")))]
    if kind in ("data", "uri"):
        return image_part(content.get("uri")) if _is_image(content) else unknown(without(content, _FILE_KEYS))
    return block_parts(content, role)


def _is_image(content: Message) -> bool:
    return text_of(content.get("media_type")).startswith("image/")


_FILE_KEYS = frozenset(("type", "uri", "additional_properties"))
_FRAMEWORK_KEYS = frozenset(("type", "role", "contents", "message_id", "created_at"))


# Google's ADK: an event with an author, whose content has parts; https://google.github.io/adk-docs/events/


def _is_of_adk(message: Message) -> bool:
    is_event = isinstance(message.get("author"), str) and isinstance(message.get("invocationId"), str)
    return is_event or (message.keys() == {"actions"} and isinstance(message["actions"], dict))


def _of_adk(message: Message) -> Projection:
    content = dict_of(message.get("content"))
    said = content.get("parts")
    parts = [found for part in (said if isinstance(said, list) else []) for found in _adk_part(part)]
    role = "tool" if any(part.kind == "tool_result" for part in parts) else "assistant"
    role = "user" if message.get("author") == "user" and role != "tool" else role
    if "errorMessage" in message:
        parts.append(Part("notice", text_of(message["errorMessage"])))
    # What it did to the state is shown; ids, settings and what a program alone needs are nothing that was said.
    parts += unknown({key: value for key, value in dict_of(message.get("actions")).items() if value})
    counts = dict_of(message.get("usageMetadata"))
    usage = {"input_tokens": counts.get("promptTokenCount"), "output_tokens": counts.get("candidatesTokenCount")}
    source = {"model": message.get("modelVersion"), "usage": usage}
    return projected(parts, role, "state" if "author" not in message else "", message.get("timestamp"), source)


def _adk_part(part: Any) -> list[Part]:
    if not isinstance(part, dict):
        return unknown(part)
    found: list[Part] = []
    if text := text_of(part.get("text")):
        found.append(Part("thinking" if part.get("thought") is True else "text", text))
    if call := dict_of(part.get("functionCall")):
        found.append(call_part(call.get("name"), call.get("id"), call.get("args")))
    if answer := dict_of(part.get("functionResponse")):
        found += _adk_result(answer)
    if data := dict_of(part.get("inlineData")):
        found += _attached({"media_type": data.get("mimeType"), "data": data.get("data")})
    return found + unknown({key: value for key, value in part.items() if key not in _ADK_KEYS and value})


def _adk_result(answer: Message) -> list[Part]:
    response = answer.get("response")
    values = dict_of(response)
    if values.keys() in ({"result"}, {"error"}):
        response = next(iter(values.values()))
    text = response if isinstance(response, str) else orjson.dumps(response, default=str).decode()
    return result_parts(text, answer.get("id"), True if "error" in values else None, answer.get("name"))


_ADK_KEYS = frozenset(("text", "thought", "thoughtSignature", "functionCall", "functionResponse", "inlineData"))

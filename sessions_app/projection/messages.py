"""Reads a message as an agent hands it over: the seed's own, OpenAI chat and Responses items, Anthropic messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessions_app.projection.content import (
    block_parts,
    call_part,
    content_parts,
    image_part,
    result_parts,
    thinking_parts,
    wrapper_name,
)
from sessions_app.projection.parts import Kind, Part, Projection
from sessions_app.projection.values import (
    count_of,
    decoded,
    dict_of,
    text_of,
    time_of,
    unknown,
    without,
    words_of,
)

Message = dict[str, Any]

_ROLES = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}


def projected(
    parts: list[Part],
    role: str = "",
    label: str = "",
    time: Any = None,
    source: Message | None = None,
    meta: bool = False,
) -> Projection:
    """A projection whose kind follows from its parts.

    `source` is the object that carries model and usage; `meta` says that a program wrote it, whatever its role.
    """
    kind = Kind.NOTICE if meta else _kind(parts, role)
    source = source or {}
    usage = source.get("usage")
    return Projection(
        role,
        kind,
        tuple(parts),
        time_of(time) if time is not None else None,
        text_of(source.get("model")),
        _input_tokens(usage) if isinstance(usage, dict) else None,
        _output_tokens(usage) if isinstance(usage, dict) else None,
        label if kind == Kind.NOTICE else "",
        text_of(source.get("id")) if isinstance(usage, dict) else "",
    )


def role_of(message: Message) -> str:
    role = message.get("role")
    return _ROLES.get(role, "") if isinstance(role, str) else ""


def is_item(message: Message) -> bool:
    """Whether this is a Responses item other than a message."""
    kind = message.get("type")
    return isinstance(kind, str) and (kind in _ITEMS or kind.endswith(_ITEM_ENDS))


def message_projection(message: Message) -> Projection:
    role = role_of(message)
    parts = all_parts(message, role)
    return projected(parts, role, label_of(message, role, parts), _written_at(message), message)


def item_projection(item: Message) -> Projection:
    return projected(item_parts(item), _item_role(item), "", _written_at(item))


def all_parts(message: Message, role: str) -> list[Part]:
    parts = message_parts(message, role)
    extra = message.keys() - _MESSAGE_KEYS
    if extra:
        parts += unknown({key: value for key, value in message.items() if key in extra})
    return parts


def message_parts(message: Message, role: str) -> list[Part]:
    """All but keys that are not known."""
    content = message.get("content")
    if role == "tool":
        id = message.get("tool_call_id")
        return result_parts(content, id, message.get("is_error"), message.get("name"))
    parts = thinking_parts(message["reasoning_content"]) if "reasoning_content" in message else []
    parts += content_parts(content, role)
    if "refusal" in message:
        parts += content_parts(message["refusal"], role)
    if "attachments" in message:
        parts += _attachments(message["attachments"])
    if "tool_calls" in message:
        parts += _tool_calls(message["tool_calls"])
    if "function_call" in message:
        parts += _tool_calls([{"function": message["function_call"]}])
    return parts


def label_of(message: Message, role: str, parts: list[Part]) -> str:
    """What a message is called where it turns out to be a notice."""
    if role == "user":
        return wrapper_name(message.get("content")) if parts and parts[0].kind == "notice" else ""
    return f"{message['role']} message" if role == "system" else ""


def item_parts(item: Message) -> list[Part]:
    kind = text_of(item.get("type"))
    if reader := _ITEMS.get(kind):
        return reader(item)
    if kind.endswith("_output"):
        return _output(item)
    return _other_call(item)


def _kind(parts: list[Part], role: str) -> Kind:
    kinds = {part.kind for part in parts}
    if "text" in kinds and role != "user":
        return Kind.NOTICE if role == "system" else Kind.ANSWER
    if "text" in kinds and any(part.kind == "text" and not part.text.isspace() for part in parts):
        return Kind.PROMPT
    for name, kind in _KINDS.items():
        if name in kinds:
            return kind
    return Kind.OTHER


_KINDS = {
    "tool_call": Kind.TOOL_CALL,
    "tool_result": Kind.TOOL_RESULT,
    "thinking": Kind.THINKING,
    "image": Kind.IMAGE,
    "notice": Kind.NOTICE,
}


def _written_at(message: Message) -> Any:
    for key in ("ts", "timestamp", "created_at", "created"):
        if key in message:
            return message[key]
    return None


def _input_tokens(usage: Message) -> int | None:
    # Anthropic counts what it read from a cache beside the rest, OpenAI within it.
    counts = [count_of(usage.get(key)) for key in _INPUT_COUNTS]
    return sum(count or 0 for count in counts) if any(count is not None for count in counts) else None


def _output_tokens(usage: Message) -> int | None:
    count = count_of(usage.get("output_tokens"))
    return count_of(usage.get("completion_tokens")) if count is None else count


_INPUT_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "prompt_tokens")


def _attachments(value: Any) -> list[Part]:
    parts = []
    for attachment in value if isinstance(value, list) else [value]:
        parts += block_parts(attachment, "") if isinstance(attachment, dict) else unknown(attachment)
    return parts


def _tool_calls(value: Any) -> list[Part]:
    parts = []
    for call in value if isinstance(value, list) else [value]:
        parts += _tool_call(call) if isinstance(call, dict) else unknown(call)
    return parts


def _tool_call(call: Message) -> list[Part]:
    function = dict_of(call.get("function")) or dict_of(call.get("custom")) or call
    for key in ("arguments", "args", "input"):
        if key in function:
            return [call_part(function.get("name"), call.get("id"), function[key])]
    return [call_part(function.get("name"), call.get("id"), None)] if "name" in function else unknown(call)


def _item_role(item: Message) -> str:
    return "tool" if text_of(item.get("type")).endswith("_output") else "assistant"


def _reasoning(item: Message) -> list[Part]:
    parts = thinking_parts(item.get("summary")) + thinking_parts(item.get("content"))
    return parts or [Part("thinking")]


def _function_call(item: Message) -> list[Part]:
    for key in ("arguments", "input"):
        if key in item:
            return [call_part(item.get("name"), item.get("call_id"), item[key])]
    return [call_part(item.get("name"), item.get("call_id"), without(item, _CALL_KEYS) or None)]


def _output(item: Message) -> list[Part]:
    output, is_error = _unwrapped(item.get("output"))
    if isinstance(output, list):
        return result_parts(output, item.get("call_id"), is_error)
    return result_parts(output, item.get("call_id"), is_error, item.get("name"))


def _unwrapped(output: Any) -> tuple[Any, bool | None]:
    """The output itself where Codex wrapped it: {"output": text, "metadata": {"exit_code": 1}}, also as a string."""
    value = decoded(output) if isinstance(output, str) and output.startswith("{") else output
    if not isinstance(value, dict):
        return output, None
    if isinstance(value.get("output"), str) and value.keys() <= {"output", "metadata", "success"}:
        code = dict_of(value.get("metadata")).get("exit_code")
        return value["output"], code != 0 if type(code) is int else None
    if isinstance(value.get("content"), str | list) and value.keys() <= {"content", "success"}:
        success = value.get("success")
        return value["content"], not success if isinstance(success, bool) else None
    return output, None


def _local_shell_call(item: Message) -> list[Part]:
    return [call_part("local_shell", item.get("call_id"), item.get("action"))]


def _image_generation_call(item: Message) -> list[Part]:
    call = call_part("image_generation", item.get("id"), without(item, _CALL_KEYS | {"result"}) or None)
    result = item.get("result")
    return [call, *([Part("image", media_type="image/png", image=result)] if isinstance(result, str) else [])]


def _mcp_call(item: Message) -> list[Part]:
    parts = [call_part(item.get("name"), item.get("id"), item.get("arguments"))]
    error = item.get("error")
    if error is not None or item.get("output") is not None:
        parts += result_parts(item["output"] if error is None else error, item.get("id"), error is not None)
    return parts


def _computer_output(item: Message) -> list[Part]:
    output = dict_of(item.get("output"))
    image = image_part(output["image_url"]) if isinstance(output.get("image_url"), str) else unknown(output)
    return [*result_parts(None, item.get("call_id")), *image]


def _other_call(item: Message) -> list[Part]:
    name = words_of(item.get("type")).removesuffix(" call").replace(" ", "_")
    return [call_part(name, item.get("call_id") or item.get("id"), without(item, _CALL_KEYS) or None)]


_CALL_KEYS = frozenset(
    ("type", "id", "call_id", "name", "status", "metadata", "internal_chat_message_metadata_passthrough")
)
_ITEM_ENDS = ("_call", "_call_output", "_approval_request", "_approval_response")
_ITEMS: dict[str, Callable[[Message], list[Part]]] = {
    "reasoning": _reasoning,
    "function_call": _function_call,
    "custom_tool_call": _function_call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "local_shell_call": _local_shell_call,
    "local_shell_call_output": _output,
    "image_generation_call": _image_generation_call,
    "mcp_call": _mcp_call,
    "mcp_list_tools": _other_call,
    "computer_call_output": _computer_output,
}
_MESSAGE_KEYS = frozenset(
    (
        "id",
        "type",
        "role",
        "content",
        "ts",
        "timestamp",
        "created",
        "created_at",
        "model",
        "usage",
        "status",
        "phase",
        "attachments",
        "tool_calls",
        "tool_call_id",
        "function_call",
        "reasoning_content",
        "refusal",
        "name",
        "is_error",
        "stop_reason",
        "stop_sequence",
        "annotations",
        "internal_chat_message_metadata_passthrough",
    )
)

"""Reads the lines of Codex's rollouts: {"timestamp", "type", "payload"}.

What is said stands twice in most rollouts, as a response_item and as an event_msg. Every rollout seen that has events
of a message has its response_item too, so that events are notices: found by search, but no second prompt or answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sessions_app.projection.content import content_parts
from sessions_app.projection.messages import (
    Message,
    is_item,
    item_projection,
    message_projection,
    projected,
)
from sessions_app.projection.parts import Kind, Part, Projection
from sessions_app.projection.values import (
    count_of,
    dict_of,
    text_of,
    time_of,
    unknown,
    without,
    words_of,
)

# Lines of settings and counts, which repeat in every session: their label is all that is read of them.
_SETTINGS = frozenset(("session_meta", "turn_context", "world_state", "token_usage_record"))
_SETTING_EVENTS = frozenset(("token_count", "task_started", "thread_settings_applied", "thread_name_updated"))
_TEXT_KEYS = ("message", "text", "last_agent_message", "delta", "prompt", "reason")
_EVENT_KEYS = frozenset(("type", "images", "local_images", "text_elements", "phase", "kind", "turn_id", "call_id"))


def is_line(message: Message) -> bool:
    return isinstance(message.get("payload"), dict) and isinstance(message.get("type"), str)


def line_projection(line: Message) -> Projection:
    payload, kind = line["payload"], line["type"]
    time = line["timestamp"] if "timestamp" in line else payload.get("timestamp")
    if kind == "response_item":
        return _response_item(payload, time)
    if kind == "event_msg":
        return _event(payload, time)
    if kind == "compacted":
        parts = _notice_text(payload.get("message")) or unknown(payload)
        return projected(parts, "", "compacted", time, meta=True)
    if kind in _SETTINGS:
        return projected([], "", words_of(kind), time, _with_usage(payload), meta=True)
    return projected(unknown(payload), "", words_of(kind), time, meta=True)


def _response_item(payload: Message, time: Any) -> Projection:
    found = item_projection(payload) if is_item(payload) else message_projection(payload)
    if found.kind == Kind.OTHER and "role" not in payload:
        found = projected(unknown(payload), "", words_of(payload.get("type")), meta=True)
    return replace(found, timestamp=time_of(time))


def _event(payload: Message, time: Any) -> Projection:
    name = payload.get("type")
    if name == "item_completed":
        return _item_completed(dict_of(payload.get("item")), time)
    if name == "agent_reasoning_raw_content":  # no response_item holds it
        return projected([Part("thinking", text_of(payload.get("text")))], "assistant", "", time)
    if name == "token_count":
        return _token_count(dict_of(payload.get("info")), time)
    if isinstance(name, str) and name in _SETTING_EVENTS:
        return projected(_notice_text(payload.get("thread_name")), "", words_of(name), time, meta=True)
    for key in _TEXT_KEYS:
        if parts := _notice_text(payload.get(key)):
            return projected(parts, "", words_of(name), time, meta=True)
    return projected(unknown(without(payload, _EVENT_KEYS)), "", words_of(name), time, meta=True)


def _item_completed(item: Message, time: Any) -> Projection:
    label = words_of(item.get("type"))
    texts = [part.text for part in content_parts(item.get("content"), "") if part.kind == "text"]
    texts += [text for text in _list_of(item.get("summary_text")) if isinstance(text, str)]
    texts.append(text_of(item.get("aggregated_output")))
    parts = [Part("notice", text) for text in texts if text] or unknown(without(item, _EVENT_KEYS))
    return projected(parts, "", f"{label} completed" if label else "item completed", time, meta=True)


def _token_count(info: Message, time: Any) -> Projection:
    last = dict_of(info.get("last_token_usage"))
    source = {"model": info.get("model"), "usage": _plain(last), "id": _so_far(info.get("total_token_usage"))}
    return projected([], "", "token count", time, source, meta=True)


def _with_usage(payload: Message) -> Message:
    usage = _plain(dict_of(payload.get("usage")))
    return {"model": payload.get("model"), "usage": usage, "id": _so_far(payload.get("thread_token_usage"))}


def _so_far(total: Any) -> str:
    """What tells one response from the next, for a record and an event tell of each, the event at times twice."""
    known = _plain(dict_of(total))
    return ", ".join(f"{known[key]} {key}" for key in sorted(known))


def _plain(usage: Message) -> Message:
    return {key: usage[key] for key in ("input_tokens", "output_tokens") if count_of(usage.get(key)) is not None}


def _notice_text(text: Any) -> list[Part]:
    return [Part("notice", text)] if isinstance(text, str) and text else []


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

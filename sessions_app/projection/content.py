"""Reads the content of one message: text, or blocks in the shapes of Anthropic, OpenAI and the seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessions_app.projection import wrappers
from sessions_app.projection.parts import Part
from sessions_app.projection.values import decoded, dict_of, text_of, unknown, without

Block = dict[str, Any]


def content_parts(content: Any, role: str) -> list[Part]:
    if isinstance(content, str):
        return text_parts(content, role)
    if not isinstance(content, list):
        return unknown(content)
    parts = []
    for block in content:
        if isinstance(block, str):
            parts += text_parts(block, role)
        elif isinstance(block, dict):
            parts += block_parts(block, role)
        else:
            parts += unknown(block)
    return parts


def text_parts(text: str, role: str) -> list[Part]:
    """One part, or for role user up to three: what a program put around the typed text is a notice."""
    if not text:
        return []
    if role != "user":
        return [Part("text", text)]
    before, typed, after, _ = wrappers.split(text)
    parts = []
    if before:
        parts.append(Part("notice", before))
    if typed:
        parts.append(Part("text", typed))
    if after:
        parts.append(Part("notice", after))
    return parts


def wrapper_name(content: Any) -> str:
    """The name in words of the first wrapper in a message's content, or ""."""
    for block in content if isinstance(content, list) else [content]:
        text = text_of(block.get("text")) if isinstance(block, dict) else text_of(block)
        if name := wrappers.split(text)[3]:
            return name
    return ""


def block_parts(block: Block, role: str) -> list[Part]:
    kind = text_of(block.get("type"))
    if kind in _TEXTS:
        text = block.get(_TEXTS[kind])
        return text_parts(text, role) if isinstance(text, str) else unknown(block)
    if reader := _READERS.get(kind):
        return reader(block)
    if kind.endswith("_tool_result"):
        return _tool_result(block)
    return unknown(block)


def call_part(name: Any, id: Any, arguments: Any) -> Part:
    return Part("tool_call", tool_name=text_of(name), tool_id=text_of(id), arguments=decoded(arguments))


def result_parts(content: Any, id: Any = "", is_error: Any = None, name: Any = "") -> list[Part]:
    """A tool's result: one part with all of its text, then its images."""
    texts, images, others = _sorted_blocks(content)
    result = Part(
        "tool_result",
        "\n".join(texts),
        tool_name=text_of(name),
        tool_id=text_of(id),
        is_error=is_error if isinstance(is_error, bool) else None,
        data=others or None,
    )
    return [result, *images]


def image_part(address: Any) -> list[Part]:
    """An image by its address, which may be a data: URL."""
    if not isinstance(address, str):
        return unknown(address)
    head, comma, data = address.partition(";base64,")
    if comma and head.startswith("data:"):
        return [Part("image", media_type=head[5:], image=data)]
    return [Part("image", address)]


def thinking_parts(value: Any) -> list[Part]:
    """Thinking in a string, or in a list of strings or of blocks with a text."""
    items = value if isinstance(value, list) else [value]
    texts = [text_of(item.get("text")) if isinstance(item, dict) else text_of(item) for item in items]
    return [Part("thinking", text) for text in texts if text]


def _sorted_blocks(content: Any) -> tuple[list[str], list[Part], list[Any]]:
    # Results do not nest in any known shape, so that what a hostile one nests is shown as it is, without recursion.
    if isinstance(content, str):
        return [content], [], []
    texts, images, others = [], [], []
    for block in content if isinstance(content, list) else [] if content is None else [content]:
        kind = text_of(block.get("type")) if isinstance(block, dict) else ""
        if isinstance(block, str):
            texts.append(block)
        elif kind in _TEXTS and isinstance(block.get(_TEXTS[kind]), str):
            texts.append(block[_TEXTS[kind]])
        elif kind in _IMAGES:
            images += _image(block)
        else:
            others.append(block)
    return texts, images, others


def _thinking(block: Block) -> list[Part]:
    return [Part("thinking", text_of(block.get("thinking")) or text_of(block.get("text")))]


def _redacted(block: Block) -> list[Part]:
    return [Part("thinking")]


def _tool_use(block: Block) -> list[Part]:
    return [call_part(block.get("name"), block.get("id"), block.get("input"))]


def _tool_result(block: Block) -> list[Part]:
    return result_parts(block.get("content"), block.get("tool_use_id"), block.get("is_error"))


def _image(block: Block) -> list[Part]:
    if isinstance(source := block.get("source"), dict):  # Anthropic
        if isinstance(data := source.get("data"), str):
            return [Part("image", media_type=text_of(source.get("media_type")), image=data)]
        return image_part(source["url"]) if "url" in source else unknown(block)
    if isinstance(data := block.get("data"), str):  # the seed's attachments, and MCP
        media_type = text_of(block.get("media_type")) or text_of(block.get("mimeType"))
        return [Part("image", media_type=media_type, image=data)]
    address = block.get("image_url")
    address = address.get("url") if isinstance(address, dict) else address
    return image_part(address) if isinstance(address, str) else unknown(block)


def _document(block: Block) -> list[Part]:
    """Its title and text; of a binary document all but the data."""
    source = dict_of(block.get("source")) or dict_of(block.get("file"))
    if source.get("type") == "text":
        texts = (text_of(block.get("title")), text_of(block.get("context")), text_of(source.get("data")))
        return [Part("text", text) for text in texts if text]
    if source.get("type") == "content":
        return _document_blocks(block, source.get("content"))
    shown = without(block, _FILE_DATA)
    for key in ("source", "file"):
        if isinstance(shown.get(key), dict):
            shown[key] = without(shown[key], _FILE_DATA)
    return unknown(shown)


def _document_blocks(block: Block, content: Any) -> list[Part]:
    texts, images, others = _sorted_blocks(content)
    texts.insert(0, text_of(block.get("title")))
    return [*(Part("text", text) for text in texts if text), *images, *unknown(others)]


_FILE_DATA = frozenset(("data", "file_data"))
_TEXTS = {
    "text": "text",
    "Text": "text",  # Codex's item_completed
    "input_text": "text",
    "output_text": "text",
    "refusal": "refusal",
}
_IMAGES = frozenset(("image", "input_image", "image_url", "output_image"))
_READERS: dict[str, Callable[[Block], list[Part]]] = {
    "thinking": _thinking,
    "reasoning": _thinking,
    "reasoning_text": _thinking,
    "summary_text": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
    "server_tool_use": _tool_use,
    "mcp_tool_use": _tool_use,
    "tool_result": _tool_result,
    **dict.fromkeys(_IMAGES, _image),
    "document": _document,
    "input_file": _document,
    "file": _document,
}

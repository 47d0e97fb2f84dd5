"""Any JSON value as a readable tree of bounded size."""

import json
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from sessions_app.web.rendering.marks import escape_and_mark
from sessions_app.web.rendering.text import one_line, visible

DEPTH_LIMIT = 6
NODE_LIMIT = 400
STRING_LIMIT = 2000  # characters of one string


class _Tree:
    """Draws one tree and counts its nodes, so that a wide one ends with an ellipsis."""

    def __init__(self, query: str):
        self._left = NODE_LIMIT
        self._query = query

    def draw(self, value: Any, depth: int = 0) -> str:
        self._left -= 1
        if isinstance(value, dict | list) and value:
            return self._nested(value, depth)
        return f'<span class="{_kind(value)}">{self._leaf(value)}</span>'

    def _nested(self, value: dict | list, depth: int) -> str:
        if depth >= DEPTH_LIMIT:
            return f"<span>{escape(_inner_words(value))}</span>"
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        rows = []
        for number, (key, inner) in enumerate(entries):
            if self._left <= 0:
                rows.append(f"<dt>…</dt><dd>{len(value) - number:,} more</dd>")
                break
            rows.append(f"<dt>{escape_and_mark(one_line(str(key), 80))}</dt><dd>{self.draw(inner, depth + 1)}</dd>")
        return f"<dl>{''.join(rows)}</dl>"

    def _leaf(self, value: Any) -> str:
        if isinstance(value, str):
            cut = value if len(value) <= STRING_LIMIT else value[:STRING_LIMIT] + f"… ({len(value):,} characters)"
            return escape_and_mark(visible(cut), self._query)
        if isinstance(value, dict | list):
            return "{}" if isinstance(value, dict) else "[]"
        return escape(_number_words(value))


def to_html(value: Any, query: str = "") -> SafeString:
    """Nested definition lists; deeper than six levels or after 400 nodes the rest is counted, not drawn."""
    return mark_safe(f'<div class="json">{_Tree(query).draw(value)}</div>')  # noqa: S308  keys and leaves are escaped


def to_text(value: Any) -> str:
    """Indented JSON that UTF-8 can carry; with a lone surrogate in it, all of it is written in ASCII escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    is_encodable = text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
    return text if is_encodable else json.dumps(value, indent=2)


def _kind(value: Any) -> str:
    return "json-text" if isinstance(value, str) else "json-fact"


def _number_words(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 12_000:
        return f"a number of {value.bit_length():,} bits"  # Python refuses to write one of more than 4,300 digits
    return json.dumps(value)


def _inner_words(value: dict | list) -> str:
    return f"{{… {len(value)} keys}}" if isinstance(value, dict) else f"[… {len(value)} values]"

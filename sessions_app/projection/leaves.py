"""The strings of a JSON value in which a person may search: no keys, no ids, no binary data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_IDENTIFIERS = frozenset(
    ("id", "ids", "uuid", "guid", "Id", "ID", "UUID", "signature", "encrypted_content", "thought_signature", "cursor")
)
_IDENTIFIER_ENDS = ("_id", "_ids", "_uuid", "_uuids", "Id", "Ids", "Uuid", "Uuids", "UUID", "Guid")
_BINARY = frozenset(("data", "base64", "b64_json", "blob"))
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\r\n]{32,}={0,2}\s*")


def leaves(value: Any) -> Iterator[str]:
    """Every searchable string in reading order. No recursion: depth is bounded by memory only."""
    stack = [("", value)]
    while stack:
        key, value = stack.pop()
        if isinstance(value, str):
            if value and not is_identifier(key) and not is_binary(key, value):
                yield value
        elif isinstance(value, dict):
            stack.extend(reversed(value.items()))
        elif isinstance(value, list):
            stack.extend((key, item) for item in reversed(value))


def is_identifier(key: str) -> bool:
    # "toolUseID" is one and "GRID" is none.
    return key in _IDENTIFIERS or key.endswith(_IDENTIFIER_ENDS) or (key.endswith("ID") and key[-3:-2].islower())


def is_binary(key: str, value: str) -> bool:
    if value.startswith("data:"):
        return ";base64," in value[:200]
    # A hash in hex is no binary data: people look for one.
    return key in _BINARY and _BASE64.fullmatch(value) is not None and not value.islower() and not value.isupper()

"""Reads single values out of JSON that may be anything; none of these functions raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sessions_app.projection.parts import Part

DEPTH_LIMIT = 200  # levels of a decoded string that are still shown as JSON
_MILLISECONDS_FROM = 100_000_000_000  # as seconds that would be the year 5138


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def dict_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def count_of(value: Any) -> int | None:
    """A plausible number of tokens; JSON may hold any integer, and a bool is one to Python."""
    return value if type(value) is int and 0 <= value < 2**53 else None


def time_of(value: Any) -> datetime | None:
    """An aware time from ISO 8601 text or from seconds or milliseconds since 1970, or None.

    Text without a zone is UTC. Times that no transcript can have, such as Go's year 1, are None.
    """
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
        elif type(value) in (int, float):
            time = datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    if not 1970 <= time.year < 9999:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def words_of(name: Any) -> str:
    """A type's name in words: "file-history-snapshot" and "ExecCommandBegin" alike; "" for what is no name."""
    if not isinstance(name, str) or len(name) > 60 or not name.isprintable():
        return ""
    spaced = "".join(" " + letter.lower() if letter.isupper() else letter for letter in name)
    return " ".join(spaced.replace("_", " ").replace("-", " ").replace("/", " ").split())


def decoded(value: Any) -> Any:
    """The JSON in a string, so that search sees no escapes; the string itself where it holds none."""
    if not isinstance(value, str):
        return value
    if value.count("[") + value.count("{") > DEPTH_LIMIT and _may_be_deep(value):
        return value
    try:
        return _DECODER.decode(value)
    except (ValueError, RecursionError):
        return value


def unknown(value: Any) -> list[Part]:
    """A value of a shape that is not known, shown as it is; nothing for an empty one."""
    return [Part("json", data=value)] if value or value == 0 else []


def without(message: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key not in keys}


def _may_be_deep(text: str) -> bool:
    """Whether the brackets, those inside of strings too, ever stand deeper than the limit."""
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            if depth > DEPTH_LIMIT:
                return True
        elif character in "]}":
            depth -= 1
    return False


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)

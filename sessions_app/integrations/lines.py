"""Reads JSONL as strangers write it: whatever a line holds, it becomes a message, and nothing stops the file."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from sessions_app.projection import UNREADABLE
from sessions_app.records import Message

LINE_LIMIT = 64 * 1024 * 1024  # bytes; a longer line is kept in pieces
PIECE = 1024 * 1024  # bytes of a line that is too long, in one message
DEPTH_LIMIT = 200  # levels, as in the store
READ_SIZE = 256 * 1024  # bytes
BOM = "\ufeff"


@dataclass(slots=True)
class Line:
    """One line, or a part of one that is too long for one message."""

    number: int  # from 1
    start: int  # byte offset of the line's first byte, also for its later parts
    stop: int  # byte offset after what has been read of it
    raw: list[bytes] = field(repr=False)
    messages: list[Message] = field(repr=False)  # none for a blank line
    readable: bool = True
    first: bool = True  # not a later part of a long line
    complete: bool = True  # ends with its newline


class Unreadable(ValueError):
    """Why a line is no message; the end of a sentence that begins with "The line"."""


def read_lines(file: BinaryIO, start: int, stop: int, number: int = 0, limit: int = LINE_LIMIT) -> Iterator[Line]:
    """The lines in the bytes [start, stop) of a file that stands at `start`, after `number` lines.

    Holds at most one line in memory, and of a line longer than `limit` bytes no more than that. A file that turns
    out to be shorter than `stop` ends where it ends.
    """
    position = line_start = start
    raw: list[bytes] = []
    size = part = 0
    number += 1
    for segment in _segments(file, stop - start):
        raw.append(segment)
        size += len(segment)
        position += len(segment)
        if segment.endswith(b"\n"):
            yield _line(number, line_start, position, raw, limit, part, complete=True)
            raw, size, part, line_start, number = [], 0, 0, position, number + 1
        elif size > (PIECE if part else limit):
            line = _line(number, line_start, position, raw, limit, part or 1, complete=False)
            line.first = not part
            part = (part or 1) + len(line.messages)
            yield line
            raw, size = [], 0
    if raw:
        yield _line(number, line_start, position, raw, limit, part, complete=False)


def parse(raw: bytes) -> Message | None:
    """The JSON object in a line, or None for a blank one. Raises Unreadable with the reason."""
    text = _decoded(raw)
    if not text.strip():
        return None
    try:
        message = _DECODER.decode(text)
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable(f"nests deeper than {DEPTH_LIMIT} levels") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"is no JSON at character {error.pos}: {error.msg}") from None
    except (
        ValueError
    ):  # the only one left that json raises: https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
        raise Unreadable("has an integer of too many digits") from None
    if not isinstance(message, dict):
        raise Unreadable("is JSON, but no object")
    if raw.count(b"{") + raw.count(b"[") > DEPTH_LIMIT and _depth(message) > DEPTH_LIMIT:
        raise Unreadable(f"nests deeper than {DEPTH_LIMIT} levels")
    return message


def unreadable(number: int, why: str, raw: bytes) -> Message:
    """The message that keeps a line which could not be read, byte for byte but for its newline."""
    try:
        kept = {"text": raw.decode("utf-8")}
    except UnicodeDecodeError:
        kept = {"base64": base64.b64encode(raw).decode("ascii")}
    return {UNREADABLE: {"line": number, "why": f"The line {why}.", **kept}}


def _segments(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The next `size` bytes, cut after each newline and wherever a read ended."""
    while size > 0 and (chunk := file.read(min(READ_SIZE, size))):
        size -= len(chunk)
        start = 0
        while start < len(chunk):
            stop = chunk.find(b"\n", start) + 1 or len(chunk)
            yield chunk[start:stop]
            start = stop


def _line(number: int, start: int, stop: int, raw: list[bytes], limit: int, part: int, complete: bool) -> Line:
    """`part` is 0 for a whole line, else the number of the next piece of a long one."""
    line = Line(number, start, stop, raw, [], first=not part, complete=complete)
    whole = b"".join(raw)
    if complete or not part:  # otherwise it goes on, and its end may be white space of its own
        whole = whole.rstrip(b"\r\n")
    if part or len(whole) > limit:
        line.readable = False
        line.messages = list(_pieces(number, whole, part or 1, limit))
        return line
    try:
        message = parse(whole)
        if message is not None:
            _check_size(message, len(whole), limit)
            line.messages = [message]
    except Unreadable as error:
        line.readable = False
        why = str(error) if complete else f"{error}; the file ends within it"
        line.messages = [unreadable(number, why, whole)]
    except _TooLong:
        line.readable = False
        line.messages = list(_pieces(number, whole, 1, limit))
    return line


def _pieces(number: int, raw: bytes, part: int, limit: int) -> Iterator[Message]:
    start = 0
    while start < len(raw):
        stop = _character_boundary(raw, start + PIECE)
        yield unreadable(number, f"is longer than {limit:,} bytes; this is piece {part}", raw[start:stop])
        start, part = stop, part + 1


def _character_boundary(raw: bytes, stop: int) -> int:
    """The last position up to `stop` that is not within a UTF-8 character."""
    for position in range(stop, stop - 4, -1):
        if position >= len(raw) or raw[position] & 0xC0 != 0x80:
            return min(position, len(raw))
    return stop


class _TooLong(Exception):
    pass


def _check_size(message: Message, size: int, limit: int) -> None:
    # The store keeps ASCII, in which a character of two bytes takes six.
    if size * 3 > limit and len(json.dumps(message, separators=(",", ":"))) > limit:
        raise _TooLong


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").removeprefix(BOM)
    except UnicodeDecodeError as error:
        raise Unreadable(f"is no UTF-8 at byte {error.start}") from None


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("has a key twice in one object")
    return found


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Unreadable("has a number that is too large")
    return number


def _no_constant(name: str) -> None:
    raise Unreadable(f"has {name}, which is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_no_constant)

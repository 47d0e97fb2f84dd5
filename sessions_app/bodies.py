"""Messages as text and back, deep-equal for ever, and the chained digests that make them comparable.

A body is JSON text: PostgreSQL's jsonb refuses NUL and lone surrogates and rewrites numbers and key order. It is read
by what wrote it, which its first character tells. Decision 0002 has the reasons and figures.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from sessions_app.errors import InvalidMessage, MessageTooLarge
from sessions_app.records import Message

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DEPTH_LIMIT = 200
DIGEST_SIZE = 16  # bytes

# orjson writes and reads nearly every message, several times as fast as the standard library. It refuses lone
# surrogates and integers beyond 64 bits: those bodies are the standard library's, and start with a space.
_STANDARD = b" "
PLAIN_ONLY = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_standard = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
# JSON cannot tell a high and a low surrogate side by side from the character that they make as a pair. A message that
# holds them is kept with its surrogates spelled out.
_SPELLED = b"~"
_SURROGATE = re.compile("[%\ud800-\udfff]")
_LONG_NUMBER = re.compile(b"[0-9]{19}")
_SPELLING = re.compile("%u([0-9a-f]{4})")
# The body of a message that lies still is packed: zstd of what it was, and as text, for a body is text. How long it was
# stands in it, so that the database can tell without unpacking it (decision 0021).
_PACKED = "z"
PACKED = f"{_PACKED}%"  # what LIKE takes them by
_PACKED_OCTET = _PACKED.encode()
SIZE_DIGITS = 10
_LEVEL = 9  # of zstd: a tenth smaller than its default, and read as fast
_WORTH_PACKING = 300  # bytes
# Between bodies that are one text. No body holds a newline, for JSON spells those out; so it is between them alone.
BETWEEN = b",\n"
AT_ONCE = 256 * 1024  # characters of it; one call of orjson keeps all other threads from running


def encode_all(messages: Iterable[Message], limit: int, first: int = 0) -> list[bytes]:
    """The bodies of messages, each at most `limit` bytes. Raises InvalidMessage and MessageTooLarge.

    The errors count the messages from `first` on.

    Equal bodies mean equal messages, but what is new must pass `verify` before it is kept.
    """
    return [_encode_one(position, message, limit) for position, message in enumerate(messages, first)]


def _encode_one(position: int, message: Message, limit: int) -> bytes:
    if not isinstance(message, dict):
        raise InvalidMessage(position, f"is a {type(message).__name__}, not a JSON object")
    try:
        body = orjson.dumps(message, option=PLAIN_ONLY)
    except TypeError:
        # In its final form at once, for the standard library writes some different messages alike, and equal bodies
        # are taken for equal messages.
        body = verify(position, message, _encode_standard(position, message))
    if len(body) > limit:
        raise MessageTooLarge(position, f"has {len(body):,} bytes, above the limit of {limit:,}")
    return body


def _encode_standard(position: int, message: Message) -> bytes:
    try:
        return _STANDARD + _standard(message).encode("ascii")
    except RecursionError:
        raise InvalidMessage(position, f"nests deeper than {DEPTH_LIMIT} levels") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidMessage(position, f"cannot be kept as JSON: {error}") from None


def verify(position: int, message: Message, body: bytes) -> bytes:
    """The body under which a message comes back deep-equal; `body` is what encode_all made of it.

    Raises InvalidMessage for nesting beyond 200 levels and for what is no JSON: tuples, NaN, keys that are no strings.
    """
    if body.count(b"{") + body.count(b"[") > DEPTH_LIMIT and _depth(message) > DEPTH_LIMIT:
        raise InvalidMessage(position, f"nests deeper than {DEPTH_LIMIT} levels")
    try:
        if decode(body) == message:
            return body
        body = _SPELLED + _standard(spell(message)).encode("ascii")
        if decode(body) == message:
            return body
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidMessage(position, f"cannot be kept as JSON: {error}") from None
    raise InvalidMessage(position, "holds what JSON cannot: tuples, or keys that are no strings")


def pack(body: str) -> str | None:
    """What `plain` gives back to the letter; None for a body that is packed, or would not be shorter."""
    written = body.encode()
    if len(written) < _WORTH_PACKING or body.startswith(_PACKED):
        return None
    found = packed(written)
    return found if len(found) < len(written) else None


def packed(body: bytes) -> str:
    return f"{_PACKED}{len(body):0{SIZE_DIGITS}}{b64encode(zstd.compress(body, _LEVEL)).decode()}"


def plain(body: str) -> str:
    """A body as it was written. What reads the column gives it through here, or through plain_bytes."""
    return plain_bytes(body.encode()).decode() if body.startswith(_PACKED) else body


def plain_bytes(body: bytes) -> bytes:
    """The same of bytes. One that is damaged stays as it is, and then is not what its digest says."""
    if not body.startswith(_PACKED_OCTET):
        return body
    try:
        return zstd.decompress(b64decode(body[1 + SIZE_DIGITS :], validate=True))
    except (zstd.ZstdError, ValueError):
        return body


def decode(body: str | bytes) -> Message:
    mark = body[:1] if isinstance(body, bytes) else body[:1].encode()
    if mark == _SPELLED:
        return unspell(json.loads(body[1:]))
    return json.loads(body) if mark == _STANDARD else orjson.loads(body)


def decode_all(written: Sequence[bytes]) -> list[Message]:
    """The messages of bodies that orjson wrote."""
    messages: list[Message] = []
    some, size = list[bytes](), 0
    for body in written:
        some.append(body)
        size += len(body)
        if size > AT_ONCE:
            messages += orjson.loads(b"[%b]" % b",".join(some))
            some, size = [], 0
    return messages + orjson.loads(b"[%b]" % b",".join(some))


def chain(digest: bytes, bodies: Iterable[bytes]) -> list[bytes]:
    """The digest after each body: of the body and, through the digest before it, of all that stand before it.

    Equal digests mean equal messages from the first one on, so a common prefix is found by comparing single digests.
    """
    digests = []
    for body in bodies:
        step = blake2b(digest, digest_size=DIGEST_SIZE)
        step.update(body)
        digest = step.digest()
        digests.append(digest)
    return digests


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def loads(text: bytes) -> Any:
    """Any JSON, not only a body's. Raises ValueError and RecursionError."""
    # orjson makes a float of an integer beyond 64 bits, and refuses lone surrogates.
    if not _LONG_NUMBER.search(text):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    return json.loads(text)


def spell(value: Any) -> Any:
    return _map_strings(value, lambda text: _SURROGATE.sub(lambda found: f"%u{ord(found[0]):04x}", text))


def unspell(value: Any) -> Any:
    return _map_strings(value, lambda text: _SPELLING.sub(lambda found: chr(int(found[1], 16)), text))


def _map_strings(value: Any, change) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_map_strings(key, change): _map_strings(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_map_strings(item, change) for item in value]
    return value

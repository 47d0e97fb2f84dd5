"""Pictures that a message carries as base64: only the four kinds that browsers draw without running anything."""

import base64
import binascii
from dataclasses import dataclass

LIMIT = 20 * 1024 * 1024  # bytes
SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": ("image/png", "png"),
    b"\xff\xd8\xff": ("image/jpeg", "jpg"),
    b"GIF87a": ("image/gif", "gif"),
    b"GIF89a": ("image/gif", "gif"),
}


@dataclass(frozen=True, slots=True)
class Picture:
    content: bytes
    media_type: str
    suffix: str


def picture(encoded: str) -> Picture | None:
    """The picture, or None where the data is no base64, too large, or not PNG, JPEG, GIF or WebP by its first bytes.

    What a message says of the media type is not believed: an SVG or HTML page called PNG would run in the browser.
    """
    if len(encoded) > LIMIT * 4 // 3 + 4:
        return None
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = _kind(content)
    return Picture(content, *kind) if kind else None


def is_picture(encoded: str) -> bool:
    """Whether the data begins like a picture of an allowed kind and is not too large; reads only its beginning."""
    if len(encoded) > LIMIT * 4 // 3 + 4:
        return False
    try:
        return _kind(base64.b64decode(encoded[:32])) is not None
    except (binascii.Error, ValueError):
        return False


def size_of(encoded: str) -> int:
    """Bytes of the decoded data."""
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")


def _kind(content: bytes) -> tuple[str, str] | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp", "webp"
    return next((kind for signature, kind in SIGNATURES.items() if content.startswith(signature)), None)

"""How bodies go over the wire: JSON that keeps a message as it is, compressed where the other side can take it.

JSON cannot tell two surrogates side by side from the character that they make as a pair. Where a message holds such a
pair, all strings of the body are spelled (bodies.py), and the header Forklore-Strings says so.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja.errors import HttpError
from ninja.parser import Parser

from sessions_app import bodies

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STRINGS = "Forklore-Strings"
SPELLED = "spelled"
WORTH_COMPRESSING = 1024  # bytes
LEVEL = 4  # of gzip: a third of the time of 9 for nearly the same size
ZSTD_LEVEL = 3  # its own default, smaller than that gzip in a third of its time
WINDOW_LOG = 23  # of zstd: 8 MiB of memory, which is all that HTTP lets it ask for (RFC 9659)
PIECE = 1024 * 1024  # bytes of an upload held in memory
PROBLEM = "application/problem+json"
LINES = "application/x-ndjson"  # of a bundle


class ExactParser(Parser):
    """Gives what `read_body` has read, for ninja has one sentence for all that a parser raises."""

    def parse_body(self, request: HttpRequest) -> Any:
        return request.forklore_body  # type: ignore[attr-defined]


def read_body(request: HttpRequest) -> None:
    """Raises HttpError for what is no JSON, no gzip or too large."""
    if request.content_type == LINES:
        request.forklore_body = {}  # type: ignore[attr-defined]  # whoever takes a file reads it by `read_file`
    elif request.method in ("POST", "PUT", "PATCH", "DELETE") and request.body:
        found = loads(_decompressed(request))
        request.forklore_body = bodies.unspell(found) if request.headers.get(STRINGS) == SPELLED else found  # type: ignore[attr-defined]
    else:
        request.forklore_body = {}  # type: ignore[attr-defined]


def read_file(request: HttpRequest) -> IO[bytes]:
    """The body of an upload as a file, which is the caller's to close; what is larger than a piece waits on disk.

    It may hold more than a body, for it may come compressed. Raises HttpError for another kind of body.
    """
    if request.content_type != LINES:
        raise HttpError(415, f"A bundle is sent as {LINES}.")
    limit = settings.FORKLORE_BUNDLE_LIMIT
    file: IO[bytes] = tempfile.SpooledTemporaryFile(PIECE)  # noqa: SIM115  the caller's
    try:
        for piece in _unpacked(request):
            if file.tell() + len(piece) > limit:
                raise HttpError(413, f"The bundle is larger than {limit:,} bytes.")
            file.write(piece)
    except BaseException:
        file.close()
        raise
    return file


def loads(raw: bytes) -> Any:
    """Raises HttpError."""
    try:
        return bodies.loads(raw)
    except (ValueError, RecursionError):
        raise HttpError(400, "The body is no JSON.") from None


def dumps(value: Any, *, may_spell: bool) -> tuple[bytes, bool]:
    """The JSON, and whether its strings are spelled."""
    try:
        return orjson.dumps(value), False
    except TypeError:
        text = json.dumps(value, separators=(",", ":"))
    if may_spell and json.loads(text) != value:
        return json.dumps(bodies.spell(value), separators=(",", ":")).encode("ascii"), True
    return text.encode("ascii"), False


def answer(
    request: HttpRequest,
    value: Any,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> HttpResponse:
    further = dict(headers or {})
    body, spelled = dumps(value, may_spell=request.headers.get(STRINGS) in (SPELLED, "accept"))
    if spelled:
        further[STRINGS] = SPELLED
    if len(body) >= WORTH_COMPRESSING and (coding := _coding(request.headers.get("Accept-Encoding", ""))):
        body, further["Content-Encoding"] = _COMPRESSORS[coding](body), coding
    response = HttpResponse(body, status=status, content_type=content_type, headers=further)
    response["Vary"] = "Accept-Encoding, Forklore-Strings"
    return response


_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstd.compress(body, ZSTD_LEVEL),
    "gzip": lambda body: gzip.compress(body, LEVEL),
}


def _coding(accepted: str) -> str | None:
    """The best of ours that the other side takes; `gzip;q=0` says that it does not."""
    words = [word.replace(" ", "").lower() for word in accepted.split(",")]
    taken = {name for name, _, q in (word.partition(";q=") for word in words) if not q or q.strip("0.")}
    return next((name for name in _COMPRESSORS if name in taken), None)


def _decompressed(request: HttpRequest) -> bytes:
    """The body as it was before it was compressed, no larger than a body may be."""
    reader = _reader(request)
    if reader is None:
        return request.body
    limit = settings.FORKLORE_BODY_LIMIT
    with _refusing():
        found = reader.decompress(request.body, limit + 1)
    if len(found) > limit:
        raise HttpError(413, f"The body is larger than {limit:,} bytes.")
    _check_end(reader)
    return found


def _unpacked(request: HttpRequest) -> Iterator[bytes]:
    """The same in pieces; of what is compressed none is much larger than a piece either."""
    reader = _reader(request)
    taken = 0
    while piece := request.read(PIECE):
        taken += len(piece)
        if taken > settings.FORKLORE_BODY_LIMIT:
            raise HttpError(413, f"The body is larger than {settings.FORKLORE_BODY_LIMIT:,} bytes.")
        if reader is None:
            yield piece
            continue
        found = piece
        while not reader.eof and (piece or found):
            with _refusing():
                found = reader.decompress(piece, PIECE)
            yield found
            piece = getattr(reader, "unconsumed_tail", b"")  # which zlib leaves to its caller, and zstd keeps
    if reader is not None:
        _check_end(reader)


def _reader(request: HttpRequest) -> Any:
    """What undoes the compression of a body; None where it has none."""
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding == "identity":
        return None
    if coding not in _COMPRESSORS:
        raise HttpError(415, "A body comes as it is, by gzip or by zstd.")
    return zlib.decompressobj(wbits=31) if coding == "gzip" else _zstd_reader()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (zlib.error, zstd.ZstdError):
        raise HttpError(400, "The body is not compressed as it says.") from None


def _check_end(reader: Any) -> None:
    if not reader.eof:
        raise HttpError(400, "The body ends within what was compressed.")


def _zstd_reader() -> Any:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})

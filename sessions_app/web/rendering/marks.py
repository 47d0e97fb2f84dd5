"""Marks what a search found, by the rules of the search: literal, after NFC and Unicode case folding."""

import unicodedata
from collections.abc import Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

QUERY_LIMIT = 256  # characters


def escape_and_mark(text: str, query: str = "") -> SafeString:
    """The text as HTML with <mark> around every place where the query stands; an empty query marks nothing."""
    html, last = [], 0
    for start, stop in _places(text, query):
        html += [escape(text[last:start]), "<mark>", escape(text[start:stop]), "</mark>"]
        last = stop
    return mark_safe("".join([*html, escape(text[last:])]))  # noqa: S308  every piece is escaped above


def _places(text: str, query: str) -> Iterator[tuple[int, int]]:
    wanted = unicodedata.normalize("NFC", query[:QUERY_LIMIT]).casefold()
    if not wanted:
        return
    folded, origins = _folded(text)
    end = 0
    while (start := folded.find(wanted, end)) >= 0:
        end = start + len(wanted)
        yield origins[start], origins[end - 1] + 1 if end == len(folded) else max(origins[end], origins[start] + 1)


def _folded(text: str) -> tuple[str, list[int] | range]:
    """The folded text, and for each of its characters the place in the original where it comes from."""
    folded = text.casefold()
    if len(folded) == len(text) and unicodedata.is_normalized("NFC", text):
        return folded, range(len(text))
    pieces, origins = [], []
    for start, cluster in _clusters(text):
        piece = unicodedata.normalize("NFC", cluster).casefold()
        pieces.append(piece)
        origins += [start] * len(piece)
    return "".join(pieces), origins


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """Each character with the combining ones after it."""
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or not unicodedata.combining(text[index]):
            yield start, text[start:index]
            start = index

"""Folding, finding and excerpts: what "contains" means, the same for both databases and for the page.

Two texts are compared after NFC and Unicode case folding. Matches are told in positions of the original text.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from sessions_app.folding import fold

SNIPPET_LENGTH = 120  # characters
SNIPPET_LEAD = 30  # characters before the match


def contains(text: str, folded_query: str) -> bool:
    return folded_query in fold(text)


def find(text: str, query: str, start: int = 0) -> tuple[int, int] | None:
    """Where the query stands first in the text, as (start, stop) of the original, at or after `start`; None if nowhere.

    A match inside of a letter that folding makes longer, such as the first `s` of `ß`, covers the whole letter.
    """
    found = next(iter(_matches(text, fold(query), start, limit=1)), None)
    return found


def find_all(text: str, query: str, limit: int = 1000) -> list[tuple[int, int]]:
    """All matches that do not overlap, as (start, stop) of the original text, at most `limit`."""
    return _matches(text, fold(query), 0, limit)


def snippet(text: str, query: str) -> str:
    """About 120 characters of the original around the first match, or of its beginning if there is none."""
    if text.isascii():
        return excerpt(text, max(text.lower().find(fold(query)), 0))
    found = find(text, query)
    return excerpt(text, found[0] if found else 0)


def excerpt(text: str, position: int) -> str:
    """About 120 characters starting up to 30 before the position; new lines as spaces, `…` where cut."""
    start = max(0, position - SNIPPET_LEAD)
    stop = start + SNIPPET_LENGTH
    cut = text[start:stop].replace("\n", " ").replace("\r", " ")
    return f"{'…' if start else ''}{cut}{'…' if stop < len(text) else ''}"


def _matches(text: str, needle: str, start: int, limit: int) -> list[tuple[int, int]]:
    if not needle:
        return []
    folded, originals = _folded_with_map(text)
    matches: list[tuple[int, int]] = []
    at = folded.find(needle)
    while at >= 0 and len(matches) < limit:
        begin, end = _original_range(originals, at, at + len(needle), len(text))
        if begin >= start:
            matches.append((begin, end))
            at = folded.find(needle, at + len(needle))
        else:
            at = folded.find(needle, at + 1)
    return matches


def _original_range(originals: list[int] | None, start: int, stop: int, length: int) -> tuple[int, int]:
    if originals is None:
        return start, stop
    begin, last = originals[start], originals[stop - 1]
    while stop < len(originals) and originals[stop] == last:
        stop += 1
    return begin, originals[stop] if stop < len(originals) else length


def _folded_with_map(text: str) -> tuple[str, list[int] | None]:
    """The folded text, and for each of its characters the position of the original one (None: the same position)."""
    if text.isascii():
        return text.lower(), None
    folded = fold(text)
    if len(folded) == len(text) and unicodedata.is_normalized("NFC", text) and _folds_one_to_one(text):
        return folded, None
    pieces: list[str] = []
    originals: list[int] = []
    for start, stop in _clusters(text):
        piece = fold(text[start:stop])
        pieces.append(piece)
        originals.extend([start] * len(piece))
    return "".join(pieces), originals


def _folds_one_to_one(text: str) -> bool:
    return all(len(character.casefold()) == 1 for character in set(text))


def _clusters(text: str):
    """Ranges of the text that NFC normalises each by itself: a character and what may combine with it."""
    combining = _may_combine_with_what_precedes()
    start = 0
    for at in range(1, len(text)):
        character = text[at]
        if character >= "\u0300" and (character in combining or unicodedata.combining(character)):
            continue
        yield start, at
        start = at
    if text:
        yield start, len(text)


@cache
def _may_combine_with_what_precedes() -> frozenset[str]:
    """Starters that NFC may join to the character before them: vowel signs of Indic scripts, Hangul letters."""
    found = {chr(code) for code in [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]}
    for code in range(0x300, 0x20000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(chr(int(parts[1], 16)))
    return frozenset(found)

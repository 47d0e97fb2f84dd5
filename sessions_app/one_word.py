"""Folded text written in a–z and 0–9 alone, character by character, so that pg_trgm takes it for one word.

The trigrams of pg_trgm are those of words: of `"pop"` it would look up every text with the word pop, of `()` nothing,
and in a database with the C locale nothing of what is not ASCII. In one word every character counts, whatever the
locale. Wherever a text contains a query, its word contains that of the query. The reverse need not hold: what is found
is verified on the text. Decision 0012 has the measurements.
"""

from __future__ import annotations

import string

SYMBOLS = string.digits + string.ascii_lowercase
_PAIRED, _BEYOND = "jq", "z"  # first symbols of a pair, and of the four of a character beyond ASCII
_SWAPPED = {" ": "k", "_": "x"}  # more frequent than the letters whose symbols they have


class _Words(dict[int, str]):
    """By code point; those beyond ASCII are worked out when they are met."""

    def __missing__(self, code: int) -> str:
        number, last = divmod(code, len(SYMBOLS))
        number, middle = divmod(number, len(SYMBOLS))
        self[code] = word = _BEYOND + SYMBOLS[number % len(SYMBOLS)] + SYMBOLS[middle] + SYMBOLS[last]
        return word


def _of_ascii() -> _Words:
    taken = {*_PAIRED, _BEYOND, *_SWAPPED.values()}
    words = _Words({ord(symbol): symbol for symbol in SYMBOLS if symbol not in taken})
    words |= {ord(character): symbol for character, symbol in _SWAPPED.items()}
    pairs = (first + second for first in _PAIRED for second in SYMBOLS)
    # Folding leaves no capital.
    rest = (code for code in range(128) if code not in words and not chr(code).isupper())
    words |= dict(zip(rest, pairs, strict=False))
    return words


_WORDS = _of_ascii()


def as_one_word(folded: str) -> str:
    """One to four symbols for each character; a capital of ASCII would take four."""
    return folded.translate(_WORDS)

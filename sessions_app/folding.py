"""The form in which texts are compared, everywhere: what a query is looked for in, and what an index is built of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

SEPARATOR = "\x1f"  # between the texts of a document, and twice behind the last one

# What a database cannot take or reads as something else: NUL, lone surrogates, and two that are no characters.
_UNSTORABLE = re.compile("[\0\ud800-\udfff\ufffe\uffff]")


def fold(text: str) -> str:
    """The form in which texts are compared: NFC, then full case folding (`STRASSE` and `straße` are one)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text).casefold()


def storable(folded: str) -> str:
    """Folded text as a database takes it. Done to query and text alike, it may only make more places match."""
    if folded.isascii():
        return folded.replace("\0", "?")
    return _UNSTORABLE.sub("?", folded)


def document(texts: Iterable[str]) -> str:
    """What is indexed of a message: its texts, folded. Every character is followed by two others.

    So a query of one or two characters is the beginning of three that follow each other, too.
    """
    return storable(SEPARATOR.join(map(fold, texts))) + SEPARATOR * 2
